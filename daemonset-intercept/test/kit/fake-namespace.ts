import type { CommandOutcome, NamespaceAccess } from '../../src/rules/namespace-access.js';

const DONE: CommandOutcome = { status: 0, stdout: '', stderr: '' };

/** A network namespace in memory: one kind of iptables, settings, policy rules, bound queues. */
export class FakeNamespace implements NamespaceAccess {
  readonly files = new Map<string, string>([
    ['/proc/sys/net/ipv4/tcp_fwmark_accept', '0\n'],
    ['/proc/sys/net/ipv4/fwmark_reflect', '0\n'],
    ['/proc/sys/net/ipv6/fwmark_reflect', '0\n'],
  ]);
  readonly boundQueues = new Set<number>();
  /** Rules of the mangle table by family, as iptables-save prints them behind `-A `. */
  readonly rules: Record<4 | 6, string[]> = { 4: [], 6: [] };
  /** The same of the raw table. */
  readonly rawRules: Record<4 | 6, string[]> = { 4: [], 6: [] };
  /** What changed, in order: "restore 4", "write …", "ip …". */
  readonly changes: string[] = [];
  defaultRoute = 'default via 10.0.0.1';
  hasStringMatch = true;
  hasIptables = true;
  hasRawTable = true;
  /** Whether it counts what becomes of its rules; a kernel with legacy's does not. */
  hasGenerations = false;
  readonly #generations: string[] = [];
  /** Commands that read rules, in order. */
  readonly saves: string[] = [];
  /** A command that matches fails. */
  failing: RegExp | undefined;

  async identify(): Promise<string> {
    return '4026531840';
  }

  rulesetGeneration(): number | undefined {
    if (!this.hasGenerations) return undefined;
    const now = JSON.stringify([this.rules, this.rawRules]);
    if (this.#generations.at(-1) !== now) this.#generations.push(now);
    return this.#generations.length;
  }

  async read(path: string): Promise<string | undefined> {
    if (path !== '/proc/net/netfilter/nfnetlink_queue') return this.files.get(path);
    return [...this.boundQueues].map((queue) => `${queue}   4242     0 2   128     0     0        0  1\n`).join('');
  }

  async write(path: string, value: string): Promise<void> {
    if (this.failing?.test(`write ${path}`)) throw new Error(`cannot write ${path}`);
    this.changes.push(`write ${path} ${value}`);
    this.files.set(path, `${value}\n`);
  }

  async run(command: string, args: readonly string[], input = ''): Promise<CommandOutcome | undefined> {
    const line = [command, ...args].join(' ');
    if (this.failing?.test(line)) return { status: 1, stdout: '', stderr: 'made to fail' };
    const family = command.startsWith('ip6tables') ? 6 : 4;
    if (/^ip6?tables$/.test(command)) {
      return this.hasIptables ? { ...DONE, stdout: 'iptables v1.8.9 (nf_tables)\n' } : undefined;
    }
    if (/^ip6?tables-save$/.test(command)) {
      this.saves.push(command);
      return { ...DONE, stdout: this.#save(family) };
    }
    if (/^ip6?tables-restore$/.test(command)) return this.#restore(family, input);
    if (command === 'ip') return this.#ip(args);
    return command === 'nft' ? { status: 1, stdout: '', stderr: 'no such table' } : undefined;
  }

  #save(family: 4 | 6): string {
    const tables = [
      ['raw', this.rawRules[family]],
      ['mangle', this.rules[family]],
    ] as const;
    return tables
      .filter(([, rules]) => rules.length > 0)
      .map(
        ([table, rules]) => `*${table}\n:OUTPUT ACCEPT [0:0]\n${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`,
      )
      .join('');
  }

  /** All of it or nothing, as iptables does. */
  #restore(family: 4 | 6, input: string): CommandOutcome {
    if (!this.hasStringMatch && input.includes('-m string'))
      return { status: 2, stdout: '', stderr: 'no string match' };
    const isRaw = input.startsWith('*raw\n');
    if (isRaw && !this.hasRawTable) return { status: 2, stdout: '', stderr: 'no raw table' };
    const tables = isRaw ? this.rawRules : this.rules;
    const rules = [...tables[family]];
    for (const line of input.split('\n')) {
      const insert = /^-I (\S+) (\d+) (.*)$/.exec(line);
      if (insert !== null) {
        const [, chain, position, spec] = insert;
        const ofChain = rules.filter((rule) => rule.startsWith(`${chain} `));
        const next = ofChain[Number(position) - 1];
        rules.splice(next === undefined ? rules.length : rules.indexOf(next), 0, `${chain} ${spec}`);
      } else if (line.startsWith('-D ')) {
        const at = rules.indexOf(line.slice(3));
        if (at < 0) return { status: 1, stdout: '', stderr: 'Bad rule (does a matching rule exist in that chain?)' };
        rules.splice(at, 1);
      }
    }
    tables[family] = rules;
    this.changes.push(`restore ${family}`);
    return DONE;
  }

  readonly policyRules: string[] = [];

  #ip(args: readonly string[]): CommandOutcome {
    const [family, object, verb, ...rest] = args;
    const words = rest.join(' ');
    if (object === 'route' && verb === 'show') return { ...DONE, stdout: this.defaultRoute };
    if (object === 'rule' && verb === 'show') {
      const shown = this.policyRules.filter((rule) => rule.startsWith(`${family} `) && rule.includes(words));
      return { ...DONE, stdout: shown.join('\n') };
    }
    this.changes.push(`ip ${args.join(' ')}`);
    if (object === 'rule' && verb === 'add') this.policyRules.push(`${family} ${words}`);
    if (object === 'rule' && verb === 'del') {
      const at = this.policyRules.indexOf(`${family} ${words}`);
      if (at < 0) return { status: 2, stdout: '', stderr: 'RTNETLINK answers: No such file or directory' };
      this.policyRules.splice(at, 1);
    }
    return DONE;
  }

  /** Everything that can be compared before and after. */
  state(): unknown {
    return structuredClone({
      files: [...this.files],
      rules: this.rules,
      rawRules: this.rawRules,
      policyRules: this.policyRules,
    });
  }
}
