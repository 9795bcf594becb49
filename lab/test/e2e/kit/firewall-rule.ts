import type { LabHost } from '../../../src/index.js';

export interface FirewallRulePlan {
  /** Default: raw, which sees every packet before anything else does. */
  readonly table?: 'raw' | 'mangle' | 'filter' | undefined;
  readonly chain: 'PREROUTING' | 'INPUT' | 'OUTPUT';
  /** Which packets, as iptables takes it: "-p tcp --dport 80". */
  readonly match: string;
  /** What becomes of them. Default: they are dropped. */
  readonly verdict?: string | undefined;
  /** Only this share of them, at random. */
  readonly probability?: number | undefined;
}

/** A rule of iptables in a host of a lab: loses or refuses packets as long as it is there. */
export class FirewallRule {
  readonly #host: LabHost;
  readonly #table: string;
  readonly #chain: string;
  readonly #words: readonly string[];

  constructor(host: LabHost, plan: FirewallRulePlan) {
    this.#host = host;
    this.#table = plan.table ?? 'raw';
    this.#chain = plan.chain;
    this.#words = [
      ...plan.match.split(' '),
      ...(plan.probability === undefined
        ? []
        : ['-m', 'statistic', '--mode', 'random', '--probability', String(plan.probability)]),
      ...['-j', ...(plan.verdict ?? 'DROP').split(' ')],
    ];
  }

  static async insert(host: LabHost, plan: FirewallRulePlan): Promise<FirewallRule> {
    const rule = new FirewallRule(host, plan);
    await rule.insert();
    return rule;
  }

  async insert(): Promise<void> {
    await this.#iptables('-I');
  }

  async remove(): Promise<void> {
    await this.#iptables('-D');
  }

  /** Packets that it has taken; of all rules in its chain, so have one in it. */
  async packets(): Promise<number> {
    const list = await this.#host.expect('iptables', ['-w', '-t', this.#table, '-nvxL', this.#chain]);
    return list
      .split('\n')
      .slice(2)
      .reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[0] ?? 0), 0);
  }

  #iptables(command: '-I' | '-D'): Promise<string> {
    return this.#host.expect('iptables', ['-w', '-t', this.#table, command, this.#chain, ...this.#words]);
  }
}
