import {
  type Engine,
  FRAME,
  type FrameType,
  HeadersPayload,
  type ReplayBatch,
  type ResponseBatch,
} from '@trafficcopy/core';
import type { LaneFigures } from '../copy-figures.js';
import type { PacketSink, SinkChannel } from '../sink/packet-sink.js';

/** The part of a channel connection that a lane uses. */
export interface LaneConnection extends SinkChannel {
  /** Octets that wait to be sent. */
  readonly queuedBytes: number;
  /** It has no room for another session for now, whatever waits. */
  readonly isFull?: boolean | undefined;
  /** Frames that the full queue did not take. */
  readonly framesDropped: number;
  readonly remote: string;
}

/** The part of the engine that follows a lane's channel. */
export type LaneEngine = Pick<Engine, 'outputs' | 'setLaneUp' | 'setLaneCongested' | 'reopenFlows' | 'noteDropped'>;

export interface LaneOptions {
  readonly index: number;
  /** `host:port` of the intercept, for people. */
  readonly name: string;
  readonly sink: PacketSink;
  readonly engine: LaneEngine;
  readonly nowMs: () => number;
  /** No new session while more octets than this wait in the channel; again at a quarter of it. */
  readonly congestedBytes: number;
  /** intercept --response headers--> engine. The batch is valid during the call. */
  readonly onResponses: (lane: number, batch: ResponseBatch) => void;
  /** The engine has output for the lane. */
  readonly onOutput: () => void;
  /** engine --crafted packets--> recorder: sees what is sent. It only reads. */
  readonly onSend?: ((batch: ReplayBatch) => void) | undefined;
}

/** Figures of a lane since the start. */
export interface LaneCounters {
  /** How often the channel came up. */
  connects: number;
  /** How often it was lost. */
  losses: number;
  headersFrames: number;
  /** HEADERS frames that made no sense. */
  framesMalformed: number;
  /** How often the queue was so full that new sessions were held off. */
  congestions: number;
}

/**
 * The way to one intercept: its channel tells the engine when it is there, when it is full, and what the targets answered;
 * the engine's output for it goes to its sink.
 */
export class Lane {
  readonly index: number;
  readonly name: string;
  readonly sink: PacketSink;
  readonly counters: LaneCounters = { connects: 0, losses: 0, headersFrames: 0, framesMalformed: 0, congestions: 0 };
  private readonly options: LaneOptions;
  private readonly headers = new HeadersPayload();
  private connection: LaneConnection | undefined;
  private isQueueLong = false;
  private isHeldOff = false;
  private framesDroppedBefore = 0;

  constructor(options: LaneOptions) {
    this.options = options;
    this.index = options.index;
    this.name = options.name;
    this.sink = options.sink;
    options.engine.setLaneUp(this.index, false, options.nowMs());
  }

  get isUp(): boolean {
    return this.connection !== undefined;
  }

  get isCongested(): boolean {
    return this.isQueueLong || this.isHeldOff;
  }

  get queuedBytes(): number {
    return this.connection?.queuedBytes ?? 0;
  }

  /** Frames that full queues did not take, over all connections. */
  get framesDropped(): number {
    return this.framesDroppedBefore + (this.connection?.framesDropped ?? 0);
  }

  /**
   * The channel is there. Intercept may be another process than before, so flows that are open are registered before
   * anything is sent on them.
   */
  up(connection: LaneConnection): void {
    const { engine, nowMs, onOutput } = this.options;
    this.counters.connects += 1;
    this.connection = connection;
    const output: ReplayBatch = engine.outputs[this.index]!;
    // Crafted while there was no channel: its sessions send it again.
    this.sink.send(output);
    output.clear();
    this.sink.useChannel(connection);
    engine.reopenFlows(this.index);
    if (!output.isEmpty) this.sink.register(output);
    output.clear();
    engine.setLaneUp(this.index, true, nowMs());
    this.holdOff(false);
    onOutput();
  }

  down(): void {
    if (this.connection === undefined) return;
    this.counters.losses += 1;
    this.framesDroppedBefore += this.connection.framesDropped;
    this.connection = undefined;
    this.sink.useChannel(undefined);
    this.setCongested(false, this.isHeldOff);
    this.options.engine.setLaneUp(this.index, false, this.options.nowMs());
  }

  /** intercept --frame--> copy. Types that are not ours are skipped. */
  frame(type: FrameType, bytes: Uint8Array, offset: number, length: number): void {
    if (type !== FRAME.HEADERS) return;
    this.counters.headersFrames += 1;
    if (!this.headers.read(bytes, offset, length)) {
      this.counters.framesMalformed += 1;
      return;
    }
    this.options.onResponses(this.index, this.headers);
  }

  /** engine --crafted packets--> target */
  send(batch: ReplayBatch): void {
    const { onSend, engine } = this.options;
    onSend?.(batch);
    const { counters } = this.sink;
    const refusedBefore = counters.packetsRefused;
    this.sink.send(batch);
    if (counters.packetsRefused > refusedBefore)
      engine.noteDropped(this.index, counters.packetsRefused - refusedBefore);
    this.checkQueue();
  }

  figures(): LaneFigures {
    const { name, isUp, isCongested, queuedBytes, framesDropped, counters, sink } = this;
    return {
      name,
      isUp,
      isCongested,
      queuedBytes,
      framesDropped,
      counters: { ...counters },
      sink: { ...sink.counters },
    };
  }

  /** When the queue drained: keeps the engine's view of it. */
  checkQueue(): void {
    const { congestedBytes } = this.options;
    const limit = this.isQueueLong ? congestedBytes / 4 : congestedBytes;
    this.setCongested(this.queuedBytes > limit || this.connection?.isFull === true, this.isHeldOff);
  }

  /** Whether new sessions are refused for the sake of other lanes: the memory in which sessions wait is one for all. */
  holdOff(isHeldOff: boolean): void {
    this.setCongested(this.isQueueLong, isHeldOff);
  }

  private setCongested(isQueueLong: boolean, isHeldOff: boolean): void {
    const wasCongested = this.isCongested;
    this.isQueueLong = isQueueLong;
    this.isHeldOff = isHeldOff;
    if (this.isCongested === wasCongested) return;
    if (this.isCongested) this.counters.congestions += 1;
    this.options.engine.setLaneCongested(this.index, this.isCongested);
  }
}
