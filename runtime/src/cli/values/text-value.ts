import { ValueProblem } from './value-problem.js';
import type { ValueType } from './value-type.js';

/** Any text that `pattern` matches as a whole. */
export function textValue(expected: string, pattern: RegExp): ValueType<string> {
  return {
    expected,
    parse(text: string): string {
      if (!pattern.test(text)) throw new ValueProblem('');
      return text;
    },
  };
}

/** The path of a file or directory. */
export const pathValue: ValueType<string> = { ...textValue('a path', /^[^\0]{1,4095}$/), completes: 'files' };
