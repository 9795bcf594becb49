import assert from 'node:assert/strict';
import {
  type CopyOptions,
  type CopySummary,
  type InterceptOptions,
  Lab,
  type LabHost,
  type LabOptions,
  type LoadReport,
  type Sniffer,
  TrafficCopy,
} from '../../../src/index.js';

export const ONLINE_PORT = 80;
export const TARGET_PORT = 8080;

export interface CopyLabOptions {
  readonly delivery?: 'tunnel' | 'direct' | undefined;
  readonly family?: 4 | 6 | undefined;
  readonly lab?: LabOptions | undefined;
  readonly onlinePort?: number | undefined;
  readonly targetPort?: number | undefined;
  /** Replaces the mapping of the two ports. */
  readonly map?: string | undefined;
  readonly copyFlags?: readonly string[] | undefined;
  readonly interceptFlags?: readonly string[] | undefined;
  /** Datagrams are copied: nothing of UDP and ICMP may leave the target. */
  readonly udp?: boolean | undefined;
  /** What the target may send to the client: a libpcap expression. Default: nothing. */
  readonly allowed?: string | undefined;
}

/**
 * A copy that has fallen behind still has to work off what its capture buffer and the channel hold, and then what a lost segment of a
 * session takes with a timeout that has learnt from that lag. It ends sooner where nothing waits.
 */
const SETTLE_TIMEOUT_MS = 60_000;

/** Of the target's: all but neighbour discovery. What comes in has other addresses. */
const DATAGRAMS_OUT = '((udp or icmp or (icmp6 and ip6[40] < 128)) and (src net 10.77.0.0/24 or src net fd77::/64))';

const SYSCTLS = [
  'net.ipv4.tcp_fwmark_accept',
  'net.ipv4.fwmark_reflect',
  'net.ipv6.fwmark_reflect',
  'net.ipv4.ip_forward',
  'net.ipv4.conf.all.rp_filter',
];

/**
 * A lab for one test: servers are started by the test, then the copy by `start()`, and `finish()` closes the account. From start
 * to finish sniffers listen at the client and on the target's outer interface; nothing may come there that was not allowed, and
 * the target's namespace must be found again as it was.
 */
export class CopyLab {
  readonly lab: Lab;
  readonly options: CopyLabOptions;
  readonly family: 4 | 6;
  readonly delivery: 'tunnel' | 'direct';
  #copy: TrafficCopy | undefined;
  #intercept: TrafficCopy | undefined;
  #sniffers: Sniffer[] = [];
  #namespaceBefore: unknown;

  private constructor(lab: Lab, options: CopyLabOptions) {
    this.lab = lab;
    this.options = options;
    this.family = options.family ?? 4;
    this.delivery = options.delivery ?? 'tunnel';
  }

  static with<T>(options: CopyLabOptions, work: (copyLab: CopyLab) => Promise<T>): Promise<T> {
    return Lab.with(options.lab ?? {}, (lab) => work(new CopyLab(lab, options)));
  }

  get client(): LabHost {
    return this.lab.client;
  }

  get online(): LabHost {
    return this.lab.online;
  }

  get target(): LabHost {
    return this.lab.target;
  }

  get copy(): TrafficCopy {
    assert.ok(this.#copy !== undefined, 'the copy was not started');
    return this.#copy;
  }

  get intercept(): TrafficCopy {
    assert.ok(this.#intercept !== undefined, 'intercept was not started');
    return this.#intercept;
  }

  /** "ADDRESS:PORT" of the target, IPv6 in brackets. */
  targetEndpoint(port: number): string {
    const address = this.target.address(this.family);
    return this.family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
  }

  /** Begins to listen for leaks, and starts intercept and copy with mutual TLS. */
  async start(): Promise<void> {
    await this.listenForLeaks();
    await this.startIntercept();
    await this.startCopy();
  }

  async listenForLeaks(): Promise<void> {
    const { targetPort = TARGET_PORT, allowed, udp = false } = this.options;
    const except = allowed === undefined ? '' : ` and not (${allowed})`;
    this.#namespaceBefore = await namespaceState(this.target);
    this.#sniffers = await Promise.all([
      this.client.sniff(
        `(src host ${this.target.ipv4} or src host ${this.target.ipv6}) and not arp and not icmp6${except}`,
      ),
      this.target.sniff(`${udp ? DATAGRAMS_OUT : `(tcp src port ${targetPort})`}${except}`),
    ]);
  }

  async startIntercept(options: InterceptOptions = {}): Promise<TrafficCopy> {
    const flags = [...(this.options.interceptFlags ?? []), ...(options.flags ?? [])];
    this.#intercept = await TrafficCopy.intercept(this.target, { ...options, flags });
    return this.#intercept;
  }

  async startCopy(options: Partial<CopyOptions> = {}): Promise<TrafficCopy> {
    const { onlinePort = ONLINE_PORT, targetPort = TARGET_PORT } = this.options;
    const flags = [...(this.options.copyFlags ?? []), ...(options.flags ?? [])];
    const join = 'join' in options ? options.join : await this.intercept.joinToken();
    this.#copy = await TrafficCopy.copy(this.online, {
      map: this.options.map ?? `${onlinePort}-${this.targetEndpoint(targetPort)}`,
      delivery: this.delivery,
      ...options,
      join,
      flags,
    });
    return this.#copy;
  }

  /** Runs a load generator at the client against online, and expects that its clients notice nothing. */
  async load(settings: Readonly<Record<string, string | number | boolean>>): Promise<LoadReport> {
    const { onlinePort = ONLINE_PORT } = this.options;
    const generator = await this.client.program('load-generator', {
      host: this.online.address(this.family),
      port: onlinePort,
      ...settings,
    });
    const report = await generator.ask<LoadReport>('run', undefined, 120_000);
    await generator.stop();
    assert.deepEqual(report.errors, {}, 'the clients of online met errors');
    assert.equal(report.responses, report.requests, 'online answered every request');
    return report;
  }

  /**
   * Waits until all is delivered and every session has ended (the clients have closed), ends copy and intercept, and expects that nothing
   * leaked and nothing was left behind. `mayStayOpen`: the capture has missed ends of connections, so there may be sessions without an end.
   */
  async finish({ mayStayOpen = false, status = 0 } = {}): Promise<CopySummary> {
    await this.copy.quiet(SETTLE_TIMEOUT_MS);
    if (!mayStayOpen) await this.copy.idle(SETTLE_TIMEOUT_MS);
    const summary = (await this.copy.stop('SIGTERM', { status })) as unknown as CopySummary;
    await this.intercept.stop();
    await this.expectNoLeaks();
    return summary;
  }

  /** Ends the sniffers and expects that they saw nothing; intercept must have ended. */
  async expectNoLeaks(): Promise<void> {
    const [atClient, atTarget] = this.#sniffers;
    for (const [where, sniffer] of [
      ['at the client', atClient],
      ["on the target's outer interface", atTarget],
    ] as const) {
      assert.ok(sniffer !== undefined, 'nobody listened');
      const count = await sniffer.stop();
      assert.equal(count, 0, `${count} packets of the target ${where}:\n${count > 0 ? await sniffer.packets() : ''}`);
    }
    assert.deepEqual(
      await namespaceState(this.target),
      this.#namespaceBefore,
      'rules and settings are as they were found',
    );
  }
}

/** Rules and settings that intercept touches. */
async function namespaceState(host: LabHost): Promise<unknown> {
  const rules = [];
  for (const command of ['iptables-save', 'ip6tables-save', 'iptables-legacy-save', 'ip6tables-legacy-save']) {
    const { stdout } = await host.run('sh', [
      '-c',
      `command -v ${command} >/dev/null && ${command} 2>/dev/null || true`,
    ]);
    rules.push(...stdout.split('\n').filter((line) => line.startsWith('-A')));
  }
  const routes = await host.expect('sh', ['-c', 'ip route show table all; ip -6 route show table all']);
  const { stdout: sysctls } = await host.run('sysctl', ['-e', ...SYSCTLS]);
  return { rules, routes: routes.split('\n').sort(), sysctls };
}
