/**
 * Puts the rules, settings and routes of one intercept into a network namespace and takes them away again.
 *
 * Invariants, at any moment that a kill may come:
 * - The journal describes what was found before anything was changed.
 * - Rules are there whenever settings are changed (rules first, settings last; undone in reverse). So a journal of which no rule is in
 *   the namespace describes nothing that is still to be restored.
 * - An instance lives exactly while a program reads its queue. Rules whose queue nobody reads belong to a dead one: they drop the
 *   responses of its connections until the next intercept takes them over; whoever leaves last removes them.
 * - Nobody else's rule, table, route or setting is touched. Nothing is ever flushed.
 */
import { FallbackRoute } from './fallback-route.js';
import { type FoundState, foundState } from './found-state.js';
import type { IptablesKind } from './iptables.js';
import { wantedVariants } from './iptables-variants.js';
import { Journal } from './journal.js';
import { refuseLiving } from './living-intercepts.js';
import { namespaceHasIpv6, readMarkSysctls, setMarkSysctls } from './mark-sysctls.js';
import { queuesByInstance, surveyNamespace } from './namespace-survey.js';
import { ownerComment } from './own-rules.js';
import { ProcessTable } from './process-table.js';
import type { RulesInstallationOptions } from './rules-installation-options.js';
import { type InstalledRules, RulesInstaller } from './rules-installer.js';
import { RulesLook } from './rules-look.js';
import { removeRules } from './rules-removal.js';
import { OWN_TABLES } from './saved-rules.js';
import { chooseSlot } from './slot-choice.js';
import { type WorkerSlot, workerSlot } from './worker-slot.js';

export class RulesInstallation {
  readonly slot: WorkerSlot;
  /** For the log: what was adopted or could not be done. */
  readonly notes: readonly string[];
  /** Of the kind that holds the rules. */
  readonly kind: IptablesKind;
  readonly #options: RulesInstallationOptions;
  readonly #journal: Journal;
  readonly #rules: InstalledRules;
  readonly #sysctls: FoundState['sysctls'];
  #isInstalled = true;
  /** When all was as it was put; undefined before, and where nobody counts. */
  #rightGeneration: number | undefined;

  private constructor(
    options: RulesInstallationOptions,
    journal: Journal,
    slot: WorkerSlot,
    rules: InstalledRules,
    sysctls: FoundState['sysctls'],
    notes: readonly string[],
  ) {
    this.#options = options;
    this.#journal = journal;
    this.slot = slot;
    this.kind = [...rules.keys()][0]!.kind;
    this.#rules = rules;
    this.#sysctls = sysctls;
    this.notes = notes;
  }

  /** @throws RulesError, or what `openSockets` throws; the namespace is then as it was. */
  static async install(options: RulesInstallationOptions): Promise<RulesInstallation> {
    const { access, stateDirectory } = options;
    const processes = options.processes ?? new ProcessTable();
    const journal = await Journal.ofNamespace(access, stateDirectory, processes);
    return journal.locked(async () => {
      const hasIpv6 = await namespaceHasIpv6(access);
      const variants = await wantedVariants(access, options.iptables, hasIpv6);
      const survey = await surveyNamespace(access, variants);
      const content = await journal.load();
      const owners = queuesByInstance(survey);
      const notes: string[] = [];
      refuseLiving(options.instance, owners, survey, content);
      const slot = await chooseSlot({
        instance: options.instance,
        queueNumber: options.queueNumber,
        survey,
        journal: content,
        open: options.openSockets,
      });
      const found = await foundState(access, hasIpv6, survey, content, owners, notes);
      for (const [instance, queues] of owners) {
        if ([...queues].some((queue) => queue !== slot.queueNumber && survey.boundQueues.has(queue))) continue;
        notes.push(`took over the rules "${ownerComment(instance)}" of an intercept that did not end in order`);
      }
      const situation = { hasIpv6, variants, survey, found, content, notes };
      const installer = new RulesInstaller(options, journal, slot, situation);
      return new RulesInstallation(options, journal, slot, await installer.run(), found.sysctls, notes);
    });
  }

  /**
   * Undoes what a killed intercept left, without taking it over. Returns notes for the log; undefined while it lives after all.
   *
   * @throws RulesError: it can be tried again.
   */
  static async undo(
    options: Pick<RulesInstallationOptions, 'access' | 'stateDirectory' | 'instance' | 'processes'>,
  ): Promise<string[] | undefined> {
    const { access, stateDirectory, instance } = options;
    const processes = options.processes ?? new ProcessTable();
    const journal = await Journal.ofNamespace(access, stateDirectory, processes);
    return journal.locked(async () => {
      const content = await journal.load();
      const variants = await wantedVariants(access, 'auto', await namespaceHasIpv6(access));
      const survey = await surveyNamespace(access, variants);
      const entries = Object.values(content?.instances ?? {});
      if (entries.some(({ queueNumber }) => survey.boundQueues.has(queueNumber))) return undefined;
      const own = content?.instances[instance] ?? entries[0];
      if (content !== undefined && own !== undefined && queuesByInstance(survey).size > 0) {
        return removeRules(options, journal, workerSlot(own.slotIndex, own.queueNumber));
      }
      // Rules go last but for routes; without any the settings are no longer ours, and the inode may be another namespace's.
      for (const { routes, slotIndex, queueNumber } of entries) {
        const slot = workerSlot(slotIndex, queueNumber);
        for (const family of routes) await new FallbackRoute(access, family).remove(slot);
      }
      await journal.remove();
      return [];
    });
  }

  /**
   * Looks whether rules and settings are as they were put, and puts back what somebody else has removed, changed, or put a rule
   * before: without them answers would reach clients. Returns what was wrong, for the log.
   *
   * @throws RulesError when they cannot be put back.
   */
  async hold(look = new RulesLook(this.#options.access)): Promise<string[]> {
    if (!this.#isInstalled) return [];
    const generation = look.generationOf(this.kind);
    const isSame = generation !== undefined && generation === this.#rightGeneration;
    if (isSame && (await this.#lostSettings()).length === 0) return [];
    return this.#journal.locked(async () => {
      const { access, instance } = this.#options;
      const wrong: string[] = [];
      for (const [iptables, rules] of this.#rules) {
        const { owned, overtaken } = await look.save(iptables);
        const own = owned.filter((rule) => rule.instance === instance);
        for (const table of OWN_TABLES) {
          const isComplete = own.filter((rule) => rule.table === table).length === rules[table].length;
          if (isComplete && (table === 'raw' || !overtaken.has(instance))) continue;
          await iptables.replaceOrThrow(table, own, rules[table]);
          const what = isComplete ? 'a rule was put before ours' : 'our rules were removed';
          wrong.push(`${iptables.name} -t ${table}: ${what}: they are back at the heads of their chains`);
        }
      }
      const lost = await this.#lostSettings();
      if (lost.length > 0) {
        await setMarkSysctls(access, this.#sysctls);
        wrong.push(`${lost.join(', ')}: was set to 0 by somebody else: it is 1 again`);
      }
      this.#rightGeneration = wrong.length === 0 ? generation : undefined;
      return wrong;
    });
  }

  /** Paths of settings that somebody has set to 0. */
  async #lostSettings(): Promise<string[]> {
    const now = await readMarkSysctls(this.#options.access, Object.keys(this.#sysctls).length > 2);
    return Object.keys(now).filter((path) => now[path] === '0');
  }

  /** Puts back what was found, as far as no living intercept needs it. Returns notes for the log. After a failure it can be tried again. */
  async restore(): Promise<string[]> {
    if (!this.#isInstalled) return [];
    this.#isInstalled = false;
    try {
      return await this.#journal.locked(() => removeRules(this.#options, this.#journal, this.slot));
    } catch (failure) {
      this.#isInstalled = true;
      throw failure;
    }
  }
}
