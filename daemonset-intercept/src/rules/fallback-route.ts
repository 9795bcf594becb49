/**
 * A route for answers that have none. The target's kernel answers a SYN only when it has a route to the client, although
 * the answer never leaves. Where the namespace has no default route, marked packets get one of their own, which is asked after all
 * others (preference 32768 is behind `main` and `default`) and leads to `lo`: the response passes OUTPUT, where the rule
 * takes it. Genuine traffic has no mark and sees no change.
 */
import { commandFailed } from './iptables.js';
import type { CommandOutcome, NamespaceAccess } from './namespace-access.js';
import { hex } from './own-rules.js';
import { RulesError } from './rules-error.js';
import type { WorkerSlot } from './worker-slot.js';

const PREFERENCE = '32768';
/** Of the loopback: 1 where net.ipv6.conf.all.disable_ipv6 was set. The kernel takes no route over it then. */
const LOOPBACK_DISABLED_V6 = '/proc/sys/net/ipv6/conf/lo/disable_ipv6';

export class FallbackRoute {
  readonly #access: NamespaceAccess;
  readonly #family: string;

  constructor(access: NamespaceAccess, family: 4 | 6) {
    this.#access = access;
    this.#family = `-${family}`;
  }

  /** Whether it is missing: no default route, and no rule for the mark of the slot yet. Without IPv6 there is none to make. */
  async isNeeded(slot: WorkerSlot): Promise<boolean> {
    if (this.#family === '-6' && (await this.#access.read(LOOPBACK_DISABLED_V6))?.trim() === '1') return false;
    const routes = await this.#ip('route', 'show', 'default');
    if (routes.status !== 0 || routes.stdout.trim() !== '') return false;
    const rules = await this.#ip('rule', 'show', 'fwmark', hex(slot.mark));
    return rules.status === 0 && rules.stdout.trim() === '';
  }

  async add(slot: WorkerSlot): Promise<void> {
    await this.#change('route', 'replace', 'default', 'dev', 'lo', 'table', String(slot.routeTable));
    await this.#change('rule', 'add', ...ruleOf(slot));
  }

  /** Removes what {@link add} made; what is gone already is no error. */
  async remove(slot: WorkerSlot): Promise<void> {
    await this.#ip('rule', 'del', ...ruleOf(slot));
    await this.#ip('route', 'del', 'default', 'dev', 'lo', 'table', String(slot.routeTable));
  }

  async #change(...args: string[]): Promise<void> {
    const outcome = await this.#ip(...args);
    if (outcome.status !== 0) throw commandFailed(`ip ${this.#family} ${args.join(' ')}`, outcome);
  }

  async #ip(...args: string[]): Promise<CommandOutcome> {
    const outcome = await this.#access.run('ip', [this.#family, ...args]);
    if (outcome === undefined) throw new RulesError('ERR_RULES_UNSUPPORTED', 'ip is not installed (package iproute2)');
    return outcome;
  }
}

function ruleOf(slot: WorkerSlot): string[] {
  return ['pref', PREFERENCE, 'fwmark', hex(slot.mark), 'lookup', String(slot.routeTable)];
}
