import { fileURLToPath } from 'node:url';
import { type LabHost, type LabProcess, runCommand } from '../../../src/index.js';

const STAND_IN = fileURLToPath(new URL('./c-programs/tcpcopy.js', import.meta.url));
const CHANNEL_PORT = 36_524;

export type CVersion = '0.9' | '1.x';

export interface CTcpcopyOptions {
  /** As of tcpcopy: `80-10.0.0.3:8080`. */
  readonly map: string;
  readonly intercept: string;
  readonly name?: string;
  /** Of the stand-in only. */
  readonly flags?: readonly string[];
}

/** A tcpcopy that is none of ours: that of TCPCOPY_BIN, or a stand-in for one. */
export class CTcpcopy {
  readonly name: string;
  readonly version: CVersion;
  readonly #command: readonly string[];

  private constructor(name: string, version: CVersion, command: readonly string[]) {
    this.name = name;
    this.version = version;
    this.#command = command;
  }

  static standIn(version: CVersion): CTcpcopy {
    return new CTcpcopy(`a stand-in for tcpcopy ${version}`, version, [process.execPath, STAND_IN, version]);
  }

  /** Stand-ins of both versions, and the real one that the environment names. */
  static async all(): Promise<CTcpcopy[]> {
    const all = [CTcpcopy.standIn('0.9'), CTcpcopy.standIn('1.x')];
    const binary = process.env['TCPCOPY_BIN'];
    if (binary === undefined) return all;
    const version = await cVersionOf(binary);
    return [...all, new CTcpcopy(`tcpcopy ${version} in C`, version.startsWith('0.') ? '0.9' : '1.x', [binary])];
  }

  /** Starts it and waits until its tunnels are there. */
  async start(host: LabHost, { map, intercept, name = 'tcpcopy-c', flags = [] }: CTcpcopyOptions): Promise<LabProcess> {
    const [command, ...words] = this.#command as [string, ...string[]];
    const isReal = words.length === 0;
    // 0.9.6 dials the target itself, and has no -s.
    const where = isReal && this.version === '0.9' ? [] : ['-s', intercept];
    const log = isReal ? ['-l', `${host.directory}/${name}.log`] : flags;
    const started = await host.start(name, command, [...words, '-x', map, ...where, ...log]);
    if (isReal) await host.established(CHANNEL_PORT, 10_000);
    else await started.waitForLine(/^copying$/);
    return started;
  }
}

/** What a C program says of itself; -v ends with a status of its own. */
export async function cVersionOf(binary: string): Promise<string> {
  const { stdout, stderr } = await runCommand(binary, ['-v']);
  const version = /(\d+\.\d+(?:\.\d+)?)/.exec(stdout + stderr)?.[1];
  if (version === undefined) throw new Error(`${binary} -v does not tell its version: ${stdout}${stderr}`);
  return version;
}
