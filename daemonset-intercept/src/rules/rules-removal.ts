import { FallbackRoute } from './fallback-route.js';
import { wantedVariants } from './iptables-variants.js';
import type { Journal } from './journal.js';
import { endLeftoverSockets } from './leftover-sockets.js';
import { namespaceHasIpv6, restoreMarkSysctls } from './mark-sysctls.js';
import { queuesByInstance, surveyNamespace } from './namespace-survey.js';
import { ownerComment } from './own-rules.js';
import type { RulesInstallationOptions } from './rules-installation-options.js';
import { type WorkerSlot, workerSlot } from './worker-slot.js';

/**
 * Takes away what this instance and dead ones have in the namespace, and puts back what was found, as far as no living intercept needs
 * it. The journal is locked. Returns notes for the log.
 */
export async function removeRules(
  options: Pick<RulesInstallationOptions, 'access' | 'instance'>,
  journal: Journal,
  slot: WorkerSlot,
): Promise<string[]> {
  const { access, instance } = options;
  const content = await journal.load();
  if (content === undefined) return [];
  const hasIpv6 = await namespaceHasIpv6(access);
  const variants = await wantedVariants(access, 'auto', hasIpv6);
  const survey = await surveyNamespace(access, variants);
  const isAlive = (name: string, queues: Iterable<number>): boolean =>
    name !== instance && [...queues].some((queue) => survey.boundQueues.has(queue) && queue !== slot.queueNumber);
  const living = Object.entries(content.instances).filter(([name, entry]) => isAlive(name, [entry.queueNumber]));
  const owners = queuesByInstance(survey);
  const notes: string[] = [];
  const gone = Object.entries(content.instances)
    .filter(([name, entry]) => !isAlive(name, [entry.queueNumber]))
    .map(([, entry]) => ({ routes: entry.routes, slot: workerSlot(entry.slotIndex, entry.queueNumber) }));
  // While the rules still catch what they say.
  for (const entry of gone) await endLeftoverSockets(access, entry.slot);
  if (living.length === 0) {
    for (const path of await restoreMarkSysctls(access, content.found.sysctls)) {
      notes.push(`${path} was changed by somebody else meanwhile: left as it is`);
    }
  }
  for (const [iptables, { owned }] of survey.tables) {
    const rules = owned.filter((rule) => !isAlive(rule.instance, owners.get(rule.instance) ?? []));
    await iptables.removeOrThrow(rules);
    if (living.length === 0) await iptables.removeEmpty(content.found.tables);
  }
  for (const { routes, slot: goneSlot } of gone) {
    for (const family of routes) await new FallbackRoute(access, family).remove(goneSlot);
  }
  if (living.length === 0) await journal.remove();
  else {
    await journal.store(content.found, Object.fromEntries(living));
    notes.push(`settings stay for ${living.map(([name]) => ownerComment(name)).join(', ')}, which needs them`);
  }
  return notes;
}
