/**
 * THE WALK: how a packet of a client becomes packets to a target.
 *
 *     ring readable ──► each block ──► engine ──► outputs[lane] ──► lane ──► target
 *     HEADERS frame ────────────────►    │
 *     deadline ─────────────────────►    ┘
 *
 * Everything happens on one thread and synchronously: a block goes back to the kernel as soon as the engine has read it,
 * and what the engine made of all that woke the thread (blocks of a ring, frames of a read) goes out once, before it sleeps again.
 */
import { type Engine, PACKET_ENTRY_FIELDS, type ReplayBatch, type ResponseBatch } from '@trafficcopy/core';
import type { PacketSource } from './capture/packet-source.js';

/** The part of the engine that the walk needs. */
export type PipelineEngine = Pick<
  Engine,
  'outputs' | 'ingestCaptured' | 'ingestResponses' | 'advance' | 'nextDeadlineMs' | 'close'
>;

/** Where the output of one lane goes. Takes what it can before it returns: the batch is cleared then. */
export interface PipelineOutlet {
  send(batch: ReplayBatch): void;
}

export interface PipelineOptions {
  readonly engine: PipelineEngine;
  /** A clock that never goes back, milliseconds. */
  readonly nowMs: () => number;
}

/** Blocks taken from one source in a turn, so that responses and timers get theirs; the kernel wakes us for the rest. */
const BLOCKS_PER_TURN_MAX = 4;
/** Octets of a batch that go out between two blocks: the target works on them while the next block is read. */
const PIECE_BYTES = 64 * 1024;
/** Batches of one lane that may go out in a turn, when the engine has more than one holds. */
const FLUSH_ROUNDS_MAX = 4;
/** How often deadlines are looked at while one is near: none is served later than that. */
const TICK_MS = 5;
/** A deadline that is further away gets a timer of its own, ms. */
const NEAR_MS = 100;
/** A timer that is so late stood still with all the rest: what has arrived meanwhile goes first. */
const LATE_MS = 50;
/** setTimeout takes 31 bits. */
const TIMER_DELAY_MS_MAX = 60_000;

export class Pipeline {
  private readonly engine: PipelineEngine;
  private readonly sources = new Set<PacketSource>();
  /** By lane. */
  private readonly outlets: PipelineOutlet[] = [];
  private readonly nowMs: () => number;
  private readonly flushNow = (): void => {
    this.flushIsDue = false;
    this.flush();
  };
  private readonly onDeadline = (): void => {
    if (this.nowMs() - this.dueMs <= LATE_MS) this.advance();
    else setImmediate(this.onArrivals);
  };
  private readonly onArrivals = (): void => this.advance();
  private flushIsDue = false;
  private isClosed = false;
  /** Fires every TICK_MS, by refresh(), while a deadline is near: a timer made for each would cost more. At first once in vain. */
  private readonly tick = setTimeout(this.onDeadline, TICK_MS);
  private timer: NodeJS.Timeout | undefined;
  /** When one of the two fires; infinite when none will. */
  private timerAtMs = Number.POSITIVE_INFINITY;
  /** The same, for the tick as well. */
  private dueMs = Number.POSITIVE_INFINITY;

  constructor(options: PipelineOptions) {
    this.engine = options.engine;
    this.nowMs = options.nowMs;
  }

  /** Reads from `source` from now on. */
  addSource(source: PacketSource): void {
    this.sources.add(source);
    source.start(() => this.drain(source));
  }

  removeSource(source: PacketSource): void {
    this.sources.delete(source);
    source.stop();
  }

  /** Where the output of a lane goes that the engine has. */
  setOutlet(lane: number, outlet: PipelineOutlet): void {
    this.outlets[lane] = outlet;
  }

  /** client --captured packets--> engine */
  private drain(source: PacketSource): void {
    const nowMs = this.nowMs();
    for (let blocks = 0; blocks < BLOCKS_PER_TURN_MAX && source.next(); blocks += 1) {
      this.engine.ingestCaptured(source, nowMs);
      source.release();
      this.flushFull();
    }
    this.flush();
  }

  /** target --response headers--> engine */
  ingestResponses(lane: number, batch: ResponseBatch): void {
    this.engine.ingestResponses(lane, batch, this.nowMs());
    this.flushFull();
    this.flushSoon();
  }

  private advance(): void {
    this.timerAtMs = Number.POSITIVE_INFINITY;
    if (this.isClosed) return;
    const nowMs = this.nowMs();
    if (this.engine.nextDeadlineMs() <= nowMs) this.engine.advance(nowMs);
    this.flush();
  }

  /** When what woke the thread is through: a read brings many frames, each by a call of its own. */
  flushSoon(): void {
    if (this.flushIsDue) return;
    this.flushIsDue = true;
    process.nextTick(this.flushNow);
  }

  /** engine --crafted packets--> outlets */
  flush(): void {
    this.sendAll();
    // Deadline 0: the batches had no room for all of it.
    for (let round = 1; round < FLUSH_ROUNDS_MAX && this.engine.nextDeadlineMs() === 0; round += 1) {
      this.engine.advance(this.nowMs());
      this.sendAll();
    }
    this.armTimer();
  }

  private sendAll(): void {
    for (let lane = 0; lane < this.engine.outputs.length; lane += 1) this.send(lane);
  }

  /** Between two blocks. What a batch has no room for would have to be sent again. */
  private flushFull(): void {
    for (let lane = 0; lane < this.engine.outputs.length; lane += 1) {
      const output = this.engine.outputs[lane];
      if (output === undefined) continue;
      const packetsMax = output.entries.length / PACKET_ENTRY_FIELDS;
      const bytesMax = Math.min(PIECE_BYTES, output.bytes.length / 2);
      if (output.length > bytesMax || output.count > packetsMax / 2) this.send(lane);
    }
  }

  private send(lane: number): void {
    const output = this.engine.outputs[lane];
    if (output === undefined || output.isEmpty) return;
    this.outlets[lane]!.send(output);
    output.clear();
  }

  /** A timer may fire early for a deadline that has moved, never late by more than a tick. */
  private armTimer(): void {
    const deadlineMs = this.engine.nextDeadlineMs();
    if (deadlineMs >= this.timerAtMs || this.isClosed) return;
    clearTimeout(this.timer);
    const nowMs = this.nowMs();
    if (deadlineMs - nowMs <= NEAR_MS) {
      // Infinitely early: nothing comes before the next tick.
      this.timerAtMs = 0;
      this.dueMs = nowMs + TICK_MS;
      this.tick.refresh();
      return;
    }
    const delayMs = Math.min(deadlineMs - nowMs, TIMER_DELAY_MS_MAX);
    this.timerAtMs = nowMs + delayMs;
    this.dueMs = this.timerAtMs;
    this.timer = setTimeout(this.onDeadline, delayMs);
  }

  /** Nothing is captured any more; what is under way goes on. */
  stopSources(): void {
    for (const source of this.sources) source.stop();
    this.sources.clear();
  }

  /** Ends every session at its target and sends what that takes. Nothing is captured afterwards. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.tick);
    this.stopSources();
    this.engine.close(this.nowMs());
    this.flush();
  }
}
