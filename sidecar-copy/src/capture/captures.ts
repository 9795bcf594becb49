import type { ProgramLog } from '@trafficcopy/runtime';
import type { CopyEdges } from '../copy-edges.js';
import type { SourceFigures } from '../copy-figures.js';
import type { CapturePlan } from './capture-plan.js';
import { DropAlarm } from './drop-alarm.js';
import type { PacketSource } from './packet-source.js';

export interface CapturesOptions {
  readonly edges: Pick<CopyEdges, 'checkFilter' | 'openSource'>;
  readonly logger: ProgramLog['logger'];
  /** Of each source, octets. */
  readonly bufferBytes: number;
  /** Sources see what this host sends, too. Default: false. */
  readonly seesOutgoing?: boolean | undefined;
  /** Someone reads from a source from now on, or not any more. */
  readonly onOpen: (source: PacketSource) => void;
  readonly onClose: (source: PacketSource) => void;
}

interface Capture {
  readonly interfaceName: string;
  readonly source: PacketSource;
  readonly alarm: DropAlarm;
  /** What the kernel had counted before the copying began. */
  before: { readonly packets: number; readonly drops: number; readonly freezes: number };
}

/** The sources of a copy: opened, filtered and closed as the capture plan says, which may change at any time. */
export class Captures {
  private readonly options: CapturesOptions;
  private captures: Capture[] = [];
  private filter = '';
  private besides: readonly number[] | undefined;
  private isRunning = false;
  /** Packets that sources dropped which are closed now. */
  private dropsBefore = 0;

  constructor(options: CapturesOptions) {
    this.options = options;
  }

  get names(): string[] {
    return this.captures.map(({ source }) => source.name);
  }

  /**
   * Captures as `plan` says from now on; what was captured so far and is still wanted goes on without a gap.
   *
   * @returns whether anything is different from before
   * @throws FilterError, NativeError: the sources are those of before then
   */
  follow(plan: CapturePlan): boolean {
    const { filter, interfaceNames, besides } = plan;
    const isFilterNew = filter !== this.filter || besides?.join() !== this.besides?.join();
    const gone = this.captures.filter(({ interfaceName }) => !interfaceNames.includes(interfaceName));
    const missing = interfaceNames.filter((name) => this.captures.every((one) => one.interfaceName !== name));
    if (!isFilterNew && gone.length === 0 && missing.length === 0) return false;
    if (isFilterNew) this.options.edges.checkFilter(filter);
    const opened = this.open(missing, plan);
    const kept = this.captures.filter((capture) => !gone.includes(capture));
    try {
      if (isFilterNew) for (const { source } of kept) source.setFilter(filter, besides);
    } catch (error) {
      for (const { source } of opened) source.close();
      throw error;
    }
    this.filter = filter;
    this.besides = besides;
    this.captures = [...kept, ...opened];
    for (const capture of gone) this.end(capture);
    if (this.isRunning) for (const capture of opened) this.begin(capture);
    return true;
  }

  private open(interfaceNames: readonly string[], { filter, besides }: CapturePlan): Capture[] {
    const opened: Capture[] = [];
    try {
      for (const interfaceName of interfaceNames) {
        const { edges, bufferBytes, seesOutgoing } = this.options;
        const source = edges.openSource({ interfaceName, filter, bufferBytes, seesOutgoing, besides });
        opened.push({ interfaceName, source, alarm: new DropAlarm(), before: { packets: 0, drops: 0, freezes: 0 } });
      }
      return opened;
    } catch (error) {
      for (const { source } of opened) source.close();
      throw error;
    }
  }

  /** What was captured so far, while there was no way to any target, is dropped: connections are joined at their next turn. */
  start(): void {
    this.isRunning = true;
    for (const capture of this.captures) this.begin(capture);
  }

  private begin(capture: Capture): void {
    const { source } = capture;
    while (source.next()) source.release();
    capture.before = source.statistics();
    this.options.onOpen(source);
  }

  private end(capture: Capture): void {
    if (this.isRunning) {
      this.options.onClose(capture.source);
      this.dropsBefore += this.figuresOf(capture).drops;
    }
    capture.source.close();
  }

  /** Call it every second. */
  checkDrops(nowMs: number): void {
    for (const capture of this.captures) {
      const { event, packets } = capture.alarm.check(nowMs, this.figuresOf(capture).drops);
      if (event === 'none') continue;
      const message =
        event === 'begins'
          ? 'the capture buffer is full and packets are not seen: requests with gaps are lost; a larger -B/--capture-buffer helps against bursts'
          : 'the capture buffer has room again';
      this.options.logger.warn({ interface: capture.source.name, packets }, message);
    }
  }

  /** Those that are open. */
  figures(): SourceFigures[] {
    return this.captures.map((capture) => this.figuresOf(capture));
  }

  /** Packets that no source had room for, those that are closed included. */
  get drops(): number {
    return this.captures.reduce((sum, capture) => sum + this.figuresOf(capture).drops, this.dropsBefore);
  }

  private figuresOf({ source, before }: Capture): SourceFigures {
    const { packets, drops, freezes, interfaceState } = source.statistics();
    return {
      name: source.name,
      packets: packets - before.packets,
      drops: drops - before.drops,
      freezes: freezes - before.freezes,
      interfaceState,
    };
  }

  close(): void {
    for (const { source } of this.captures) source.close();
    this.isRunning = false;
  }
}
