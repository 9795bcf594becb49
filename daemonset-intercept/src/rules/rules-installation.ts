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
import { readFile } from 'node:fs/promises';
import { FallbackRoute } from './fallback-route.js';
import { commandFailed, type Iptables, type IptablesKind } from './iptables.js';
import { familiesOf, type IptablesVariant, iptablesVariants } from './iptables-variants.js';
import { Journal, type JournalContent, type JournalInstance } from './journal.js';
import { endLeftoverSockets } from './leftover-sockets.js';
import { namespaceHasIpv6, readMarkSysctls, restoreMarkSysctls, setMarkSysctls } from './mark-sysctls.js';
import type { NamespaceAccess } from './namespace-access.js';
import { type NamespaceSurvey, queuesByInstance, surveyNamespace } from './namespace-survey.js';
import { mangleRules, type OwnRule, type OwnRulesOptions, ownerComment, rawRules } from './own-rules.js';
import { ProcessTable } from './process-table.js';
import { RulesError } from './rules-error.js';
import { OWN_TABLES, type OwnedRule, type OwnTable, type SavedRules } from './saved-rules.js';
import { chooseSlot } from './slot-choice.js';
import type { WireTraffic } from './wire-rules.js';
import { type WorkerSlot, workerSlot } from './worker-slot.js';

export interface RulesInstallationOptions {
  readonly access: NamespaceAccess;
  readonly stateDirectory: string;
  /** Default: that of the own /proc. */
  readonly processes?: ProcessTable | undefined;
  readonly instance: string;
  /** Undefined: the first free one. */
  readonly queueNumber: number | undefined;
  readonly iptables: 'auto' | IptablesKind;
  /** Copied by C tcpcopies. */
  readonly wire?: WireTraffic | undefined;
  /**
   * Opens the queue and the raw sockets of the slot, before anything is changed. False when another program reads that queue: then the
   * next slot is tried, unless `queueNumber` is given. May throw.
   */
  readonly openSockets: (slot: WorkerSlot) => boolean | Promise<boolean>;
  /** Whether packets of Direct delivery are this slot's. Default: they are. */
  readonly takesDirect?: boolean | undefined;
}

type Found = JournalContent['found'];
/** The rules of one command, as they were put. None in the raw table where the kernel cannot leave packets untracked. */
type TableRules = Readonly<Record<OwnTable, readonly OwnRule[]>>;
/** By the command that put them; never empty. */
type InstalledRules = ReadonlyMap<Iptables, TableRules>;

export class RulesInstallation {
  readonly slot: WorkerSlot;
  /** For the log: what was adopted or could not be done. */
  readonly notes: readonly string[];
  /** Of the kind that holds the rules. */
  readonly kind: IptablesKind;
  readonly #options: RulesInstallationOptions;
  readonly #journal: Journal;
  readonly #rules: InstalledRules;
  readonly #sysctls: Found['sysctls'];
  #isInstalled = true;

  private constructor(
    options: RulesInstallationOptions,
    journal: Journal,
    slot: WorkerSlot,
    rules: InstalledRules,
    sysctls: Found['sysctls'],
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
    const journal = new Journal(stateDirectory, await access.identify(), await bootId(), processes);
    return journal.locked(async () => {
      const hasIpv6 = await namespaceHasIpv6(access);
      const variants = await wantedVariants(options, hasIpv6);
      const survey = await surveyNamespace(access, variants);
      const content = await journal.load();
      const owners = queuesByInstance(survey);
      const notes: string[] = [];
      refuseLiving(options, owners, survey, content);
      const slot = await chooseSlot({
        instance: options.instance,
        queueNumber: options.queueNumber,
        survey,
        journal: content,
        open: options.openSockets,
      });
      const found = await whatWasFound(options, hasIpv6, survey, content, owners, notes);
      for (const [instance, queues] of owners) {
        if ([...queues].some((queue) => queue !== slot.queueNumber && survey.boundQueues.has(queue))) continue;
        notes.push(`took over the rules "${ownerComment(instance)}" of an intercept that did not end in order`);
      }
      const installer = new Installer(options, journal, slot, hasIpv6, variants, survey, found, content, notes);
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
    const journal = new Journal(stateDirectory, await access.identify(), await bootId(), processes);
    return journal.locked(async () => {
      const content = await journal.load();
      const variants = await wantedVariants({ access, iptables: 'auto' }, await namespaceHasIpv6(access));
      const survey = await surveyNamespace(access, variants);
      const entries = Object.values(content?.instances ?? {});
      if (entries.some(({ queueNumber }) => survey.boundQueues.has(queueNumber))) return undefined;
      const own = content?.instances[instance] ?? entries[0];
      if (content !== undefined && own !== undefined && queuesByInstance(survey).size > 0) {
        return leave(options, journal, workerSlot(own.slotIndex, own.queueNumber));
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
   * before: without them answers would reach clients. Returns what was wrong, for the log. `save` reads the rules of a command.
   *
   * @throws RulesError when they cannot be put back.
   */
  async hold(save = (iptables: Iptables): Promise<SavedRules> => iptables.save()): Promise<string[]> {
    if (!this.#isInstalled) return [];
    return this.#journal.locked(async () => {
      const { access, instance } = this.#options;
      const wrong: string[] = [];
      for (const [iptables, rules] of this.#rules) {
        const { owned, overtaken } = await save(iptables);
        const own = owned.filter((rule) => rule.instance === instance);
        for (const table of OWN_TABLES) {
          const isComplete = own.filter((rule) => rule.table === table).length === rules[table].length;
          if (isComplete && (table === 'raw' || !overtaken.has(instance))) continue;
          await iptables.replaceOrThrow(table, own, rules[table]);
          const what = isComplete ? 'a rule was put before ours' : 'our rules were removed';
          wrong.push(`${iptables.name} -t ${table}: ${what}: they are back at the heads of their chains`);
        }
      }
      const now = await readMarkSysctls(access, Object.keys(this.#sysctls).length > 2);
      const lost = Object.keys(now).filter((path) => now[path] === '0');
      if (lost.length > 0) {
        await setMarkSysctls(access, this.#sysctls);
        wrong.push(`${lost.join(', ')}: was set to 0 by somebody else: it is 1 again`);
      }
      return wrong;
    });
  }

  /** Puts back what was found, as far as no living intercept needs it. Returns notes for the log. After a failure it can be tried again. */
  async restore(): Promise<string[]> {
    if (!this.#isInstalled) return [];
    this.#isInstalled = false;
    try {
      return await this.#journal.locked(() => leave(this.#options, this.#journal, this.slot));
    } catch (failure) {
      this.#isInstalled = true;
      throw failure;
    }
  }
}

/** One run of the changes, undone when one of them fails. */
class Installer {
  readonly #options: RulesInstallationOptions;
  readonly #journal: Journal;
  readonly #slot: WorkerSlot;
  readonly #hasIpv6: boolean;
  readonly #variants: readonly IptablesVariant[];
  readonly #survey: NamespaceSurvey;
  readonly #found: Found;
  readonly #others: Readonly<Record<string, JournalInstance>>;
  readonly #notes: string[];

  constructor(
    options: RulesInstallationOptions,
    journal: Journal,
    slot: WorkerSlot,
    hasIpv6: boolean,
    variants: readonly IptablesVariant[],
    survey: NamespaceSurvey,
    found: Found,
    content: JournalContent | undefined,
    notes: string[],
  ) {
    this.#options = options;
    this.#journal = journal;
    this.#slot = slot;
    this.#hasIpv6 = hasIpv6;
    this.#variants = variants;
    this.#survey = survey;
    this.#found = found;
    const { [options.instance]: _own, ...others } = content?.instances ?? {};
    this.#others = others;
    this.#notes = notes;
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
      await leave(this.#options, this.#journal, this.#slot);
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
    const { instance, wire, takesDirect } = this.#options;
    const own = this.#survey.tables.get(iptables)?.owned.filter((rule) => rule.instance === instance) ?? [];
    const exact = { family: iptables.family, instance, slot: this.#slot, matchExperimentId: true, wire, takesDirect };
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

async function leave(
  options: Pick<RulesInstallationOptions, 'access' | 'instance'>,
  journal: Journal,
  slot: WorkerSlot,
): Promise<string[]> {
  const { access, instance } = options;
  const content = await journal.load();
  if (content === undefined) return [];
  const hasIpv6 = await namespaceHasIpv6(access);
  const variants = await wantedVariants({ access, iptables: 'auto' }, hasIpv6);
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

async function wantedVariants(
  options: Pick<RulesInstallationOptions, 'access' | 'iptables'>,
  hasIpv6: boolean,
): Promise<IptablesVariant[]> {
  const all = await iptablesVariants(options.access, hasIpv6);
  const { iptables } = options;
  const wanted = iptables === 'auto' ? all : all.filter(({ kind }) => kind === iptables);
  if (wanted.length > 0) return wanted;
  const what = iptables === 'auto' ? 'iptables' : `iptables of the kind ${iptables}`;
  throw new RulesError(
    'ERR_RULES_UNSUPPORTED',
    `${what} is not installed here: the rules that keep responses from clients need it (package iptables)`,
  );
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

/** Two intercepts would trample each other only where they cannot see each other's journal, or are the same instance. */
function refuseLiving(
  options: RulesInstallationOptions,
  owners: ReadonlyMap<string, ReadonlySet<number>>,
  survey: NamespaceSurvey,
  content: JournalContent | undefined,
): void {
  for (const [instance, queues] of owners) {
    const queue = [...queues].find((number) => survey.boundQueues.has(number));
    if (queue === undefined) continue;
    if (instance === options.instance) {
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

async function whatWasFound(
  options: RulesInstallationOptions,
  hasIpv6: boolean,
  survey: NamespaceSurvey,
  content: JournalContent | undefined,
  owners: ReadonlyMap<string, unknown>,
  notes: string[],
): Promise<Found> {
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
  return { sysctls: await readMarkSysctls(options.access, hasIpv6), tables };
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
