/**
 * The session engine. Synchronous and total: time and batches are arguments, output goes into batches that the caller
 * drains, and no traffic makes it throw.
 */
import type { PacketBatch } from './batch/packet-batch.js';
import { ReplayBatch } from './batch/replay-batch.js';
import type { ResponseBatch } from './batch/response-record.js';
import { createEngineCounters, type EngineCounters } from './counters.js';
import type { EngineConfig } from './engine-config.js';

export class Engine {
  readonly counters: EngineCounters = createEngineCounters();
  /** One for each lane. The caller sends what is in them after each call and clears them. */
  readonly outputs: readonly ReplayBatch[];

  constructor(config: EngineConfig) {
    this.outputs = Array.from(
      { length: config.lanes },
      () => new ReplayBatch(config.limits.batchBytesMax, config.limits.batchPacketsMax),
    );
  }

  /** Sessions that are open now. */
  get sessionsOpen(): number {
    return 0;
  }

  /** client --captured packets--> engine. Nothing of the batch is kept: it may be reused when the call returns. */
  ingestCaptured(_batch: PacketBatch, _nowMs: number): void {}

  /** target --response headers--> engine, received on `lane`. */
  ingestResponses(_lane: number, _batch: ResponseBatch, _nowMs: number): void {}

  /** Runs the timers that are due. */
  advance(_nowMs: number): void {}

  /** When `advance` should be called next, on the caller's clock; Infinity when nothing is waiting. */
  nextDeadlineMs(): number {
    return Number.POSITIVE_INFINITY;
  }

  /** The lane's channel went away or came back. Sessions of a lane that is down are held up to their timeouts. */
  setLaneUp(_lane: number, _isUp: boolean, _nowMs: number): void {}

  /** While congested no new session is started on the lane (they are shed and counted). */
  setLaneCongested(_lane: number, _isCongested: boolean): void {}

  /** Appends the open flows of the lane as RECORD_OPEN records without a SYN's effect, for a channel that came back. */
  reopenFlows(_lane: number): void {}

  /** Changes the share of connections that are copied; running sessions go on. */
  setSampleFraction(_fraction: number): void {}

  /** Ends every session: resets them at their targets and closes the ledger. Drain the outputs afterwards. */
  close(_nowMs: number): void {}
}
