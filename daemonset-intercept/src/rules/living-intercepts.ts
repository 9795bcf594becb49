import type { JournalContent } from './journal.js';
import type { NamespaceSurvey } from './namespace-survey.js';
import { RulesError } from './rules-error.js';

/** Two intercepts would trample each other only where they cannot see each other's journal, or are the same instance. @throws RulesError */
export function refuseLiving(
  ownInstance: string,
  owners: ReadonlyMap<string, ReadonlySet<number>>,
  survey: NamespaceSurvey,
  content: JournalContent | undefined,
): void {
  for (const [instance, queues] of owners) {
    const queue = [...queues].find((number) => survey.boundQueues.has(number));
    if (queue === undefined) continue;
    if (instance === ownInstance) {
      throw new RulesError(
        'ERR_RULES_CONFLICT',
        `an intercept named "${instance}" already works in this network namespace (NFQUEUE ${queue}): stop it, or give this one another --instance and -p`,
      );
    }
    if (content?.instances[instance] === undefined) {
      throw new RulesError(
        'ERR_RULES_CONFLICT',
        `the intercept "${instance}" works in this network namespace (NFQUEUE ${queue}) and keeps its journal elsewhere: start this one with the same --state, so that the last to leave restores what was found`,
      );
    }
  }
}
