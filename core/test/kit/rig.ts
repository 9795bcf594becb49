/** An engine between clients and a target, with a clock that only moves when told. */
import assert from 'node:assert/strict';
import { LOSS_REASONS, TERMINAL_STATES } from '../../src/counters.js';
import { Engine } from '../../src/engine.js';
import type { EngineConfig } from '../../src/engine-config.js';
import { BenchTarget, type TargetBehaviour } from './bench-target.js';
import { Client } from './client.js';
import { ENGINE_CONFIG, mappingTo, TARGET } from './engine-setup.js';
import { batchOf } from './segment.js';

/** With tables so small that a test fills them. */
export const CONFIG: EngineConfig = {
  ...ENGINE_CONFIG,
  mappings: [mappingTo(TARGET)],
  responseTimeoutMs: 5000,
  limits: {
    connectionsMax: 1024,
    sessionsMax: 2048,
    heldBytesMax: 8 * 1024 * 1024,
    heldBytesPerConnectionMax: 4 * 1024 * 1024,
    lanesMax: 8,
    batchBytesMax: 1024 * 1024,
    batchPacketsMax: 4096,
  },
};

const TARGET_RTO_MS = 300;

export class Rig {
  readonly engine: Engine;
  /** What is behind lane 0. */
  readonly target: BenchTarget;
  readonly #targets: BenchTarget[] = [];
  readonly #behaviour: TargetBehaviour;
  /** Sessions that one connection of the first mapping makes. */
  readonly #sessionsForEach: number;
  nowMs = 1000;
  /** When the target repeats what is not acknowledged, with loss of answers. */
  #retransmitAtMs = 1000;

  constructor(config: Partial<EngineConfig> = {}, behaviour: TargetBehaviour = {}) {
    const whole = { ...CONFIG, ...config };
    this.engine = new Engine(whole, this.nowMs);
    this.#sessionsForEach = whole.copies * (whole.mappings[0]?.targets.length ?? 0);
    this.#behaviour = behaviour;
    this.target = this.targetOf(0);
  }

  /** What is behind a lane. */
  targetOf(lane: number): BenchTarget {
    this.#targets[lane] ??= new BenchTarget(this.#behaviour);
    return this.#targets[lane];
  }

  /** clients --packets--> capture, then everything that follows from it without time passing. */
  capture(...packets: Uint8Array[]): void {
    this.engine.ingestCaptured(batchOf(packets), this.nowMs);
    this.settle();
  }

  /** A connection that is seen from its start. */
  open(client = new Client()): Client {
    this.capture(client.syn(), client.acknowledge());
    return client;
  }

  /** Lets engine and target talk until neither has anything to say. */
  settle(): void {
    for (let round = 0; round < 10_000; round += 1) {
      const hasSaid = this.#exchange();
      if (this.engine.nextDeadlineMs() === 0) this.engine.advance(this.nowMs);
      if (!hasSaid && this.engine.outputs.every((output) => output?.isEmpty ?? true)) {
        this.checkLedger();
        return;
      }
    }
    assert.fail('engine and target do not come to rest');
  }

  /** Engine and targets say what they have to say, once. Returns whether a target had. */
  #exchange(): boolean {
    let hasSaid = false;
    for (const [lane, output] of this.engine.outputs.entries()) {
      if (output === undefined) continue;
      const target = this.targetOf(lane);
      target.take(output);
      const answers = target.drain();
      if (answers.count === 0) continue;
      hasSaid = true;
      this.engine.ingestResponses(lane, answers, this.nowMs);
    }
    return hasSaid;
  }

  /** Time passes; timers run when they are due. */
  wait(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const repeats = this.#behaviour.loseAnswer !== undefined;
      const deadline = Math.min(this.engine.nextDeadlineMs(), repeats ? this.#retransmitAtMs : end + 1);
      if (deadline > end) break;
      this.nowMs = Math.max(this.nowMs, deadline);
      if (repeats && this.nowMs >= this.#retransmitAtMs) {
        this.#retransmitAtMs = this.nowMs + TARGET_RTO_MS;
        for (const target of this.#targets) target?.retransmit();
      }
      this.engine.advance(this.nowMs);
      this.settle();
    }
    this.nowMs = end;
    this.engine.advance(this.nowMs);
    this.settle();
  }

  /** Every connection has ended: what it took is free, and each of its sessions is in exactly one terminal state. */
  checkEnd(): void {
    const { counters } = this.engine;
    this.checkRest();
    const sessions = this.#sessionsForEach * counters.connectionsSeen;
    const ended = TERMINAL_STATES.reduce((sum, state) => sum + counters.terminal[state], 0);
    assert.equal(ended, sessions, 'each session ends once');
  }

  /** Nothing is left of anything. */
  checkRest(): void {
    assert.equal(this.engine.sessionsOpen, 0, 'no session is left');
    assert.equal(this.engine.connectionsOpen, 0, 'no connection is left');
    assert.equal(this.engine.heldBytes, 0, 'no octet is held');
    assert.equal(this.engine.counters.turnsPending, 0, 'no turn is pending');
    this.checkLedger();
  }

  /** The sums of the ledger. */
  checkLedger(): void {
    const { counters } = this.engine;
    const lost = LOSS_REASONS.reduce((sum, reason) => sum + counters.turnsLost[reason], 0);
    assert.equal(counters.turnsCaptured, counters.turnsDelivered + lost + counters.turnsPending, 'turns add up');
    assert.ok(counters.turnsPending >= 0, 'no turn is settled twice');
  }

  terminals(): Record<string, number> {
    const { terminal } = this.engine.counters;
    return Object.fromEntries(
      TERMINAL_STATES.filter((state) => terminal[state] > 0).map((state) => [state, terminal[state]]),
    );
  }

  lost(): Record<string, number> {
    const { turnsLost } = this.engine.counters;
    return Object.fromEntries(
      LOSS_REASONS.filter((reason) => turnsLost[reason] > 0).map((reason) => [reason, turnsLost[reason]]),
    );
  }
}
