/**
 * Replay of capture files: a source of packets like a capture, but one that has them at the times of a schedule and that can
 * wait.
 *
 *   files ─▶ reader (link headers off, --from/--until, filter) ─▶ schedule: due? ─▶ room: has the copy any? ─▶ pipeline
 *
 * A run ends when its last session has: what was captured is delivered, then connections whose end was not captured are ended.
 * The next run follows at once, its clients at ports of their own.
 */
import {
  ACK,
  DatagramHeader,
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  PacketHeader,
  parseDatagram,
  parsePacket,
  SYN,
} from '@trafficcopy/core';
import type { CaptureStatistics, PacketSource } from '../capture/packet-source.js';
import { shiftClientPort } from './client-port-shift.js';
import type { OfflineFigures } from './offline-figures.js';
import type { OfflinePlan } from './offline-plan.js';
import type { Recording } from './recording.js';
import { RecordingReader, type UnwantedContents } from './recording-reader.js';
import { type CopyLoad, ReplayRoom, type ReplayRoomOptions } from './replay-room.js';
import { ReplaySchedule } from './replay-schedule.js';

/** What a replay needs of the copy that it feeds. */
export interface ReplayedCopy {
  load(): CopyLoad;
  endCapture(): void;
}

export interface OfflineReplayOptions {
  readonly plan: OfflinePlan;
  readonly recordings: readonly Recording[];
  readonly limits: ReplayRoomOptions['limits'];
  readonly sessionsForEach: number;
  /** Datagrams are replayed, each of which is a request. Default: false. */
  readonly udp?: boolean | undefined;
  readonly nowMs: () => number;
  readonly onNote: (note: string) => void;
}

/** Packets that the engine gets at once; then it is looked at whether there is room for more. */
const PACKETS_MAX = 256;
/** While reading waits for room, how often it is looked at; while there is no way to any target, and for the end of sessions. */
const ROOM_POLL_MS = 1;
const IDLE_POLL_MS = 20;
/** setTimeout takes 31 bits. */
const TIMER_MS_MAX = 60_000;
/** Answers that are still on their way when everything is delivered come within so long of each other. */
const QUIET_MS = 1000;

type Phase = 'waiting' | 'replaying' | 'ending' | 'over';

export class OfflineReplay implements PacketSource {
  readonly name: string;
  count = 0;
  private readonly options: OfflineReplayOptions;
  private readonly schedule: ReplaySchedule;
  private readonly room: ReplayRoom;
  private readonly packetsMax: number;
  private readonly header = new PacketHeader();
  private readonly datagram = new DatagramHeader();
  private reader: RecordingReader | undefined;
  private copy: ReplayedCopy | undefined;
  private onEnd: () => void = () => {};
  private onReadable: (() => void) | undefined;
  private phase: Phase = 'waiting';
  private run = 0;
  /** The next packet of the reader's batch, when it is due, and the slice of the batch that is current. */
  private cursor = 0;
  private headDueMs: number | undefined;
  private isHeadParsed = false;
  private slice: Uint32Array = new Uint32Array(0);
  private timer: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  private beganMs = 0;
  private turnsAtRunStart = 0;
  private quietSinceMs: number | undefined;
  private responsesSeen = 0;
  /** The most that was told of how far it is. */
  private doneTold = 0;

  constructor(options: OfflineReplayOptions) {
    this.options = options;
    const { plan, limits, sessionsForEach } = options;
    this.name = plan.files.length === 1 ? plan.files[0]! : `${plan.files.length} files`;
    this.schedule = new ReplaySchedule(plan);
    // With small limits fewer at once, or there would never be room.
    const fits = Math.floor(Math.min(limits.sessionsMax / sessionsForEach, limits.connectionsMax) / 4);
    this.packetsMax = Math.min(PACKETS_MAX, Math.max(1, fits));
    const isUnpaced = plan.rate === undefined && plan.speed === Number.POSITIVE_INFINITY;
    this.room = new ReplayRoom({ limits, sessionsForEach, packetsMax: this.packetsMax, isUnpaced });
  }

  /** Takes its place as the copy's source. @throws FilterError */
  openAs(filter: string): this {
    const { recordings, plan, onNote } = this.options;
    const onChange = (): void => this.wake();
    this.reader = new RecordingReader({
      recordings,
      filter,
      udp: this.options.udp,
      from: plan.from,
      until: plan.until,
      onChange,
      onNote,
    });
    return this;
  }

  /** Whose load is looked at; before it is known nothing is read. `onEnd`: every run is over. */
  feed(copy: ReplayedCopy, onEnd: () => void): void {
    this.copy = copy;
    this.onEnd = onEnd;
  }

  get bytes(): Uint8Array {
    return this.reader!.bytes;
  }

  get entries(): Uint32Array {
    return this.slice;
  }

  start(onReadable: () => void): void {
    this.onReadable = onReadable;
    if (this.phase !== 'waiting') return;
    this.phase = 'replaying';
    this.beganMs = this.options.nowMs();
    this.schedule.beginRun(this.beganMs);
    this.wake();
  }

  stop(): void {
    this.onReadable = undefined;
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
    this.timer = undefined;
    this.immediate = undefined;
  }

  next(): boolean {
    this.count = 0;
    const { reader, copy } = this;
    if (this.phase !== 'replaying' || reader === undefined || copy === undefined) return false;
    const nowMs = this.options.nowMs();
    const load = copy.load();
    if (!this.room.has(load, nowMs)) {
      // When it was due is when it falls behind.
      if (this.cursor < reader.count) this.lookAhead(reader, this.cursor);
      this.wakeAt(nowMs + (load.isUp ? ROOM_POLL_MS : IDLE_POLL_MS));
      return false;
    }
    if (this.cursor === reader.count && !this.readOn(reader)) return false;
    const first = this.cursor;
    this.cursor = this.endOfDue(reader, first, load, nowMs);
    if (this.cursor === first) return false;
    this.slice = reader.entries.subarray(first * PACKET_ENTRY_FIELDS, this.cursor * PACKET_ENTRY_FIELDS);
    this.count = this.cursor - first;
    // The pipeline takes a few slices in a turn of the loop; responses and timers get theirs before the next ones.
    this.wake();
    return true;
  }

  release(): void {
    this.count = 0;
  }

  private readOn(reader: RecordingReader): boolean {
    this.cursor = 0;
    if (reader.next()) return true;
    if (reader.hasEnded) this.endRun();
    return false;
  }

  /** The index behind the last packet, from `first` on, that goes now. Sees to being woken for the next one. */
  private endOfDue(reader: RecordingReader, first: number, load: CopyLoad, nowMs: number): number {
    const { schedule } = this;
    const end = Math.min(reader.count, first + this.packetsMax);
    for (let index = first; index < end; index += 1) {
      let dueMs = this.lookAhead(reader, index);
      const beginsRequest = this.isHeadParsed && schedule.pacesRequests && this.hasRequest();
      if (beginsRequest) dueMs = schedule.requestDueMs(load.turnsCaptured - this.turnsAtRunStart);
      if (dueMs > nowMs) {
        this.wakeAt(dueMs);
        return index;
      }
      this.headDueMs = undefined;
      if (this.run > 0) this.shiftPort(reader, index);
      // How many requests it makes only the engine can say.
      if (beginsRequest) return index + 1;
    }
    return end;
  }

  /** When the packet at `index`, the next one, is due. Of paced packets the header is looked at, too. */
  private lookAhead(reader: RecordingReader, index: number): number {
    if (this.headDueMs === undefined) {
      this.isHeadParsed = this.options.plan.rate !== undefined && this.parse(reader, index);
      const { udp = false } = this.options;
      const beginsConnection = this.isHeadParsed && !udp && (this.header.flags & (SYN | ACK)) === SYN;
      this.headDueMs = this.schedule.dueMs(reader.timesUs[index]!, beginsConnection);
    }
    return this.headDueMs;
  }

  private parse({ bytes, entries }: RecordingReader, index: number): boolean {
    const at = index * PACKET_ENTRY_FIELDS;
    const captured = entries[at + ENTRY_CAPTURED_BYTES]!;
    const wire = entries[at + ENTRY_WIRE_BYTES]!;
    const offset = entries[at + ENTRY_OFFSET]!;
    if (this.options.udp === true) return parseDatagram(bytes, offset, captured, wire, this.datagram) === 'ok';
    return parsePacket(bytes, offset, captured, wire, this.header) === 'ok';
  }

  /** Whether the packet that was parsed last may begin a request. */
  private hasRequest(): boolean {
    return this.options.udp === true || this.header.payloadBytes > 0;
  }

  private shiftPort({ bytes, entries }: RecordingReader, index: number): void {
    const at = index * PACKET_ENTRY_FIELDS;
    const captured = entries[at + ENTRY_CAPTURED_BYTES]!;
    shiftClientPort(bytes, entries[at + ENTRY_OFFSET]!, captured, entries[at + ENTRY_WIRE_BYTES]!, this.run);
  }

  private wake(): void {
    if (this.onReadable === undefined || this.immediate !== undefined) return;
    this.immediate = setImmediate(() => {
      this.immediate = undefined;
      this.onReadable?.();
    });
  }

  private wakeAt(timeMs: number): void {
    clearTimeout(this.timer);
    const delayMs = Math.min(Math.max(Math.ceil(timeMs - this.options.nowMs()), 1), TIMER_MS_MAX);
    this.timer = setTimeout(() => this.onReadable?.(), delayMs);
  }

  /** The last packet of a run has gone to the engine. */
  private endRun(): void {
    this.phase = 'ending';
    this.quietSinceMs = undefined;
    this.awaitSessions();
  }

  private awaitSessions(): void {
    const { copy, options } = this;
    if (this.onReadable === undefined || copy === undefined) return;
    const load = copy.load();
    const nowMs = options.nowMs();
    if (load.sessionsOpen === 0) {
      copy.endCapture();
      this.beginNextRun(nowMs);
      return;
    }
    const isQuiet = load.turnsPending === 0 && load.responses === this.responsesSeen;
    this.responsesSeen = load.responses;
    if (!isQuiet) this.quietSinceMs = nowMs;
    this.quietSinceMs ??= nowMs;
    // Their clients went on beyond the end of the capture.
    if (nowMs - this.quietSinceMs >= QUIET_MS) {
      copy.endCapture();
      this.quietSinceMs = nowMs;
    }
    this.timer = setTimeout(() => this.awaitSessions(), IDLE_POLL_MS);
  }

  private beginNextRun(nowMs: number): void {
    if (this.run + 1 === this.options.plan.runs) {
      this.phase = 'over';
      this.onEnd();
      return;
    }
    this.run += 1;
    this.turnsAtRunStart = this.copy?.load().turnsCaptured ?? 0;
    this.reader?.rewind();
    this.cursor = 0;
    this.schedule.beginRun(nowMs);
    this.phase = 'replaying';
    this.wake();
  }

  figures(): OfflineFigures {
    const { plan, nowMs } = this.options;
    const { runs } = plan;
    const nowAtMs = nowMs();
    const done = this.doneFraction(nowAtMs);
    // What is expected of the rest of a file may grow; a bar stands still then.
    if (done !== undefined) this.doneTold = Math.max(this.doneTold, done);
    const elapsedMs = this.phase === 'waiting' ? 0 : nowAtMs - this.beganMs;
    const canTell = done !== undefined && done > 0.01 && elapsedMs > 0;
    return {
      ...this.reader!.counters(),
      doneFraction: done === undefined ? undefined : this.doneTold,
      leftMs: canTell ? (elapsedMs * (1 - done)) / done : undefined,
      run: this.run + 1,
      runs,
      positionMs: this.schedule.positionMs(this.headDueMs, nowAtMs),
      skippedMs: this.schedule.skippedMs,
      behindMs: this.headDueMs === undefined ? 0 : Math.max(0, nowAtMs - this.headDueMs),
    };
  }

  /** What the files have instead, where nothing of them was wanted; undefined where something was. */
  get unwanted(): UnwantedContents | undefined {
    return this.reader?.unwanted;
  }

  private doneFraction(nowMs: number): number | undefined {
    if (this.phase === 'over') return 1;
    let bytes = 0;
    for (const { fileBytes } of this.options.recordings) {
      if (fileBytes === undefined) return undefined;
      bytes += fileBytes;
    }
    const ofRun = this.phase === 'ending' ? 1 : (this.doneOfTime(nowMs) ?? this.doneOfBytes(bytes));
    return (this.run + ofRun) / this.options.plan.runs;
  }

  /** Where recorded times are followed and it is known when the recordings end. */
  private doneOfTime(nowMs: number): number | undefined {
    const endUs = this.schedule.followsTimes ? this.reader?.endUs : undefined;
    return endUs === undefined ? undefined : this.schedule.doneFraction(endUs, this.headDueMs, nowMs);
  }

  /** What was read ahead and has not gone to the engine is still to come. */
  private doneOfBytes(bytes: number): number {
    const { reader } = this;
    if (reader === undefined) return 0;
    const batchShare = reader.count === 0 ? 0 : this.cursor / reader.count;
    return Math.min(1, reader.doneBytes(batchShare) / Math.max(1, bytes));
  }

  statistics(): CaptureStatistics {
    return { packets: this.reader?.counters().packets ?? 0, drops: 0, freezes: 0, interfaceState: 'up' };
  }

  setFilter(filter: string): void {
    this.reader?.setFilter(filter);
  }

  close(): void {
    this.stop();
    this.reader?.close();
  }
}
