import { FallbackRoute } from './fallback-route.js';
import type { FoundState } from './found-state.js';
import { commandFailed, type Iptables } from './iptables.js';
import { familiesOf, type IptablesVariant } from './iptables-variants.js';
import type { Journal, JournalContent, JournalInstance } from './journal.js';
import { setMarkSysctls } from './mark-sysctls.js';
import type { NamespaceSurvey } from './namespace-survey.js';
import { mangleRules, type OwnRule, type OwnRulesOptions, rawRules } from './own-rules.js';
import type { RulesInstallationOptions } from './rules-installation-options.js';
import { removeRules } from './rules-removal.js';
import type { OwnedRule, OwnTable } from './saved-rules.js';
import type { WorkerSlot } from './worker-slot.js';

/** The rules of one command, as they were put. None in the raw table where the kernel cannot leave packets untracked. */
export type TableRules = Readonly<Record<OwnTable, readonly OwnRule[]>>;
/** By the command that put them; never empty. */
export type InstalledRules = ReadonlyMap<Iptables, TableRules>;

/** The namespace before anything is changed. */
export interface Situation {
  readonly hasIpv6: boolean;
  readonly variants: readonly IptablesVariant[];
  readonly survey: NamespaceSurvey;
  readonly found: FoundState;
  readonly content: JournalContent | undefined;
  /** For the log; more are added. */
  readonly notes: string[];
}

/** One run of the changes, undone when one of them fails. */
export class RulesInstaller {
  readonly #options: RulesInstallationOptions;
  readonly #journal: Journal;
  readonly #slot: WorkerSlot;
  readonly #hasIpv6: boolean;
  readonly #variants: readonly IptablesVariant[];
  readonly #survey: NamespaceSurvey;
  readonly #found: FoundState;
  readonly #others: Readonly<Record<string, JournalInstance>>;
  readonly #notes: string[];

  constructor(options: RulesInstallationOptions, journal: Journal, slot: WorkerSlot, situation: Situation) {
    this.#options = options;
    this.#journal = journal;
    this.#slot = slot;
    this.#hasIpv6 = situation.hasIpv6;
    this.#variants = situation.variants;
    this.#survey = situation.survey;
    this.#found = situation.found;
    const { [options.instance]: _own, ...others } = situation.content?.instances ?? {};
    this.#others = others;
    this.#notes = situation.notes;
  }

  async run(): Promise<InstalledRules> {
    const { access } = this.#options;
    const families: readonly (4 | 6)[] = this.#hasIpv6 ? [4, 6] : [4];
    const routes: (4 | 6)[] = [];
    for (const family of families) {
      if (await new FallbackRoute(access, family).isNeeded(this.#slot)) routes.push(family);
    }
    // The predecessor's routes are ours now.
    const previous = (await this.#journal.load())?.instances[this.#options.instance];
    for (const family of previous?.routes ?? []) if (!routes.includes(family)) routes.push(family);
    try {
      const rules = await this.#installRules(routes);
      for (const family of routes) {
        if (!previous?.routes.includes(family)) await new FallbackRoute(access, family).add(this.#slot);
      }
      await setMarkSysctls(access, this.#found.sysctls);
      return rules;
    } catch (failure) {
      await removeRules(this.#options, this.#journal, this.#slot);
      throw failure;
    }
  }

  /** Tries the kinds in their order until one works for both families. */
  async #installRules(routes: readonly (4 | 6)[]): Promise<InstalledRules> {
    let failure: unknown;
    for (const variant of byUse(this.#variants, this.#survey, this.#options.instance)) {
      await this.#journal.store(this.#found, {
        ...this.#others,
        [this.#options.instance]: {
          pid: process.pid,
          slotIndex: this.#slot.index,
          queueNumber: this.#slot.queueNumber,
          kind: variant.kind,
          routes,
        },
      });
      try {
        const installed = new Map<Iptables, TableRules>();
        for (const iptables of familiesOf(variant)) installed.set(iptables, await this.#replaceRules(iptables));
        await this.#removeFromOtherKinds(variant);
        return installed;
      } catch (cause) {
        failure = cause;
        this.#notes.push(
          `${variant.ipv4.name} does not work here: ${cause instanceof Error ? cause.message : String(cause)}`,
        );
        for (const iptables of familiesOf(variant)) await this.#removeNew(iptables);
      }
    }
    throw failure;
  }

  async #replaceRules(iptables: Iptables): Promise<TableRules> {
    const { instance, wire, udpClients, takesUnmarked } = this.#options;
    const own = this.#survey.tables.get(iptables)?.owned.filter((rule) => rule.instance === instance) ?? [];
    const { family } = iptables;
    const exact = { family, instance, slot: this.#slot, matchExperimentId: true, wire, udpClients, takesUnmarked };
    const outcome = await iptables.replace('mangle', own, mangleRules(exact));
    if (outcome.status === 0) return this.#withRawRules(iptables, own, exact);
    // Without the string match any SYN with an experimental option counts as the copy's.
    const loose = { ...exact, matchExperimentId: false };
    const second = await iptables.replace('mangle', own, mangleRules(loose));
    if (second.status !== 0) throw commandFailed(`${iptables.name}-restore`, outcome);
    this.#notes.push(`${iptables.name} has no string match here: any packet with TCP option 253 is taken for a copy's`);
    return this.#withRawRules(iptables, own, loose);
  }

  /** A step of its own, so that a kernel without the CT target or the raw table is served as well. */
  async #withRawRules(iptables: Iptables, own: readonly OwnedRule[], options: OwnRulesOptions): Promise<TableRules> {
    const mangle = mangleRules(options);
    const raw = rawRules(options);
    const outcome = await iptables.replace('raw', own, raw);
    if (outcome.status === 0) return { mangle, raw };
    this.#notes.push(
      `${iptables.name} cannot leave packets untracked here (raw table, CT target): address translation in this namespace applies to copied packets too`,
    );
    return { mangle, raw: [] };
  }

  /** The predecessor used another kind: its rules are replaced by now. */
  async #removeFromOtherKinds(chosen: IptablesVariant): Promise<void> {
    for (const [iptables, { owned }] of this.#survey.tables) {
      if (iptables.kind === chosen.kind) continue;
      const own = owned.filter((rule) => rule.instance === this.#options.instance);
      await iptables.removeOrThrow(own);
    }
  }

  /** Leaves a kind that failed half-way, IPv4 done and IPv6 not. */
  async #removeNew(iptables: Iptables): Promise<void> {
    const { owned } = await iptables.save();
    const before = this.#survey.tables.get(iptables)?.owned.map((rule) => rule.text) ?? [];
    const added = owned.filter((rule) => rule.instance === this.#options.instance && !before.includes(rule.text));
    await iptables.removeOrThrow(added);
    await iptables.removeEmpty(this.#found.tables);
  }
}

/** The kind that holds our rules, then the one that is in use, then the system's default. */
function byUse(variants: readonly IptablesVariant[], survey: NamespaceSurvey, instance: string): IptablesVariant[] {
  const weight = (variant: IptablesVariant): number => {
    const tables = familiesOf(variant).map((iptables) => survey.tables.get(iptables));
    if (tables.some((table) => table?.owned.some((rule) => rule.instance === instance))) return 2;
    return tables.some((table) => table?.hasRules) ? 1 : 0;
  };
  return [...variants].sort((a, b) => weight(b) - weight(a));
}
