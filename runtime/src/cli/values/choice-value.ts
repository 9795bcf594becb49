import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

/** One of the given words. */
export function choiceValue<const T extends string>(choices: readonly T[]): ValueType<T> {
  return {
    expected: `one of ${choices.join(', ')}`,
    completes: choices,
    parse(text: string): T {
      const choice = choices.find((candidate) => candidate === text);
      if (choice === undefined) throw new ValueProblem('');
      return choice;
    },
  };
}
