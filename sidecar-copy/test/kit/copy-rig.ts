import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CopyOptions, type CopySummary, Lab, type LabProcess, Nginx, TrafficCopy } from '@trafficcopy/lab';

const STAND_IN = fileURLToPath(new URL('./intercept-stand-in.js', import.meta.url));

export const ONLINE_PORT = 80;
export const TARGET_PORT = 8080;

export interface RigOptions {
  readonly tls?: boolean | undefined;
  /** Octets that the target's window is open after each segment. */
  readonly windowBytes?: number | undefined;
  /** Start the stand-in later, by {@link CopyRig.startIntercept}. */
  readonly withoutIntercept?: boolean | undefined;
}

/** nginx on `online`, a stand-in for intercept and target on `target`: for tests of the copy alone on a real kernel. */
export class CopyRig {
  readonly lab: Lab;
  readonly online: Nginx;
  private readonly options: RigOptions;
  private readonly recordFile: string;
  private intercept: LabProcess | undefined;
  private token: string | undefined;

  private constructor(lab: Lab, online: Nginx, options: RigOptions) {
    this.lab = lab;
    this.online = online;
    this.options = options;
    this.recordFile = join(lab.directory, 'streams.json');
  }

  static async with<T>(options: RigOptions, work: (rig: CopyRig) => Promise<T>): Promise<T> {
    return Lab.with({}, async (lab) => {
      const rig = new CopyRig(lab, await Nginx.start(lab.online, { port: ONLINE_PORT }), options);
      if (options.withoutIntercept !== true) await rig.startIntercept();
      return work(rig);
    });
  }

  async startIntercept(): Promise<void> {
    const tls = this.options.tls === true ? ['--tls', join(this.lab.directory, 'authority')] : [];
    const window = this.options.windowBytes === undefined ? [] : ['--window', String(this.options.windowBytes)];
    const args = [STAND_IN, '--record', this.recordFile, ...tls, ...window];
    this.intercept = await this.lab.target.start('intercept', process.execPath, args);
    const [line] = await this.intercept.waitForLine(/^ready.*/);
    this.token = line.split(' ')[1];
  }

  /** The word for --join that the stand-in gave out. */
  get joinWord(): string {
    return this.token ?? 'insecure';
  }

  startCopy(options: Partial<CopyOptions> = {}): Promise<TrafficCopy> {
    return TrafficCopy.copy(this.lab.online, {
      map: `${ONLINE_PORT}-${this.lab.target.ipv4}:${TARGET_PORT}`,
      join: this.joinWord,
      ...options,
    });
  }

  /** Ends the stand-in; what arrived by client, `ADDRESS PORT`, one text for each connection. */
  async stopIntercept(signal: NodeJS.Signals = 'SIGTERM'): Promise<Map<string, string[]>> {
    await this.intercept?.stop(signal);
    if (signal !== 'SIGTERM') return new Map();
    const streams = JSON.parse(readFileSync(this.recordFile, 'utf8')) as Record<string, string[]>;
    return new Map(
      Object.entries(streams).map(([client, parts]) => [
        client,
        parts.map((hex) => Buffer.from(hex, 'hex').toString()),
      ]),
    );
  }

  /** Requests over one connection from a host, then its end. */
  async request(uris: readonly string[], host: 'client' | 'online' = 'client', address?: string): Promise<void> {
    const base = `http://${address ?? this.lab.online.ipv4}:${ONLINE_PORT}`;
    await this.lab.host(host).expect('curl', ['-sf', '-m', '20', '-o', '/dev/null', ...outputs(uris, base)]);
  }
}

function outputs(uris: readonly string[], base: string): string[] {
  return uris.flatMap((uri, index) => [...(index === 0 ? [] : ['-o', '/dev/null']), `${base}${uri}`]);
}

/** The summary of a copy that has ended in order. */
export async function endOf(copy: TrafficCopy): Promise<CopySummary> {
  return (await copy.stop()) as unknown as CopySummary;
}

/** The request lines of a stream. */
export function requestLines(stream: string): string[] {
  return [...stream.matchAll(/^GET (\S+) HTTP/gm)].map((match) => match[1]!);
}
