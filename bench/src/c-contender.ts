import { setTimeout as delay } from 'node:timers/promises';
import { type Lab, runCommand } from '@trafficcopy/lab';
import type { Contender, RunningContender } from './contender.js';

/** C programs tell nobody when they have copied everything: they are given this long. */
const SETTLE_MS = 3_000;

/**
 * tcpcopy and intercept in C, named by TCPCOPY_BIN and INTERCEPT_BIN. Version 0.9 takes responses from an NFQUEUE on the target; 1.x has them
 * routed to an assistant host, where intercept captures them.
 */
export class CContender implements Contender {
  readonly name: string;
  readonly onlyWorkload = undefined;
  readonly extraHosts: readonly string[];
  readonly #copyBinary: string;
  readonly #interceptBinary: string;
  readonly #isRouted: boolean;

  private constructor(version: string, copyBinary: string, interceptBinary: string) {
    this.#isRouted = !version.startsWith('0.');
    this.name = `tcpcopy ${version} in C, ${this.#isRouted ? 'routed' : 'NFQUEUE'}`;
    this.extraHosts = this.#isRouted ? ['assistant'] : [];
    this.#copyBinary = copyBinary;
    this.#interceptBinary = interceptBinary;
  }

  /** Undefined when the environment names none. */
  static async fromEnvironment(env: NodeJS.ProcessEnv): Promise<CContender | undefined> {
    const { TCPCOPY_BIN: copyBinary, INTERCEPT_BIN: interceptBinary } = env as Record<string, string | undefined>;
    if (copyBinary === undefined && interceptBinary === undefined) return undefined;
    if (copyBinary === undefined || interceptBinary === undefined) {
      throw new Error('TCPCOPY_BIN and INTERCEPT_BIN are a pair: set both, or none');
    }
    // -v prints the version and ends with a status of its own.
    const { stdout, stderr } = await runCommand(copyBinary, ['-v']);
    const version = /(\d+\.\d+(?:\.\d+)?)/.exec(stdout + stderr)?.[1];
    if (version === undefined) throw new Error(`${copyBinary} -v does not tell its version: ${stdout}${stderr}`);
    return new CContender(version, copyBinary, interceptBinary);
  }

  async start(lab: Lab, ports: { readonly online: number; readonly target: number }): Promise<RunningContender> {
    const interceptHost = this.#isRouted ? lab.host('assistant') : lab.target;
    const log = (host: string, name: string): string => `${lab.host(host).directory}/${name}.log`;
    const interceptFlags = ['-l', log(interceptHost.name, 'intercept')];
    if (this.#isRouted) {
      await lab.target.expect('ip', ['route', 'add', `${lab.client.ipv4}/32`, 'via', interceptHost.ipv4]);
      interceptFlags.push('-i', 'eth0', '-F', `tcp and src port ${ports.target}`);
    } else {
      await lab.target.expect('iptables', [
        '-I',
        'OUTPUT',
        '-p',
        'tcp',
        '--sport',
        String(ports.target),
        '-j',
        'NFQUEUE',
      ]);
    }
    const intercept = await interceptHost.start('intercept-c', this.#interceptBinary, interceptFlags);
    await interceptHost.listening(36_524, 10_000, intercept);
    const copy = await lab.online.start('tcpcopy-c', this.#copyBinary, [
      ...['-x', `${ports.online}-${lab.target.ipv4}:${ports.target}`, '-l', log('online', 'tcpcopy')],
      ...(this.#isRouted ? ['-s', interceptHost.ipv4] : []),
    ]);
    // It captures once its tunnels to intercept are there.
    await lab.online.established(36_524, 10_000);
    return {
      copy,
      intercept,
      quiet: () => delay(SETTLE_MS),
      async stop() {
        await copy.stop();
        await intercept.stop();
      },
    };
  }
}
