import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabHost } from '../lab-host.js';
import type { LabProcess } from '../lab-process.js';

/** A question that a server was asked. */
export interface DnsQuery {
  readonly name: string;
  /** "ADDRESS/PORT" of who asked. */
  readonly from: string;
}

/** dnsmasq of the system: answers every name below `test`, and writes down each question. */
export class Dnsmasq {
  readonly process: LabProcess;
  readonly #logFile: string;

  private constructor(process: LabProcess, logFile: string) {
    this.process = process;
    this.#logFile = logFile;
  }

  static async start(host: LabHost, port: number): Promise<Dnsmasq> {
    const directory = join(host.directory, `dnsmasq-${port}`);
    mkdirSync(directory, { recursive: true });
    const logFile = join(directory, 'queries.log');
    const process = await host.start('dnsmasq', 'dnsmasq', [
      ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--user=root', '--pid-file='],
      ...[`--port=${port}`, '--address=/test/192.0.2.1', '--address=/test/2001:db8::1', '--cache-size=0'],
      ...['--log-queries=extra', `--log-facility=${logFile}`, '--log-async=0'],
    ]);
    await host.listening(port, 20_000, process);
    return new Dnsmasq(process, logFile);
  }

  /** Questions so far, in their order. */
  queries(): DnsQuery[] {
    const log = existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
    return [...log.matchAll(/ (\S+\/\d+) query\[\w+\] (\S+) from /g)].map(([, from = '', name = '']) => ({
      name,
      from,
    }));
  }
}
