import { fileURLToPath } from 'node:url';
import type { LabHost, LabProcess } from '../../../src/index.js';
import { type CVersion, cVersionOf } from './c-tcpcopy.js';
import { type CopyLab, TARGET_PORT } from './copy-lab.js';

const STAND_IN = fileURLToPath(new URL('./c-programs/intercept.js', import.meta.url));
const CHANNEL_PORT = 36_524;
const QUEUE_RULE = ['OUTPUT', '-p', 'tcp', '--sport', String(TARGET_PORT), '-j', 'NFQUEUE', '--queue-num', '0'];

export interface RunningCIntercept {
  readonly process: LabProcess;
  /** Where copies connect to. */
  readonly address: string;
  /** Ends it, and takes away what leads responses to it. */
  stop(): Promise<void>;
}

/** An intercept that is none of ours: that of INTERCEPT_BIN, or a stand-in for one. */
export class CIntercept {
  readonly name: string;
  readonly version: CVersion;
  /** Hosts that a lab needs for it. */
  readonly extraHosts: readonly string[];
  readonly #binary: string | undefined;

  private constructor(name: string, version: CVersion, binary?: string, isRouted = false) {
    this.name = name;
    this.version = version;
    this.#binary = binary;
    this.extraHosts = isRouted ? ['assistant'] : [];
  }

  /** Stand-ins of both versions, and the real one that the environment names. */
  static async all(): Promise<CIntercept[]> {
    const all = (['0.9', '1.x'] as const).map(
      (version) => new CIntercept(`a stand-in for intercept ${version}`, version),
    );
    const binary = process.env['INTERCEPT_BIN'];
    if (binary === undefined) return all;
    const version = await cVersionOf(binary);
    const isOld = version.startsWith('0.');
    return [...all, new CIntercept(`intercept ${version} in C`, isOld ? '0.9' : '1.x', binary, !isOld)];
  }

  /** Starts it as its users do: a rule for a queue on the target, or for 1.x a route to another host. */
  async start({ lab, client, target }: CopyLab): Promise<RunningCIntercept> {
    const isRouted = this.extraHosts.length > 0;
    const host: LabHost = isRouted ? lab.host('assistant') : target;
    const [add, remove] = isRouted
      ? (['add', 'del'] as const).map((verb) => ['ip', 'route', verb, `${client.ipv4}/32`, 'via', host.ipv4])
      : (['-I', '-D'] as const).map((verb) => ['iptables', verb, ...QUEUE_RULE]);
    await target.expect(add![0]!, add!.slice(1));
    const log = ['-l', `${host.directory}/intercept-c.log`];
    const capture = isRouted ? ['-i', 'eth0', '-F', `tcp and src port ${TARGET_PORT}`] : [];
    const started =
      this.#binary === undefined
        ? await host.start('intercept-c', process.execPath, [STAND_IN, this.version])
        : await host.start('intercept-c', this.#binary, [...log, ...capture]);
    await host.listening(CHANNEL_PORT, 10_000, started);
    return {
      process: started,
      address: host.ipv4,
      stop: async () => {
        await started.stop();
        await target.expect(remove![0]!, remove!.slice(1));
      },
    };
  }
}
