import type { JournalContent } from './journal.js';
import { readMarkSysctls } from './mark-sysctls.js';
import type { NamespaceAccess } from './namespace-access.js';
import type { NamespaceSurvey } from './namespace-survey.js';
import { OWN_TABLES } from './saved-rules.js';

export type FoundState = JournalContent['found'];

/**
 * What is to be restored: what a journal says whose rules stand, or else what is there now. `owners` have rules here. Adds to the notes
 * for the log.
 */
export async function foundState(
  access: NamespaceAccess,
  hasIpv6: boolean,
  survey: NamespaceSurvey,
  content: JournalContent | undefined,
  owners: ReadonlyMap<string, unknown>,
  notes: string[],
): Promise<FoundState> {
  const isStanding = Object.keys(content?.instances ?? {}).some((instance) => owners.has(instance));
  if (content !== undefined && isStanding) return content.found;
  if (owners.size > 0) {
    notes.push(
      'rules of an earlier intercept are here but not its journal: the settings that it changed are taken for those that were found',
    );
  }
  const tables: string[] = [];
  for (const [iptables, saved] of survey.tables) {
    for (const table of OWN_TABLES) {
      // Where only rules of ours are, the table was made for them.
      const isOurs = saved.owned.some((rule) => rule.table === table) && !saved.foreignTables.has(table);
      if (!isOurs) tables.push(...(await iptables.carriers(saved, table)));
    }
  }
  return { sysctls: await readMarkSysctls(access, hasIpv6), tables };
}
