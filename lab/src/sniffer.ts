import { join } from 'node:path';
import { expectCommand } from './command.js';
import { LabError } from './lab-error.js';
import type { LabHost } from './lab-host.js';
import type { LabProcess } from './lab-process.js';

let serial = 0;

/** tcpdump on one device, into a file. Not promiscuous: it sees what the host itself receives and sends. */
export class Sniffer {
  readonly file: string;
  readonly process: LabProcess;

  private constructor(file: string, process: LabProcess) {
    this.file = file;
    this.process = process;
  }

  /** Returns once the kernel hands packets to tcpdump. `filter` is a libpcap expression. */
  static async start(host: LabHost, filter: string, device: string): Promise<Sniffer> {
    serial += 1;
    const file = join(host.directory, `sniffed-${serial}.pcap`);
    const process = await host.start(`sniffer-${serial}`, 'tcpdump', [
      ...['-p', '-n', '-i', device, '-s', '0', '-B', '16384', '-U', '--immediate-mode', '-Z', 'root', '-w', file],
      filter,
    ]);
    await process.waitForLine(/listening on/);
    return new Sniffer(file, process);
  }

  /** Ends the capture and returns how many packets it took. Throws when the kernel dropped some: then it proves nothing. */
  async stop(): Promise<number> {
    if (this.process.isRunning) await this.process.stop('SIGINT');
    const [, dropped] = await this.process.waitForLine(/(\d+) packets? dropped by kernel/);
    if (Number(dropped) > 0) {
      throw new LabError(
        'ERR_LAB_PROCESS',
        `${this.process.name}: the kernel dropped ${dropped} packets before tcpdump saw them`,
      );
    }
    const [, captured] = await this.process.waitForLine(/(\d+) packets? captured/);
    return Number(captured);
  }

  /** The packets, one line each, for messages; at most `countMax`. */
  async packets(countMax = 20): Promise<string> {
    return expectCommand('tcpdump', ['-n', '-r', this.file, '-c', String(countMax)]);
  }
}
