import { ENTRY_CAPTURED_BYTES, ENTRY_WIRE_BYTES, PACKET_ENTRY_FIELDS } from '@trafficcopy/core';
import { BatchFilter } from '@trafficcopy/native';
import { CaptureFile } from './capture-file.js';
import { type Moment, momentUs } from './moment.js';
import { type Recording, unreadableText } from './recording.js';
import { type RecordedServers, ServerTally } from './server-tally.js';

/** Frames come nearly in order; so far behind `until` none is expected any more. */
const DISORDER_US = 1_000_000;

/** Of the servers in a recording of which nothing was wanted, how many are named. */
const SERVERS_SHOWN = 5;

/** What was read, over all files and runs. */
export interface RecordingCounters {
  /** Frames read from the files. */
  frames: number;
  /** Of them: without an IP packet. */
  notIp: number;
  /** Larger than any packet can be. */
  oversized: number;
  /** Outside --from and --until. */
  outsideTime: number;
  /** Not from a client to a mapped port, or left out by -F. */
  notWanted: number;
  /** Packets that were wanted. */
  packets: number;
  /** Of them: only their beginnings were captured. */
  cut: number;
  /** Files that could not be read to their ends. */
  filesCutShort: number;
}

/** Why nothing of the recordings was wanted, as far as their contents say. */
export interface UnwantedContents {
  /** Of the only one, a pipe, nothing could be read at all; as a sentence. */
  readonly unreadable: string | undefined;
  readonly servers: RecordedServers;
}

export interface RecordingReaderOptions {
  readonly recordings: readonly Recording[];
  /** On packets that start at their IP header. */
  readonly filter: string;
  /** Datagrams are wanted. Default: TCP. */
  readonly udp?: boolean | undefined;
  readonly from: Moment | undefined;
  readonly until: Moment | undefined;
  /** A batch is ready, or the end has come. */
  readonly onChange: () => void;
  readonly onNote: (note: string) => void;
}

/** Reads recordings one after the other; what of their packets is wanted comes in batches. It is the current batch. */
export class RecordingReader {
  private readonly options: RecordingReaderOptions;
  private filter: BatchFilter;
  private file: CaptureFile | undefined;
  private index = -1;
  private firstUs: number | undefined;
  private lastUs = 0;
  private isPast = false;
  private notesOfCut = 0;
  private readonly before: RecordingCounters = noCounters();
  private readonly wanted = noCounters();
  private doneBytesBefore = 0;
  /** When the last frame of all was captured, once the last recording was read. */
  private exactEndUs: number | undefined;
  private unreadable: string | undefined;
  /** Until something is wanted. */
  private tally: ServerTally | undefined;

  /** @throws FilterError */
  constructor(options: RecordingReaderOptions) {
    this.options = options;
    this.tally = new ServerTally(options.udp);
    this.filter = new BatchFilter(options.filter);
    this.firstUs = options.recordings.find((recording) => recording.firstUs !== undefined)?.firstUs;
  }

  get bytes(): Uint8Array {
    return this.file!.bytes;
  }

  get entries(): Uint32Array {
    return this.file!.entries;
  }

  get timesUs(): Float64Array {
    return this.file!.timesUs;
  }

  get count(): number {
    return this.file?.count ?? 0;
  }

  /** The current batch stays what it is. @throws FilterError */
  setFilter(filter: string): void {
    this.filter = new BatchFilter(filter);
  }

  /** From the beginning of the first recording. */
  rewind(): void {
    this.endFile();
    this.index = -1;
    this.isPast = false;
    this.lastUs = 0;
    this.doneBytesBefore = 0;
  }

  /** Whether the last recording is read. */
  get hasEnded(): boolean {
    return this.isPast || (this.file === undefined && this.index >= this.options.recordings.length);
  }

  /** Makes the next batch with something wanted current; false when none is ready, or at the end. */
  next(): boolean {
    while (!this.hasEnded) {
      if (this.file === undefined) {
        this.openNext();
        continue;
      }
      if (this.file.next()) {
        this.select(this.file);
        if (this.file.count > 0) return true;
      } else if (this.file.hasEnded) {
        this.endFile();
      } else {
        return false;
      }
    }
    return false;
  }

  private openNext(): void {
    this.index += 1;
    const recording = this.options.recordings[this.index];
    if (recording === undefined) return;
    this.file = new CaptureFile(recording.path, this.options.onChange);
    if (recording.firstUs !== undefined && recording.firstUs < this.lastUs) {
      this.options.onNote(
        `${recording.path} begins before the end of the file before it: what overlaps is replayed late; "mergecap -w all.pcapng …" makes one file in order`,
      );
    }
  }

  private endFile(): void {
    const { file } = this;
    if (file === undefined) return;
    this.file = undefined;
    const { problem, hasHeader } = file;
    const { frames, notIp, oversized, fileBytes } = file.counters;
    file.close();
    this.before.frames += frames;
    this.before.notIp += notIp;
    this.before.oversized += oversized;
    this.doneBytesBefore += fileBytes;
    if (this.index === this.options.recordings.length - 1) this.exactEndUs = file.readToUs;
    if (problem === undefined) return;
    this.before.filesCutShort += 1;
    // Then the replay is over, and ends with it.
    if (!hasHeader && this.options.recordings.length === 1 && this.tally !== undefined) {
      this.unreadable = unreadableText(file.path, problem);
      return;
    }
    const what = hasHeader ? 'the file ends early; what comes before is replayed' : 'it cannot be replayed';
    this.options.onNote(`${file.path}: ${what}: ${problem}`);
  }

  /** Leaves what is wanted of a batch. */
  private select(file: CaptureFile): void {
    this.firstUs ??= file.firstUs;
    const inTime = this.selectTime(file);
    this.tally?.add(file, inTime);
    const kept = this.filter.select(file.bytes, file.entries, file.timesUs, inTime);
    this.wanted.notWanted += inTime - kept;
    this.wanted.packets += kept;
    if (kept > 0) this.tally = undefined;
    file.keep(kept);
    this.countCut(file);
    if (kept > 0) this.lastUs = file.timesUs[kept - 1]!;
  }

  private selectTime(file: CaptureFile): number {
    const { from, until } = this.options;
    if (from === undefined && until === undefined) return file.count;
    const firstUs = this.firstUs ?? 0;
    const fromUs = from === undefined ? Number.NEGATIVE_INFINITY : momentUs(from, firstUs);
    const untilUs = until === undefined ? Number.POSITIVE_INFINITY : momentUs(until, firstUs);
    const { entries, timesUs, count } = file;
    let kept = 0;
    for (let index = 0; index < count; index += 1) {
      const timeUs = timesUs[index]!;
      if (timeUs > untilUs + DISORDER_US) this.isPast = true;
      if (timeUs < fromUs || timeUs >= untilUs) continue;
      if (kept !== index) {
        const at = index * PACKET_ENTRY_FIELDS;
        entries.copyWithin(kept * PACKET_ENTRY_FIELDS, at, at + PACKET_ENTRY_FIELDS);
        timesUs[kept] = timeUs;
      }
      kept += 1;
    }
    this.wanted.outsideTime += count - kept;
    return kept;
  }

  private countCut(file: CaptureFile): void {
    const { entries, count, path, snapBytes } = file;
    for (let at = 0; at < count * PACKET_ENTRY_FIELDS; at += PACKET_ENTRY_FIELDS) {
      if (entries[at + ENTRY_CAPTURED_BYTES]! < entries[at + ENTRY_WIRE_BYTES]!) this.wanted.cut += 1;
    }
    if (this.wanted.cut === 0 || this.notesOfCut > 0) return;
    this.notesOfCut = 1;
    this.options.onNote(
      `${path}: of some packets only the beginning was captured (snap length ${snapBytes} octets): requests in them are lost as captureGap; capture with "tcpdump -s 0"`,
    );
  }

  counters(): RecordingCounters {
    const now = this.file?.counters;
    return {
      ...this.wanted,
      frames: this.before.frames + (now?.frames ?? 0),
      notIp: this.before.notIp + (now?.notIp ?? 0),
      oversized: this.before.oversized + (now?.oversized ?? 0),
      filesCutShort: this.before.filesCutShort,
    };
  }

  /** Undefined when something of them was wanted. */
  get unwanted(): UnwantedContents | undefined {
    return this.tally && { unreadable: this.unreadable, servers: this.tally.servers(SERVERS_SHOWN) };
  }

  /** Octets of the recordings that are worked off in this run, when of the current batch `batchShare` (0 to 1) is. */
  doneBytes(batchShare: number): number {
    return this.doneBytesBefore + (this.file?.doneBytes(batchShare) ?? 0);
  }

  /**
   * When what is replayed of the recordings ends, microseconds since 1970. As long as the last of them is not read to its end, it is taken to go on
   * as it began. Undefined when nothing is known of it.
   */
  get endUs(): number | undefined {
    const lastUs = this.exactEndUs ?? this.expectedEndUs();
    const { until } = this.options;
    if (lastUs === undefined || until === undefined || this.firstUs === undefined) return lastUs;
    return Math.min(lastUs, momentUs(until, this.firstUs));
  }

  private expectedEndUs(): number | undefined {
    const { recordings } = this.options;
    const last = recordings.at(-1);
    if (last?.firstUs === undefined || last.fileBytes === undefined || this.firstUs === undefined) return undefined;
    if (this.index === recordings.length - 1 && this.file?.readToUs !== undefined) {
      const { readBytes, readToUs } = this.file;
      return last.firstUs + (readToUs - last.firstUs) * Math.max(1, last.fileBytes / readBytes);
    }
    let bytesBefore = 0;
    for (const { fileBytes = 0 } of recordings.slice(0, -1)) bytesBefore += fileBytes;
    if (bytesBefore === 0) return undefined;
    return last.firstUs + (last.firstUs - this.firstUs) * (last.fileBytes / bytesBefore);
  }

  close(): void {
    this.endFile();
    this.index = this.options.recordings.length;
  }
}

function noCounters(): RecordingCounters {
  return {
    frames: 0,
    notIp: 0,
    oversized: 0,
    outsideTime: 0,
    notWanted: 0,
    packets: 0,
    cut: 0,
    filesCutShort: 0,
  };
}
