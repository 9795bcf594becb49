import { join } from 'node:path';
import { expectCommand } from './command.js';
import { eventually } from './deadline.js';
import { LabError } from './lab-error.js';
import type { LabHost } from './lab-host.js';
import type { LabProcess } from './lab-process.js';

/** Octets of each packet that are kept when only headers are wanted. */
const HEADER_BYTES = 128;
const BUFFER_KIB = 65_536;
const FLUSH_TIMEOUT_MS = 10_000;

const STATISTICS = /(\d+) packets? captured, (\d+) packets? received by filter, (\d+) packets? dropped by kernel/;

let serial = 0;

export interface SnifferOptions {
  /** Default: the host's `eth0`. */
  readonly device?: string | undefined;
  /** Keep whole packets, to put streams together (default: headers). */
  readonly isWhole?: boolean | undefined;
}

/** tcpdump on one device, into a file. Not promiscuous: it sees what the host itself receives and sends. */
export class Sniffer {
  readonly file: string;
  readonly process: LabProcess;
  readonly #device: string;
  /** Packets that came before the filter was in place: the kernel counts them, tcpdump throws them away. */
  #unfiltered = 0;

  private constructor(file: string, process: LabProcess, device: string) {
    this.file = file;
    this.process = process;
    this.#device = device;
  }

  /** Returns once the kernel hands packets to tcpdump. `filter` is a libpcap expression. */
  static async start(host: LabHost, filter: string, options: SnifferOptions = {}): Promise<Sniffer> {
    serial += 1;
    const device = options.device ?? host.deviceName;
    const file = join(host.directory, `sniffed-${serial}.pcap`);
    // Slots of the immediate mode have the size of the longest packet: for headers only, so that the buffer holds many.
    const size = options.isWhole === true ? ['-s', '0'] : ['-s', String(HEADER_BYTES), '--immediate-mode'];
    const process = await host.start(`sniffer-${serial}`, 'tcpdump', [
      ...['-p', '-n', '-i', device, '-B', String(BUFFER_KIB), ...size, '-Z', 'root', '-w', file],
      filter,
    ]);
    await process.waitForLine(/listening on/);
    const sniffer = new Sniffer(file, process, device);
    sniffer.#unfiltered = await sniffer.#behind();
    return sniffer;
  }

  /** Ends the capture and returns how many packets it took. Throws when the kernel dropped some: then it proves nothing. */
  async stop(): Promise<number> {
    if (this.process.isRunning) {
      await this.#flush();
      await this.process.stop('SIGINT');
    }
    const [, dropped] = await this.process.waitForLine(/^(\d+) packets? dropped by kernel/);
    if (Number(dropped) > 0) {
      throw new LabError(
        'ERR_LAB_PROCESS',
        `${this.process.name}: the kernel dropped ${dropped} packets before tcpdump saw them`,
      );
    }
    const [, captured] = await this.process.waitForLine(/^(\d+) packets? captured/);
    return Number(captured);
  }

  /** The packets, one line each, for messages; at most `countMax`. */
  async packets(countMax = 20): Promise<string> {
    return expectCommand('tcpdump', ['-n', '-r', this.file, '-c', String(countMax)]);
  }

  /** tcpdump does not read on after it was told to end: waits until it has taken what the kernel counted. */
  async #flush(): Promise<void> {
    await eventually(`${this.process.name} has taken every packet`, FLUSH_TIMEOUT_MS, async () => {
      return (await this.#behind()) <= this.#unfiltered;
    });
  }

  /** Packets that the kernel has counted and tcpdump has not taken. */
  async #behind(): Promise<number> {
    const count = (): number => this.process.lines.filter((line) => STATISTICS.test(line)).length;
    const before = count();
    this.process.signal('SIGUSR1');
    await eventually(`${this.process.name} tells its statistics`, FLUSH_TIMEOUT_MS, () => count() > before);
    const said = this.process.lines.findLast((line) => STATISTICS.test(line)) ?? '';
    const [, captured = 0, received = 0, dropped = 0] = STATISTICS.exec(said)?.map(Number) ?? [];
    // The kernel counts what a host sends to itself twice: when it leaves and when it arrives.
    const expected = this.#device === 'eth0' ? received : Math.floor(received / 2);
    return Math.max(0, expected - captured - dropped);
  }
}
