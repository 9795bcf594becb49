/**
 * The iptables commands of one variant and IP family in one namespace. Every change is one `iptables-restore --noflush`
 * transaction: all of it happens or nothing, and nobody else's rules are read or written by it.
 */
import type { CommandOutcome, NamespaceAccess } from './namespace-access.js';
import type { OwnRule } from './own-rules.js';
import { RulesError } from './rules-error.js';
import { OWN_TABLES, type OwnedRule, type OwnTable, parseSavedRules, type SavedRules } from './saved-rules.js';

/** The kernel interface behind the command: both can be in use at the same time, and see nothing of each other. */
export type IptablesKind = 'nft' | 'legacy';

/** Seconds to wait for iptables' lock. */
const LOCK_WAIT = ['-w', '10'];

export class Iptables {
  readonly kind: IptablesKind;
  readonly family: 4 | 6;
  readonly #access: NamespaceAccess;
  /** `iptables`, `iptables-legacy`, … with `6` where it belongs. */
  readonly #command: string;

  constructor(access: NamespaceAccess, kind: IptablesKind, family: 4 | 6, suffix: string) {
    this.#access = access;
    this.kind = kind;
    this.family = family;
    this.#command = `${family === 4 ? 'iptables' : 'ip6tables'}${suffix}`;
  }

  get name(): string {
    return this.#command;
  }

  /** Reads all tables. With `-t` it would make the table that it is asked for. */
  async save(): Promise<SavedRules> {
    const outcome = await this.#run(`${this.#command}-save`, []);
    // Legacy's fails where the kernel has none of its tables.
    return parseSavedRules(outcome.status === 0 ? outcome.stdout : '');
  }

  /** Removes those of `remove` that are in `table` and puts `insert` at the heads of its chains, in their order, in one step. */
  async replace(table: OwnTable, remove: readonly OwnedRule[], insert: readonly OwnRule[]): Promise<CommandOutcome> {
    const positions = new Map<string, number>();
    const lines = insert.map(({ chain, spec }) => {
      const position = (positions.get(chain) ?? 0) + 1;
      positions.set(chain, position);
      return `-I ${chain} ${position} ${spec}`;
    });
    const removals = remove.filter((rule) => rule.table === table).map((rule) => `-D ${rule.text}`);
    const text = [`*${table}`, ...removals, ...lines, 'COMMIT', ''].join('\n');
    return this.#run(`${this.#command}-restore`, ['--noflush', ...LOCK_WAIT], text);
  }

  /** As {@link replace}. @throws RulesError when it fails. */
  async replaceOrThrow(table: OwnTable, remove: readonly OwnedRule[], insert: readonly OwnRule[]): Promise<void> {
    const outcome = await this.replace(table, remove, insert);
    if (outcome.status !== 0) throw commandFailed(`${this.#command}-restore`, outcome);
  }

  /** Removes rules of any of our tables. What keeps responses from clients goes last. @throws RulesError when it fails. */
  async removeOrThrow(rules: readonly OwnedRule[]): Promise<void> {
    for (const table of ['raw', 'mangle'] as const) {
      if (rules.some((rule) => rule.table === table)) await this.replaceOrThrow(table, rules, []);
    }
  }

  /**
   * Names of what carries rules in one of our tables: the table itself and, where nft makes them one by one, its built-in chains.
   * `nft4`, `nft4:OUTPUT`, `legacy6`, `nft4/raw`. What iptables makes for the first rule is not there before.
   */
  async carriers(saved: SavedRules, table: OwnTable): Promise<string[]> {
    if (!saved.tables.has(table)) return [];
    const name = this.#carrier(table);
    const chains = this.kind === 'nft' ? parseChains(await this.#listTable(table)) : [];
    return [name, ...chains.map((chain) => `${name}:${chain.name}`)];
  }

  /** The mangle table is the one that has no name of its own: journals of earlier versions know no other. */
  #carrier(table: OwnTable): string {
    return `${this.kind}${this.family}${table === 'mangle' ? '' : `/${table}`}`;
  }

  /**
   * Removes what nft made for our rules and was not `found`: empty built-in chains, and the table when nothing else is in it. A
   * chain that gets a rule in between refuses to go (EBUSY), and the whole transaction with it. Without the nft command, and
   * with legacy, the empty table stays; it does nothing.
   */
  async removeEmpty(found: readonly string[]): Promise<void> {
    if (this.kind !== 'nft') return;
    for (const table of OWN_TABLES) await this.#removeEmptyTable(table, found);
  }

  async #removeEmptyTable(table: OwnTable, found: readonly string[]): Promise<void> {
    const listing = await this.#listTable(table);
    const chains = parseChains(listing);
    const carrier = this.#carrier(table);
    const gone = chains.filter(({ name, isEmpty }) => isEmpty && !found.includes(`${carrier}:${name}`));
    const lines = gone.map(({ name }) => `delete chain ${this.#protocol} ${table} ${name}`);
    const isTableOurs = !found.includes(carrier) && gone.length === chains.length && holdsOnlyChains(listing);
    if (isTableOurs && listing !== '') lines.push(`delete table ${this.#protocol} ${table}`);
    if (lines.length > 0) await this.#access.run('nft', ['-f', '-'], `${lines.join('\n')}\n`);
  }

  get #protocol(): string {
    return this.family === 4 ? 'ip' : 'ip6';
  }

  /** Empty when there is no such table, or no nft command. */
  async #listTable(table: OwnTable): Promise<string> {
    const outcome = await this.#access.run('nft', ['list', 'table', this.#protocol, table]);
    return outcome?.status === 0 ? outcome.stdout : '';
  }

  async #run(command: string, args: readonly string[], input?: string): Promise<CommandOutcome> {
    const outcome = await this.#access.run(command, args, input);
    if (outcome === undefined) {
      throw new RulesError('ERR_RULES_UNSUPPORTED', `${command} is not installed (package iptables)`);
    }
    return outcome;
  }
}

interface ListedChain {
  readonly name: string;
  /** A built-in chain without rules that accepts. */
  readonly isEmpty: boolean;
}

/** The chains in nft's listing of a table. */
export function parseChains(listing: string): ListedChain[] {
  return [...listing.matchAll(/^\tchain (\S+) \{\n((?:\t\t.*\n)*)\t\}$/gm)].map(([, name, body]) => ({
    name: name!,
    isEmpty:
      /^(PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING)$/.test(name!) &&
      /^\t\ttype (filter|route) hook \w+ priority [^;]+; policy accept;\n$/.test(body!),
  }));
}

/** No sets, maps or other objects beside the chains. */
function holdsOnlyChains(listing: string): boolean {
  return !/^\t(?!chain |\t|\})\S/m.test(listing);
}

export function commandFailed(command: string, outcome: CommandOutcome): RulesError {
  const said = outcome.stderr.trim().split('\n').slice(0, 3).join(' ') || `exit status ${outcome.status}`;
  if (/Permission denied|you must be root|Operation not permitted/.test(said)) {
    return new RulesError('ERR_RULES_COMMAND', `${command}: ${said}: it needs CAP_NET_ADMIN (run as root)`);
  }
  return new RulesError('ERR_RULES_COMMAND', `${command}: ${said}`);
}
