/**
 * The session engine. Synchronous and total: time and batches are arguments, output goes into batches that the caller
 * drains, and no traffic makes it throw.
 *
 *   client --captured packets--> Capturer --turns--> Replayer --segments--> outputs[lane]
 *                                                        ^
 *   target --response headers----------------------------+
 */
import { assert } from './assert.js';
import type { PacketBatch } from './batch/packet-batch.js';
import type { ReplayBatch } from './batch/replay-batch.js';
import type { ResponseBatch } from './batch/response-record.js';
import { Comparison } from './compare/comparison.js';
import { createEngineCounters, type EngineCounters } from './counters.js';
import { DatagramCopier } from './datagram/datagram-copier.js';
import type { EngineConfig, MappingConfig, ProtocolsConfig, SampleConfig } from './engine-config.js';
import { flowHash } from './flow/flow-hash.js';
import { TimerWheel } from './flow/timer-wheel.js';
import { ByteStore } from './session/byte-store.js';
import { Capturer } from './session/capturer.js';
import { Lanes } from './session/lanes.js';
import { Replayer } from './session/replayer.js';
import { SegmentWriter } from './session/segment-writer.js';
import { Selection } from './session/selection.js';
import { SESSIONS_MAX, SessionTable } from './session/session-table.js';
import { SessionTrace } from './trace/session-trace.js';
import type { AddressRange } from './wire/address-range.js';

export class Engine {
  readonly counters: EngineCounters = createEngineCounters();
  /** Shows single sessions to whoever switches it on. */
  readonly trace = new SessionTrace();
  /** What online and the targets answer, side by side; undefined without config.compare. */
  readonly comparison: Comparison | undefined;
  readonly #lanes: Lanes;
  readonly #config: EngineConfig;
  readonly #store: ByteStore;
  readonly #sessions: SessionTable;
  readonly #writer: SegmentWriter;
  readonly #selection: Selection;
  readonly #capturer: Capturer;
  /** In the place of capturer and replayer where UDP is copied. */
  readonly #datagrams: DatagramCopier | undefined;
  readonly #replayer: Replayer;
  readonly #wheel: TimerWheel;
  readonly #timestampBase: number;
  #wakeNowMs = 0;

  /**
   * `nowMs` is the caller's clock, monotonic, 0 or more; all later calls use the same one. Fractions count where the time that an answer
   * takes is measured, and nowhere else.
   */
  constructor(config: EngineConfig, nowMs = 0) {
    const { limits } = config;
    assert(limits.sessionsMax <= SESSIONS_MAX, `at most ${SESSIONS_MAX} sessions have an id`);
    this.#config = config;
    this.comparison = config.compare === undefined ? undefined : new Comparison(config.compare);
    this.#lanes = new Lanes(limits);
    for (let lane = 0; lane < config.lanes; lane += 1) this.#lanes.add();
    this.#store = new ByteStore(limits.heldBytesMax);
    this.#wheel = new TimerWheel(limits.sessionsMax + limits.connectionsMax, nowMs);
    this.#sessions = new SessionTable(limits.sessionsMax);
    this.#writer = new SegmentWriter(this.#lanes, this.#store, this.counters, config);
    this.#selection = new Selection(config);
    this.#capturer = new Capturer(
      config,
      this.#selection,
      this.counters,
      this.#store,
      this.#sessions,
      this.#wheel,
      limits.sessionsMax,
      this.trace,
      this.comparison,
    );
    const parts = { config, counters: this.counters, store: this.#store, lanes: this.#lanes, sessions: this.#sessions };
    this.#replayer = new Replayer(
      { ...parts, writer: this.#writer, wheel: this.#wheel, trace: this.trace, comparison: this.comparison },
      (captured) => this.#capturer.onIdle(captured),
      (captured, now) => this.#capturer.endEncrypted(captured, now),
    );
    this.#capturer.attach(this.#replayer);
    if (config.udp === true) this.#datagrams = new DatagramCopier(config, this.#selection, this.#lanes, this.counters);
    this.#timestampBase = flowHash(config.seed, new Uint8Array(4), 0, 4, 0x7473);
  }

  /**
   * By lane; undefined where there is none. The caller sends what is in them after each call and clears them. It is always the same
   * array.
   */
  get outputs(): readonly (ReplayBatch | undefined)[] {
    return this.#lanes.outputs;
  }

  /** Connections that carry TLS, by the port of online. They are not copied. */
  get encryptedByPort(): ReadonlyMap<number, number> {
    return this.#capturer.encryptedByPort;
  }

  /** Why targets did not let sessions in, for people, and how often. Bounded. */
  get loginProblems(): ReadonlyMap<string, number> {
    return this.#replayer.loginProblems;
  }

  /** Sessions that are open now. */
  get sessionsOpen(): number {
    return this.#sessions.openCount;
  }

  /** Connections that are followed now. */
  get connectionsOpen(): number {
    return this.#capturer.openCount;
  }

  /** Octets of clients that wait for their targets. */
  get heldBytes(): number {
    return this.#store.usedBytes + (this.#datagrams?.heldBytes ?? 0);
  }

  /** client --captured packets--> engine. Nothing of the batch is kept: it may be reused when the call returns. */
  ingestCaptured(batch: PacketBatch, nowMs: number): void {
    const now = this.#setTime(nowMs);
    if (this.#datagrams !== undefined) {
      this.#datagrams.ingest(batch, now);
      return;
    }
    this.#capturer.ingest(batch, now);
    this.#replayer.flush(now);
  }

  /** target --response headers--> engine, received on `lane`. */
  ingestResponses(lane: number, batch: ResponseBatch, nowMs: number): void {
    const now = this.#setTime(nowMs);
    if (this.#datagrams !== undefined) {
      this.#datagrams.receive(lane, batch);
      return;
    }
    this.#replayer.receive(lane, batch, now);
    this.#replayer.flush(now);
  }

  /**
   * The packet that was sent from [offset, end) of `bytes` did not fit its path, which carries packets of `mtuBytes` (0: not known).
   * Its session's segments become smaller; what is lost goes out again with the next call. May be called while an output is drained.
   */
  noteTooBig(bytes: Uint8Array, offset: number, end: number, mtuBytes: number, nowMs: number): void {
    this.#capturer.noteTooBig(bytes, offset, end, mtuBytes, this.#setTime(nowMs));
  }

  /** Runs the timers that are due, and what waited for room in an output batch. */
  advance(nowMs: number): void {
    const now = this.#setTime(nowMs);
    this.#wakeNowMs = now;
    this.#datagrams?.flush();
    this.#replayer.flushNotices();
    this.#wheel.expire(now, this.#wake);
    this.#replayer.flush(now);
  }

  readonly #wake = (id: number): void => {
    const { sessionsMax } = this.#config.limits;
    if (id < sessionsMax) this.#replayer.onTimer(id, this.#wakeNowMs);
    else this.#capturer.onTimer(id - sessionsMax, this.#wakeNowMs);
  };

  /**
   * When `advance` should be called next, on the caller's clock; Infinity when nothing is waiting, 0 when output waits for
   * the batches to be drained.
   */
  nextDeadlineMs(): number {
    return this.#replayer.hasBacklog || this.#datagrams?.hasBacklog === true ? 0 : this.#wheel.nextDeadlineMs();
  }

  /** The lane's channel went away or came back. Sessions of a lane that is down are held up to their timeouts. */
  setLaneUp(lane: number, isUp: boolean, nowMs: number): void {
    const now = this.#setTime(nowMs);
    if (!isUp) this.#datagrams?.noteLaneDown(lane);
    this.#replayer.setLaneUp(lane, isUp, now);
    this.#replayer.flush(now);
  }

  /** The channel of the lane took none of so many packets of its output. Sessions send them again; datagrams are lost. */
  noteDropped(lane: number, packets: number): void {
    this.#datagrams?.noteDropped(lane, packets);
  }

  /** While congested no new session is started on the lane: it goes to another endpoint, or is shed and counted. */
  setLaneCongested(lane: number, isCongested: boolean): void {
    this.#lanes.setCongested(lane, isCongested);
  }

  /**
   * Makes another lane, which is up, and returns its number: the smallest that is free. There are limits.lanesMax at most, twice
   * as many while those of new settings take the place of others.
   */
  addLane(): number {
    return this.#lanes.add();
  }

  /** Removes a lane to which no endpoint of the mappings belongs any more. What is still in its output is dropped. */
  removeLane(lane: number, nowMs: number): void {
    assert(!this.#selection.usesLane(lane), 'a lane is removed when no endpoint is left on it');
    this.#setTime(nowMs);
    this.#datagrams?.noteLaneDown(lane);
    this.#replayer.forgetLane(lane);
    this.#lanes.remove(lane);
  }

  /**
   * Appends the open flows of the lane as RECORD_OPEN records without a SYN's effect, for a channel that came back. Those that
   * the batch has no room for follow with the next calls, once the lane is up.
   */
  reopenFlows(lane: number): void {
    this.#replayer.reopenFlows(lane);
  }

  /**
   * Puts other mappings in force. Sessions whose endpoint is still there go on untouched. Those of an endpoint that is gone move to
   * another of the same target with what was not on its way; those of a target or mapping that is gone end as `withdrawn`.
   * Running connections join a target that is new at their next turn. Drain the outputs afterwards.
   */
  setMappings(mappings: readonly MappingConfig[], nowMs: number): void {
    const now = this.#setTime(nowMs);
    this.#selection.setMappings(mappings);
    this.#replayer.applySettings(now);
    this.#capturer.dropUnmapped();
    this.#replayer.flush(now);
  }

  /** Sessions for each new connection and target; running connections keep theirs. */
  setCopies(copies: number): void {
    this.#selection.copies = copies;
  }

  /**
   * Other protocols and credentials for new sessions. Running ones of a port that keeps its protocol log in with the new credentials from their next
   * target connection on; where a port gets another protocol or none, take its mappings away before, or they go on with the old.
   */
  setProtocols(protocols: ProtocolsConfig | undefined): void {
    this.#replayer.setProtocols(protocols);
  }

  /**
   * Raises load over time (-g): after a share of `durationMs` since `beginMs`, on the caller's clock, the same share of all copies of all connections
   * is made. Which ones is chosen uniformly, and only ever more; running connections get theirs with their next turn.
   */
  setRamp(beginMs: number, durationMs: number): void {
    this.#selection.setRamp(beginMs, durationMs);
  }

  /** Changes the share of connections that are copied; running sessions go on. */
  setSampleFraction(fraction: number): void {
    this.#selection.setSampleFraction(fraction);
  }

  /** As {@link setSampleFraction}, with by what and how they are chosen. */
  setSample(sample: SampleConfig): void {
    this.#selection.setSample(sample);
  }

  /**
   * While the program is beyond its safety budget: of the connections that the sample chooses, only this share begins, in parts per
   * million, uniform and nested like the sample. The others end as `overBudget`. Running sessions go on.
   */
  setBudgetShare(sharePpm: number): void {
    this.#selection.setBudgetShare(sharePpm);
  }

  /**
   * Ends running sessions that the budget's share leaves out, newest first, until `sessionsMax` have ended or none is left. Returns how
   * many did. Drain the outputs afterwards.
   */
  shedOverBudget(sessionsMax: number, nowMs: number): number {
    const now = this.#setTime(nowMs);
    const ended = this.#capturer.shedOverBudget(sessionsMax, now);
    this.#replayer.flush(now);
    return ended;
  }

  /**
   * Gives memory of client streams back to the system, if nothing waits in it and `touchedBytesMin` octets of it or more were in use at one
   * time. Returns whether it did.
   */
  giveBackMemory(touchedBytesMin = 0): boolean {
    return this.#store.giveBack(touchedBytesMin);
  }

  /** The addresses that replace those of the clients of new sessions; empty: clients keep theirs. */
  setClientAddresses(ranges: readonly AddressRange[]): void {
    this.#selection.setClientAddresses(ranges);
  }

  /**
   * Suspends copying: every session ends as `suspended`, and nothing new begins; running connections are followed. Resumes it:
   * they are joined at their next turn. Drain the outputs afterwards.
   */
  setPaused(isPaused: boolean, nowMs: number): void {
    const now = this.#setTime(nowMs);
    this.#selection.isPaused = isPaused;
    if (isPaused) this.#replayer.endAll('suspended', now);
    this.#replayer.flush(now);
  }

  /**
   * The capture is over (a file was read to its end): connections whose end was not captured end now, as if their clients had reset
   * them. Their sessions deliver what they have first. Drain the outputs afterwards.
   */
  endCapture(nowMs: number): void {
    const now = this.#setTime(nowMs);
    this.#capturer.endCapture(now);
    this.#replayer.flush(now);
  }

  /** Ends every session: resets them at their targets and closes the ledger. Drain the outputs afterwards. */
  close(nowMs: number): void {
    const now = this.#setTime(nowMs);
    this.#capturer.endGaps(now);
    this.comparison?.close(now);
    this.#replayer.endAll('interrupted', now);
    this.#datagrams?.close();
    this.#capturer.endAll();
  }

  #setTime(nowMs: number): number {
    const now = Math.max(1, Math.floor(nowMs));
    this.trace.nowMs = now;
    const { clock } = this.#replayer;
    clock.nowMs = now;
    // The caller's clock may be finer than that of the rules.
    clock.nowUs = nowMs * 1000;
    this.#writer.tsNow = (now + this.#timestampBase) >>> 0;
    return now;
  }
}
