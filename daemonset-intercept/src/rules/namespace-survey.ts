/** What is in the namespace now, as far as the rules of an intercept are concerned. Reads only. */
import type { Iptables } from './iptables.js';
import { familiesOf, type IptablesVariant } from './iptables-variants.js';
import type { NamespaceAccess } from './namespace-access.js';
import { parseBoundQueues, type SavedRules } from './saved-rules.js';

const BOUND_QUEUES = '/proc/net/netfilter/nfnetlink_queue';

export interface NamespaceSurvey {
  readonly tables: ReadonlyMap<Iptables, SavedRules>;
  /** Queue numbers that a program reads now. */
  readonly boundQueues: ReadonlySet<number>;
}

export async function surveyNamespace(
  access: NamespaceAccess,
  variants: readonly IptablesVariant[],
): Promise<NamespaceSurvey> {
  const tables = new Map<Iptables, SavedRules>();
  for (const iptables of variants.flatMap(familiesOf)) tables.set(iptables, await iptables.save());
  return { tables, boundQueues: parseBoundQueues((await access.read(BOUND_QUEUES)) ?? '') };
}

/** Names of the instances that own rules here, with the queues that their rules name. */
export function queuesByInstance(survey: NamespaceSurvey): Map<string, Set<number>> {
  const instances = new Map<string, Set<number>>();
  for (const { owned } of survey.tables.values()) {
    for (const rule of owned) {
      const queues = instances.get(rule.instance) ?? new Set();
      if (rule.queueNumber !== undefined) queues.add(rule.queueNumber);
      instances.set(rule.instance, queues);
    }
  }
  return instances;
}
