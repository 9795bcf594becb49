/**
 * The iptables commands of one variant and IP family in one namespace. Every change is one `iptables-restore --noflush`
 * transaction: all of it happens or nothing, and nobody else's rules are read or written by it.
 */
import type { MangleRule } from './mangle-rules.js';
import type { CommandOutcome, NamespaceAccess } from './namespace-access.js';
import { RulesError } from './rules-error.js';
import { type OwnedRule, parseSavedRules, type SavedRules } from './saved-rules.js';

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

  /** Reads the mangle table; makes nothing. */
  async save(): Promise<SavedRules> {
    const outcome = await this.#run(`${this.#command}-save`, ['-t', 'mangle']);
    // nft's save says 0 and nothing where no table is; legacy's fails where the kernel has no such table.
    return parseSavedRules(outcome.status === 0 ? outcome.stdout : '');
  }

  /** Removes `remove` and puts `insert` at the heads of their chains, in their order, in one step. */
  async replace(remove: readonly OwnedRule[], insert: readonly MangleRule[]): Promise<CommandOutcome> {
    const positions = new Map<string, number>();
    const lines = insert.map(({ chain, spec }) => {
      const position = (positions.get(chain) ?? 0) + 1;
      positions.set(chain, position);
      return `-I ${chain} ${position} ${spec}`;
    });
    const text = ['*mangle', ...remove.map((rule) => `-D ${rule.text}`), ...lines, 'COMMIT', ''].join('\n');
    return this.#run(`${this.#command}-restore`, ['--noflush', ...LOCK_WAIT], text);
  }

  /** As {@link replace}. @throws RulesError when it fails. */
  async replaceOrThrow(remove: readonly OwnedRule[], insert: readonly MangleRule[]): Promise<void> {
    const outcome = await this.replace(remove, insert);
    if (outcome.status !== 0) throw commandFailed(`${this.#command}-restore`, outcome);
  }

  /**
   * Removes the mangle table that nft made for our rules, when nothing is in it. A chain that got a rule in between refuses to go
   * (EBUSY), and the whole transaction with it. Without the nft command the empty table stays; it does nothing.
   */
  async removeEmptyTable(): Promise<void> {
    if (this.kind !== 'nft') return;
    const table = `${this.family === 4 ? 'ip' : 'ip6'} mangle`;
    const listing = await this.#access.run('nft', ['list', 'table', ...table.split(' ')]);
    if (listing === undefined || listing.status !== 0) return;
    const chains = emptyChains(listing.stdout);
    if (chains === undefined) return;
    const lines = [...chains.map((chain) => `delete chain ${table} ${chain}`), `delete table ${table}`, ''];
    await this.#access.run('nft', ['-f', '-'], lines.join('\n'));
  }

  async #run(command: string, args: readonly string[], input?: string): Promise<CommandOutcome> {
    const outcome = await this.#access.run(command, args, input);
    if (outcome === undefined) {
      throw new RulesError('ERR_RULES_UNSUPPORTED', `${command} is not installed (package iptables)`);
    }
    return outcome;
  }
}

/**
 * Names of the chains of a table in nft's listing when it holds nothing but empty built-in chains that accept; undefined
 * when it holds anything else.
 */
function emptyChains(listing: string): string[] | undefined {
  const chains: string[] = [];
  for (const line of listing.split('\n').map((text) => text.trim())) {
    if (line === '' || line === '}' || line.startsWith('#') || /^table ip6? mangle \{$/.test(line)) continue;
    const chain = /^chain (PREROUTING|INPUT|FORWARD|OUTPUT|POSTROUTING) \{$/.exec(line)?.[1];
    if (chain !== undefined) chains.push(chain);
    else if (!/^type (filter|route) hook \w+ priority [\w -]+; policy accept;$/.test(line)) return undefined;
  }
  return chains;
}

export function commandFailed(command: string, outcome: CommandOutcome): RulesError {
  const said = outcome.stderr.trim().split('\n').slice(0, 3).join(' ') || `exit status ${outcome.status}`;
  if (/Permission denied|you must be root|Operation not permitted/.test(said)) {
    return new RulesError('ERR_RULES_COMMAND', `${command}: ${said}: it needs CAP_NET_ADMIN (run as root)`);
  }
  return new RulesError('ERR_RULES_COMMAND', `${command}: ${said}`);
}
