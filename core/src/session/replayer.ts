/**
 * Plays the client towards the targets: opens target connections, lets turns go when they are due, sends, acknowledges,
 * settles the ledger. One instance serves all sessions.
 *
 * Life of a session:
 *
 *   parked     no target connection: nothing to deliver, or the lane is down. A new turn opens one
 *   connected  replay.state is not CLOSED
 *   finished   the client has ended and nothing is left to deliver; the slot is free
 *
 * A session that loses its target connection goes on with a fresh one at the first turn of which the target has taken
 * nothing. What the target may have taken is never sent a second time.
 */
import { assert } from '../assert.js';
import {
  keptBytesOf,
  RESPONSE_ACK,
  RESPONSE_EVENT,
  RESPONSE_EVENT_FLOW_TABLE_FULL,
  RESPONSE_EVENT_FLOW_TAKEN,
  RESPONSE_EVENT_SEGMENT,
  RESPONSE_KEPT,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SESSION_ID,
  type ResponseBatch,
  responseRecordBytes,
} from '../batch/response-record.js';
import type { Comparison } from '../compare/comparison.js';
import { type EngineCounters, type LossReason, TERMINAL_STATES, type TerminalState } from '../counters.js';
import type { EngineConfig, ProtocolsConfig } from '../engine-config.js';
import { PortAllocator } from '../flow/port-allocator.js';
import type { TimerWheel } from '../flow/timer-wheel.js';
import { seq } from '../seq.js';
import type { SessionTrace } from '../trace/session-trace.js';
import { TRACE_KIND } from '../trace/trace-event.js';
import { readU32 } from '../wire/bytes.js';
import type { TooBig } from '../wire/too-big.js';
import { AnswerClock } from './answer-clock.js';
import type { ByteStore } from './byte-store.js';
import { CAPTURED_ENDED, type Captured, END_NONE, END_RESET, NO_SESSIONS } from './captured.js';
import { FlowNotices } from './flow-notices.js';
import type { Lanes } from './lanes.js';
import { Ledger } from './ledger.js';
import { IS_TO_OPEN, NOT_OPENING, OPENS, WAITS_TO_OPEN } from './opening-window.js';
import { PathMtuKeeper, TIMEOUTS_BEFORE_SMALLER } from './path-mtu-keeper.js';
import {
  CLOSE_WAIT,
  CLOSED,
  EVENT_ADVANCED,
  EVENT_ANSWERED,
  EVENT_BLACK_HOLE,
  EVENT_ESTABLISHED,
  EVENT_HALF_OPEN,
  EVENT_NEVER_OPEN,
  EVENT_PEER_FIN,
  EVENT_REFUSED,
  EVENT_RESET,
  EVENT_RESET_BEFORE_FIN,
  EVENT_STRAY,
  EVENT_TAKEN_KNOWN,
  FIN_WAIT_2,
  SYN_SENT,
  TIME_WAIT,
} from './replay.js';
import { Retention } from './retention.js';
import type { Script } from './script.js';
import { ScriptedSession } from './scripted-session.js';
import { Scripts } from './scripts.js';
import type { SegmentWriter } from './segment-writer.js';
import { Session, WORK_DUE, WORK_NONE, WORK_OVER } from './session.js';
import type { SessionTable } from './session-table.js';
import { TargetOpener } from './target-opener.js';
import { TargetSender } from './target-sender.js';
import type { TargetState } from './target-state.js';
import { TurnGate } from './turn-gate.js';

/** The target has this long to close its side once we have closed ours and it has nothing more to say; then it is reset. */
const FIN_WAIT_2_MS = 10_000;
/** Long enough to answer a repeated FIN; not 2 MSL (RFC 9293 3.6.1), as our sequence numbers never go back. */
const TIME_WAIT_MS = 500;
/** Fresh connections in a row without one turn delivered: then the target does not want us. */
const RESUMES_MAX = 3;
/**
 * A loss probe that is due for longer than this: we stood still, and what answers it may lie unread. It waits as long again. The program's
 * timers are up to 7 ms late by themselves.
 */
const PROBE_LATE_MS = 10;
/** A session whose target failed tries again no sooner than this. */
const RETRY_AFTER_FAILURE_MS = 1000;
/** A user that the target does not let in is not tried again sooner: servers lock users out, and clients' addresses. */
const RETRY_AFTER_REFUSAL_MS = 60_000;

export interface ReplayerParts {
  readonly config: EngineConfig;
  readonly counters: EngineCounters;
  readonly store: ByteStore;
  readonly lanes: Lanes;
  readonly sessions: SessionTable;
  readonly writer: SegmentWriter;
  readonly wheel: TimerWheel;
  readonly trace: SessionTrace;
  readonly comparison: Comparison | undefined;
}

export class Replayer {
  readonly #config: EngineConfig;
  readonly #counters: EngineCounters;
  readonly #lanes: Lanes;
  readonly #table: SessionTable;
  readonly #writer: SegmentWriter;
  readonly #wheel: TimerWheel;
  readonly #retention: Retention;
  readonly #ledger: Ledger;
  readonly #gate: TurnGate;
  readonly #trace: SessionTrace;
  /** How long answers take. The engine sets its time. */
  readonly clock = new AnswerClock();
  readonly #comparison: Comparison | undefined;
  readonly #notices: FlowNotices;
  /** Sessions that have something to send or settle, each once. */
  #dirty: Session[] = [];
  #spare: Session[] = [];
  /** Called when a connection's last session is gone. */
  readonly #onIdle: (captured: Captured) => void;
  /** Called when a protocol module finds that a connection goes on with TLS. */
  readonly #onEncrypted: (captured: Captured, nowMs: number) => void;
  readonly #sender: TargetSender;
  readonly #opener: TargetOpener;
  readonly #pathMtu: PathMtuKeeper;
  readonly #scripts: Scripts;

  constructor(
    parts: ReplayerParts,
    onIdle: (captured: Captured) => void,
    onEncrypted: (captured: Captured, nowMs: number) => void,
  ) {
    const { config, counters, store, lanes, sessions, writer, wheel, trace, comparison } = parts;
    this.#config = config;
    this.#counters = counters;
    this.#lanes = lanes;
    this.#table = sessions;
    this.#writer = writer;
    this.#wheel = wheel;
    this.#onIdle = onIdle;
    this.#onEncrypted = onEncrypted;
    this.#scripts = new Scripts(config, store, comparison);
    this.#sender = new TargetSender(parts, this.clock);
    this.#retention = new Retention(store);
    this.#trace = trace;
    this.#comparison = comparison;
    this.#ledger = new Ledger(counters, this.#retention, trace, this.clock, comparison);
    this.#gate = new TurnGate(config.wait, trace, comparison);
    this.#notices = new FlowNotices(sessions, lanes, writer);
    const ports = new PortAllocator(config.limits.sessionsMax, config.seed, config.ports);
    this.#pathMtu = new PathMtuKeeper(sessions, ports, counters, writer, this.touch);
    const { clock, touch } = this;
    this.#opener = new TargetOpener({ ...parts, ports, notices: this.#notices, sender: this.#sender, clock, touch });
  }

  /** A turn of the connection has begun. */
  noteTurn(session: Session, nowMs: number): void {
    this.#ledger.noteTurn(session, nowMs);
  }

  /** Who logs in at the targets from now on. */
  setProtocols(protocols: ProtocolsConfig | undefined): void {
    this.#scripts.setProtocols(protocols);
  }

  /** Why targets let nobody in, and how often: for people. */
  get loginProblems(): ReadonlyMap<string, number> {
    return this.#scripts.loginProblems;
  }

  /** A packet towards the endpoint with this key was too big for its path: see {@link PathMtuKeeper.noteTooBig}. */
  noteTooBig(bytes: Uint8Array, tooBig: TooBig, portKey: number, nowMs: number): void {
    this.#pathMtu.noteTooBig(bytes, tooBig, portKey, nowMs);
  }

  /** Tells a fresh intercept of the lane which flows are open. */
  reopenFlows(lane: number): void {
    this.#notices.reopen(lane);
  }

  /** Timers send at once: before that intercepts hear of flows, as far as the batches have room. What they have none for fills them. */
  flushNotices(): void {
    this.#notices.flush();
  }

  get hasBacklog(): boolean {
    return this.#sender.hasBlocked || this.#dirty.length > 0 || this.#notices.hasBacklog;
  }

  /** Makes a session that starts with turn `turn`; undefined when there is no room for it, or its lane is congested. */
  create(
    captured: Captured,
    target: TargetState,
    copy: number,
    clientAddress: Uint8Array,
    turn: number,
    nowMs: number,
  ): Session | undefined {
    const endpoint = this.#opener.endpointFor(captured, target, copy);
    if (this.#table.isFull || (endpoint !== undefined && this.#lanes.isCongested(endpoint.lane))) return undefined;
    const id = this.#table.nextId(this.#table.nextSlot);
    const script = this.#scripts.make(captured);
    const { clientPort } = captured;
    const parts = [id, captured, target, endpoint, copy, clientAddress, clientPort, turn, nowMs] as const;
    const session = script === undefined ? new Session(...parts) : new ScriptedSession(script, ...parts);
    session.replay.offersTimestamps = captured.offersTimestamps;
    session.replay.markBytes = this.#writer.markBytes;
    session.replay.offersWindowScale = captured.offersWindowScale;
    this.#table.add(session);
    this.#counters.sessionsStarted += 1;
    if (this.#trace.isOn) this.#trace.note(TRACE_KIND.sessionMade, session, turn);
    return session;
  }

  readonly touch = (session: Session): void => {
    if (session.work !== WORK_NONE) return;
    session.work = WORK_DUE;
    this.#dirty.push(session);
  };

  /** target --response headers--> sessions. */
  receive(lane: number, batch: ResponseBatch, nowMs: number): void {
    const { bytes, count } = batch;
    const counters = this.#counters;
    const tsNow = this.#writer.tsNow;
    for (let index = 0, at = batch.offset; index < count; index += 1, at += responseRecordBytes(batch, at)) {
      const id = readU32(bytes, at + RESPONSE_SESSION_ID);
      const session = this.#table.withId(id);
      if (session === undefined || session.endpoint?.lane !== lane) {
        counters.responsesUnknown += 1;
        continue;
      }
      const event = bytes[at + RESPONSE_EVENT]!;
      if (event !== RESPONSE_EVENT_SEGMENT) {
        this.#onInterceptEvent(session, event, nowMs);
        continue;
      }
      counters.responsesReceived += 1;
      counters.responseBytes += readU32(bytes, at + RESPONSE_PAYLOAD_BYTES);
      const isV6 = session.clientAddress.length === 16;
      const mssMax = this.#writer.mssMax(isV6, session.endpoint.pathMtuBytes);
      const { rcvNxt } = session.replay;
      const events = session.replay.receive(bytes, at, nowMs, tsNow, mssMax, isV6);
      if (this.#comparison !== undefined) {
        this.#comparison.noteAnswer(session, bytes, at, at + RESPONSE_KEPT, keptBytesOf(batch, at), nowMs);
      }
      if (session.script !== undefined && events & EVENT_ANSWERED) session.script.hear(session, batch, at, rcvNxt);
      this.#onSegment(session, events, bytes, at, nowMs);
    }
  }

  #onSegment(session: Session, events: number, bytes: Uint8Array, at: number, nowMs: number): void {
    if (this.#trace.isOn) this.#noteEvents(session, events);
    // What comes behind a refused login says nothing more.
    if (session.script?.player.state === 'refused') {
      this.#play(session, session.script, nowMs);
      return;
    }
    if (events & (EVENT_ESTABLISHED | EVENT_ADVANCED | EVENT_ANSWERED | EVENT_PEER_FIN)) session.progressMs = nowMs;
    if (events & EVENT_ESTABLISHED && session.replay.srttMs >= 0)
      session.endpoint?.noteHandshake(session.replay.srttMs);
    if (events & EVENT_ADVANCED) session.endpoint?.earnProbe();
    if (session.opening === OPENS) this.#opener.onOpening(session, events, nowMs);
    if (events & EVENT_ESTABLISHED) this.clock.connected(session);
    if (events & EVENT_ANSWERED) {
      this.clock.answered(session, bytes, at, readU32(bytes, at + RESPONSE_PAYLOAD_BYTES));
      this.#onAnswer(session, nowMs);
    }
    if (events & EVENT_BLACK_HOLE) this.#pathMtu.onBlackHole(session, nowMs);
    if (events & EVENT_PEER_FIN && session.replay.state === TIME_WAIT) session.lingerAtMs = nowMs + TIME_WAIT_MS;
    const isEarly = session.captured.end === END_NONE || session.turnUna < session.captured.turns.endIndex;
    if (events & EVENT_PEER_FIN && isEarly) session.target.noteClose();
    if (events & EVENT_PEER_FIN && this.#leaveUnreadTurn(session, nowMs)) return;
    if (events & EVENT_STRAY) {
      // RFC 9293 3.10.7.1: the reset has the number that the other end expects.
      this.#sender.resetAt(session, seq(readU32(bytes, at + RESPONSE_ACK)));
      return;
    }
    if (
      events & EVENT_RESET ||
      (events & EVENT_RESET_BEFORE_FIN && isRefused(session, session.replay.receivedBytes - 1))
    ) {
      this.#ledger.settle(session);
      this.#onReset(session, events, nowMs);
      return;
    }
    if (events & EVENT_REFUSED) {
      this.#fail(session, 'targetRefused', nowMs);
      return;
    }
    if (events & EVENT_HALF_OPEN && session.replay.retransmits > 0) {
      // RFC 9293 3.5.1: the other end remembers an old connection. A late segment of our own last one is no reason.
      this.#sender.resetAt(session, seq(readU32(bytes, at + RESPONSE_ACK)));
      session.replay.rtoAtMs = nowMs;
    }
    this.touch(session);
  }

  #noteEvents(session: Session, events: number): void {
    const trace = this.#trace;
    if (events & EVENT_ESTABLISHED) trace.note(TRACE_KIND.established, session, session.replay.srttMs);
    if (events & EVENT_ANSWERED && !session.answerCounted) {
      trace.note(TRACE_KIND.answered, session, session.turnNxt - 1);
    }
    if (events & EVENT_PEER_FIN) trace.note(TRACE_KIND.targetClosed, session);
    if (events & EVENT_RESET) trace.note(TRACE_KIND.targetReset, session);
    if (events & EVENT_REFUSED) trace.note(TRACE_KIND.targetRefused, session);
  }

  #onAnswer(session: Session, nowMs: number): void {
    const { replay } = session;
    // A half-closed connection lives as long as the answer goes on.
    if (replay.state === FIN_WAIT_2) session.lingerAtMs = nowMs + FIN_WAIT_2_MS;
    if (!session.answerCounted) {
      session.answerCounted = true;
      this.#counters.turnsAnswered += 1;
      session.target.noteAnswer();
    }
    if (session.trustedAtOffset >= 0) {
      // More of the last answer, before the target can have seen the turn that we let go: PSH was not its end.
      if (replay.sndUnaOffset <= session.trustedAtOffset) session.target.denyPush();
      session.trustedAtOffset = -1;
    }
  }

  #onInterceptEvent(session: Session, event: number, nowMs: number): void {
    const { replay } = session;
    if (event === RESPONSE_EVENT_FLOW_TAKEN && replay.state === CLOSED) {
      // Between two target connections: the next one gets another port.
      this.#opener.releasePort(session);
      return;
    }
    if (event === RESPONSE_EVENT_FLOW_TAKEN && replay.state === SYN_SENT) {
      // Another copy plays this client already: the same connection from another port is as good.
      this.#opener.releasePort(session);
      replay.close();
      if (this.#opener.takePort(session, nowMs, true)) this.#opener.connect(session, nowMs);
      else this.#fail(session, 'shed', nowMs);
      return;
    }
    this.#fail(session, event === RESPONSE_EVENT_FLOW_TABLE_FULL ? 'shed' : 'channelLost', nowMs);
  }

  /** Opens the target connection of a session that was just made with the next `flush`, if there is a way. */
  begin(session: Session): void {
    session.opening = IS_TO_OPEN;
    this.touch(session);
  }

  /** Opens a target connection at the first turn that is not settled. Sends the SYN. */
  #open(session: Session, nowMs: number): void {
    assert(session.replay.state === CLOSED, 'a session opens one target connection at a time');
    if (session.opening === IS_TO_OPEN) session.opening = NOT_OPENING;
    if (!session.holdsPort && !this.#opener.takePort(session, nowMs, session.copy > 0)) {
      this.#fail(session, 'shed', nowMs);
      return;
    }
    this.#opener.connect(session, nowMs);
  }

  /** Works through the sessions that something happened to. Those whose output has no room stay for the next call. */
  flush(nowMs: number): void {
    this.#sender.unblock(this.touch);
    this.#notices.flush();
    while (this.#dirty.length > 0) {
      const work = this.#dirty;
      this.#dirty = this.#spare;
      this.#spare = work;
      for (const session of work) {
        if (session.isFinished) continue;
        session.work = WORK_NONE;
        this.#run(session, nowMs);
      }
      work.length = 0;
    }
    this.#retention.flush();
  }

  /** Brings one session up to date: settles, opens gates, sends, arms its timer. */
  #run(session: Session, nowMs: number): void {
    const { replay, captured } = session;
    this.#ledger.settle(session);
    if (captured.turns.brokenCount > 0) this.#loseBroken(session, nowMs);
    if (replay.state === CLOSED) {
      this.#runParked(session, nowMs);
      return;
    }
    if (replay.state !== SYN_SENT) {
      this.#gate.open(session, nowMs);
      if (session.script !== undefined && !this.#play(session, session.script, nowMs)) return;
      this.#sender.text(session, nowMs);
      this.#ledger.settle(session);
      const hasPending = session.turnUna < captured.turns.endIndex;
      if (captured.end !== END_NONE && !hasPending) this.#sendEnd(session, nowMs);
      else if (replay.state === CLOSE_WAIT) this.#leaveClosedTarget(session, nowMs);
      if (session.isFinished) return;
      if (replay.isSynchronized) this.#sender.acknowledge(session, nowMs);
    }
    this.#armTimer(session, nowMs);
  }

  /** The protocol module's part: what it can translate now. False when the target connection, or the session, is over by it. */
  #play(session: Session, script: Script, nowMs: number): boolean {
    script.pull(session);
    const { player } = script;
    if (script.isFull) {
      this.#fail(session, 'shed', nowMs);
      return false;
    }
    if (player.state === 'refused') {
      this.#scripts.noteLoginProblem(player.problem);
      this.#fail(session, 'loginRefused', nowMs);
      return false;
    }
    if (player.state === 'lost') {
      const { captured, turnUna } = session;
      const isUnderWay = turnUna < captured.turns.endIndex;
      // Octets of the turn that the target has taken are given up already: it cannot begin anew.
      const isTaken = isUnderWay && captured.stream.startOffset > captured.turns.offsetOf(turnUna);
      this.#sender.reset(session);
      if (isTaken) this.#ledger.lose(session, turnUna + 1, 'targetReset');
      this.#disconnect(session, nowMs);
      return false;
    }
    if (player.state === 'encrypted') {
      this.#onEncrypted(session.captured, nowMs);
      return false;
    }
    while (session.turnUna < session.turnNxt && script.isUnknown(session.turnUna)) {
      this.#ledger.lose(session, session.turnUna + 1, 'stateUnknown');
    }
    return true;
  }

  #runParked(session: Session, nowMs: number): void {
    const { captured } = session;
    this.#loseContinuations(session);
    const hasTurn = session.turnUna < captured.turns.endIndex;
    // A client that has said nothing yet needs no other endpoint, and no connection that it can have later.
    if (!hasTurn && !this.#sender.isReachable(session)) this.#opener.leaveWindow(session);
    if (!hasTurn && session.opening === NOT_OPENING) {
      if (captured.state === CAPTURED_ENDED) this.#finish(session, session.failure ?? 'copied');
      return;
    }
    if (!this.#sender.isReachable(session)) this.#opener.relocate(session);
    if (session.endpoint === undefined) {
      this.#ledger.lose(session, captured.turns.endIndex, 'targetUnavailable');
      this.#noteFailure(session, 'targetUnavailable', nowMs);
      this.#runParked(session, nowMs);
      return;
    }
    if (session.failure !== undefined && nowMs < session.retryAtMs) {
      this.#opener.leaveWindow(session);
      this.#ledger.lose(session, captured.turns.endIndex, session.failure);
      this.#runParked(session, nowMs);
      return;
    }
    const isReachable = this.#sender.isReachable(session);
    // A client that is there sets the pace; see opening-window.ts for those that have gone.
    const mayOpen = isReachable && (captured.end === END_NONE || session.endpoint.openings.enter(session));
    if (mayOpen) {
      if (session.resumes > 0) {
        this.#counters.sessionsResumed += 1;
        if (this.#trace.isOn) this.#trace.note(TRACE_KIND.freshConnection, session, session.resumes);
      }
      this.#open(session, nowMs);
    } else {
      this.#armTimer(session, nowMs);
    }
  }

  /**
   * The session's endpoint was taken out of the settings. What it has taken stays delivered; the turn that was on its way is
   * lost, as the endpoint may have taken it, unless nothing of it was sent. The rest goes to another endpoint.
   */
  #leaveEndpoint(session: Session, nowMs: number): void {
    const { replay } = session;
    this.#ledger.settle(session);
    const isUnderWay = session.turnUna < session.turnNxt;
    if (
      isUnderWay &&
      !this.#ledger.settleAcknowledged(session) &&
      replay.sndMaxOffset > session.startOf(session.turnUna)
    ) {
      this.#ledger.lose(session, this.#ledger.turnAfter(session, replay.sndMaxOffset), 'targetUnavailable');
    }
    this.#abandon(session, nowMs);
    session.partingReason = 'targetUnavailable';
    this.#opener.relocate(session);
    this.touch(session);
  }

  /** Other settings are in force: lets go of what is gone. */
  applySettings(nowMs: number): void {
    for (const session of this.#table.all) {
      if (session === undefined) continue;
      if (session.target.isGone) this.end(session, 'withdrawn', nowMs);
      else if (session.endpoint?.isGone === true) this.#leaveEndpoint(session, nowMs);
    }
  }

  /** The lane is not there any more: nothing goes there. */
  forgetLane(lane: number): void {
    assert(
      this.#table.all.every((session) => session?.endpoint?.lane !== lane),
      'a lane is removed when no endpoint is left on it',
    );
    this.#notices.forgetLane(lane);
  }

  /**
   * Loses turns that cannot be delivered because bytes of them were never captured. The target connection stays when it
   * has seen nothing of them, and nothing that they go on with.
   */
  #loseBroken(session: Session, nowMs: number): void {
    const { replay, captured, script } = session;
    const { turns } = captured;
    while (session.turnUna < turns.endIndex && turns.isBroken(session.turnUna)) {
      const turn = session.turnUna;
      const start = session.startOf(turn);
      const end = captured.endOfTurn(turn);
      const goesOn = turns.isContinuation(turn) && replay.sndMaxOffset > replay.baseOffset;
      const hasBegun = goesOn || (script?.hasBegun(turn) ?? false);
      this.#ledger.lose(session, session.turnUna + 1, 'captureGap');
      if (replay.state === CLOSED) continue;
      if (replay.sndMaxOffset > start || hasBegun) this.#abandon(session, nowMs);
      else if (script !== undefined) script.skip(turn, end);
      else if (end > start) replay.skipTo(end);
    }
  }

  /**
   * Loses turns that only go on with a turn that is settled: without the target connection of that turn they are the
   * middle of a request.
   */
  #loseContinuations(session: Session): void {
    const { turns } = session.captured;
    while (session.turnUna < turns.endIndex && turns.isContinuation(session.turnUna)) {
      this.#ledger.lose(session, session.turnUna + 1, session.failure ?? session.partingReason);
    }
  }

  /**
   * Cuts the sessions of a connection because of which more than half of its octets or turns are held. False, and none
   * cut, when that is all of them.
   */
  cutLaggards(captured: Captured, nowMs: number): boolean {
    const laggards = this.#retention.laggards(captured);
    if (laggards.length === captured.sessions.length || laggards.length === 0) return false;
    for (const session of laggards) this.cut(session, captured.turns.endIndex, 'shed', nowMs);
    this.#retention.trimNow(captured);
    return true;
  }

  /** The client has ended its side: so do we once everything is delivered and the last answer is there. */
  #sendEnd(session: Session, nowMs: number): void {
    const { replay, captured } = session;
    if (replay.hasSentFin) return;
    // Half-close: a client that ends before the answer came does the same here. Otherwise the answer comes first, as
    // servers may drop what they were about to send to a client that has gone.
    const expected = captured.endAnswerBytes;
    const isReset = captured.end === END_RESET;
    const isAnswered = isReset
      ? this.#gate.isAnsweredWhole(session, expected, nowMs)
      : this.#gate.isAnswered(session, expected, nowMs);
    // A turn that was lost before anything went out gets none.
    const wasAsked = !session.isLastLost || replay.sndMaxOffset > replay.baseOffset;
    if (expected > 1 && wasAsked && !isAnswered) return;
    if (!this.#sender.isReachable(session)) return;
    if (isReset) {
      this.#sender.reset(session);
      this.#finish(session, session.failure ?? 'copied');
      return;
    }
    this.#sender.fin(session, nowMs);
  }

  /**
   * The target has closed while turns are left or may come: they go to a fresh connection. What is under way is waited
   * for first: a target that has only half-closed acknowledges it, one that has closed resets (RFC 9293 3.6.1), and what it
   * had not acknowledged by its FIN was never read.
   */
  #leaveClosedTarget(session: Session, nowMs: number): void {
    if (session.turnUna < session.turnNxt) return;
    this.#sender.bareFin(session);
    this.#disconnect(session, nowMs);
  }

  /**
   * The target closed while a turn was on its way of which it had taken nothing: a server that closes after its answer does
   * not look at another request, although its kernel may still take it. The turn goes to a fresh connection. It stays where
   * nothing was answered before, which is so for the first turn of a connection: a target that closes its side first means to go on
   * reading, and that FIN may come late (its header was lost, and it was repeated), behind turns that were read. Returns whether the
   * session left.
   */
  #leaveUnreadTurn(session: Session, nowMs: number): boolean {
    const { replay } = session;
    this.#ledger.settle(session);
    if (session.turnUna >= session.turnNxt) return false;
    const start = session.startOf(session.turnUna);
    if (replay.sndUnaOffset > start || replay.baseOffset === start || !session.isAnsweredBeyond(0)) return false;
    this.#sender.reset(session);
    this.#disconnect(session, nowMs);
    return true;
  }

  /** The target connection is gone or given up; turns that are left go to a fresh one. */
  #disconnect(session: Session, nowMs: number): void {
    const { replay, captured } = session;
    this.#opener.leaveWindow(session);
    replay.close();
    session.ackAtMs = 0;
    session.gateAtMs = 0;
    session.lingerAtMs = 0;
    session.turnNxt = session.turnUna;
    session.resumes += 1;
    if (session.turnUna < captured.turns.endIndex && session.resumes > RESUMES_MAX) {
      this.#fail(session, 'targetReset', nowMs);
      return;
    }
    this.touch(session);
  }

  /** The target has reset the connection. */
  #onReset(session: Session, events: number, nowMs: number): void {
    const { replay, captured } = session;
    const { turns } = captured;
    const isOver = replay.hasSentFin && session.turnUna >= turns.endIndex;
    if (isOver) {
      // Everything was delivered and our FIN sent: a target that answers with a reset has gone the short way.
      replay.close();
      this.#finish(session, session.failure ?? 'copied');
      return;
    }
    const owesAnswer = captured.endAnswerBytes > 1 && replay.receivedBytes <= session.answeredAtGate;
    if (captured.end !== END_NONE && session.turnUna >= turns.endIndex && owesAnswer) {
      // All is delivered, and we wait to close until the last answer is there: it will not come.
      this.#noteFailure(session, 'targetReset', nowMs);
    }
    if (session.turnUna < turns.endIndex && session.turnUna < session.turnNxt) {
      const start = session.startOf(session.turnUna);
      const isUntouched = replay.sndUnaOffset <= start && replay.sndMaxOffset <= start;
      // After the target's FIN nothing that it has not acknowledged was read (see leaveClosedTarget), unless it had only half-closed:
      // such a one may have died with the turn, and its host answers with a reset that does not say what it had taken.
      const answered = replay.receivedBytes - (events & EVENT_RESET_BEFORE_FIN ? 1 : 0);
      const isKnown = (events & EVENT_TAKEN_KNOWN) !== 0 || session.isAnsweredBeyond(0) || isRefused(session, answered);
      const isUnread =
        (events & EVENT_NEVER_OPEN) !== 0 || (replay.hasPeerFin && isKnown && replay.sndUnaOffset <= start);
      if (this.#ledger.settleAcknowledged(session)) {
        // Acknowledged whole and then reset instead of answered.
        this.#noteFailure(session, 'targetReset', nowMs);
      } else if (!isUntouched && !isUnread) {
        this.#ledger.lose(session, this.#ledger.turnAfter(session, replay.sndMaxOffset), 'targetReset');
        this.#noteFailure(session, 'targetReset', nowMs);
      }
    }
    this.#disconnect(session, nowMs);
  }

  #noteFailure(session: Session, reason: LossReason, nowMs: number): void {
    session.failure = reason;
    session.retryAtMs = nowMs;
  }

  /** Gives up what is pending; a later turn may try again. */
  #fail(session: Session, reason: LossReason, nowMs: number): void {
    const { captured } = session;
    this.#closeTarget(session);
    this.#ledger.lose(session, captured.turns.endIndex, reason);
    session.turnNxt = session.turnUna;
    session.failure = reason;
    session.retryAtMs = nowMs + (reason === 'loginRefused' ? RETRY_AFTER_REFUSAL_MS : RETRY_AFTER_FAILURE_MS);
    session.resumes = 1;
    if (captured.state === CAPTURED_ENDED) this.#finish(session, reason);
    else this.#wheel.cancel(session.slot);
  }

  /** Loses every turn before `turn` that is not delivered, and cuts the target connection if one of them was begun. */
  cut(session: Session, turn: number, reason: LossReason, nowMs: number): void {
    const { replay, captured } = session;
    const wasBegun = session.turnUna < turn && session.turnNxt > session.turnUna;
    this.#ledger.lose(session, turn, reason);
    const position = session.script?.consumed ?? replay.sndNxtOffset;
    if (replay.state !== CLOSED && (wasBegun || position < captured.streamEnd)) this.#abandon(session, nowMs);
    this.touch(session);
  }

  /** Gives up the target connection; the next turn gets a fresh one. */
  #abandon(session: Session, nowMs: number): void {
    this.#closeTarget(session);
    session.turnNxt = session.turnUna;
    session.resumes = Math.max(session.resumes, 1);
    session.retryAtMs = nowMs;
  }

  /** Resets the target connection, if there is one, and forgets what was timed for it. */
  #closeTarget(session: Session): void {
    const { replay } = session;
    this.#sender.reset(session);
    this.#opener.leaveWindow(session);
    replay.close();
    session.ackAtMs = 0;
    session.gateAtMs = 0;
    session.lingerAtMs = 0;
  }

  /** Ends the session whatever it is doing. */
  end(session: Session, reason: LossReason, nowMs: number): void {
    if (session.isFinished) return;
    this.#comparison?.noteLost(session, 0, Number.POSITIVE_INFINITY, reason);
    this.#ledger.settleAcknowledged(session);
    const hasPending = session.turnUna < session.captured.turns.endIndex;
    const { state, hasSentFin } = session.replay;
    const isRunning = session.captured.end === END_NONE || (state !== CLOSED && !hasSentFin);
    const terminal: TerminalState = hasPending || isRunning ? reason : (session.failure ?? 'copied');
    if (hasPending) this.#ledger.lose(session, session.captured.turns.endIndex, reason);
    this.#sender.reset(session);
    session.progressMs = nowMs;
    this.#finish(session, session.failure ?? terminal);
  }

  #finish(session: Session, terminal: TerminalState): void {
    if (session.isFinished) return;
    const { captured, replay } = session;
    assert(session.turnUna >= captured.turns.endIndex, 'a session finishes when its turns are settled');
    if (this.#trace.isOn) this.#trace.note(TRACE_KIND.ended, session, TERMINAL_STATES.indexOf(terminal));
    session.work = WORK_OVER;
    this.#opener.leaveWindow(session);
    this.clock.settle(session);
    this.#comparison?.endSession(session);
    replay.close();
    session.script?.trim(session, true);
    this.#counters.terminal[terminal] += 1;
    this.#opener.releasePort(session);
    this.#wheel.cancel(session.slot);
    this.#table.remove(session);
    if (captured.sessions.length === 1) {
      captured.sessions = NO_SESSIONS;
      this.#onIdle(captured);
    } else {
      captured.sessions = captured.sessions.filter((other) => other !== session);
      this.#retention.trim(captured);
    }
  }

  /** The wheel's wake-up of a session. */
  onTimer(slot: number, nowMs: number): void {
    const session = this.#table.at(slot);
    if (session === undefined) return;
    const { replay } = session;
    if (session.lingerAtMs !== 0 && nowMs >= session.lingerAtMs) {
      if (replay.state !== TIME_WAIT) this.#sender.reset(session);
      this.#finish(session, session.failure ?? 'copied');
      return;
    }
    if (this.#timeoutAtMs(session) <= nowMs) {
      this.#onNoProgress(session, nowMs);
      return;
    }
    if (replay.rtoAtMs !== 0 && nowMs >= replay.rtoAtMs) this.#onRetransmissionTimeout(session, nowMs);
    else if (replay.probeAtMs > 0 && nowMs >= replay.probeAtMs) this.#onProbeTimeout(session, nowMs);
    this.touch(session);
  }

  #onProbeTimeout(session: Session, nowMs: number): void {
    const { replay } = session;
    if (nowMs - replay.probeAtMs > PROBE_LATE_MS) {
      replay.probeAtMs = nowMs + PROBE_LATE_MS;
      return;
    }
    replay.probeAtMs = 0;
    if (!replay.mayProbe || !this.#sender.isReachable(session) || session.endpoint?.takeProbe() !== true) return;
    this.#sender.lossProbe(session, nowMs);
  }

  #onRetransmissionTimeout(session: Session, nowMs: number): void {
    const { replay } = session;
    if (this.#trace.isOn) this.#trace.note(TRACE_KIND.timedOut, session, replay.rtoMs);
    if (session.opening === OPENS) session.endpoint!.openings.noteLost(nowMs);
    replay.timeOut(nowMs);
    if (!this.#sender.isReachable(session)) return;
    if (replay.state === SYN_SENT) {
      this.#counters.segmentsRetransmitted += 1;
      this.#sender.syn(session);
    } else if (replay.hasSentFin && replay.sndUnaOffset === replay.sndMaxOffset) {
      this.#counters.segmentsRetransmitted += 1;
      this.#sender.bareFin(session);
    } else if (replay.sndWnd > 0 && replay.retransmits >= TIMEOUTS_BEFORE_SMALLER) {
      this.#pathMtu.trySmaller(session);
    } else if (replay.sndWnd === 0 && replay.sndUnaOffset < session.sendLimit()) {
      this.#sender.probe(session, nowMs);
    }
  }

  /** When the session gives up for lack of progress; Infinity while it waits for nothing. */
  #timeoutAtMs(session: Session): number {
    const { replay, captured } = session;
    const waits =
      session.turnUna < captured.turns.endIndex ||
      replay.state === SYN_SENT ||
      (captured.end !== END_NONE && session.lingerAtMs === 0 && replay.state !== FIN_WAIT_2);
    return waits ? session.progressMs + this.#config.responseTimeoutMs : Number.POSITIVE_INFINITY;
  }

  #onNoProgress(session: Session, nowMs: number): void {
    const { captured, replay } = session;
    const isLaneDown = !this.#sender.isReachable(session);
    // A last turn that the target has taken and never answered, on a connection that stays open: nothing waits for it.
    if (captured.end === END_NONE && replay.state !== SYN_SENT && this.#ledger.settleAcknowledged(session)) {
      if (session.turnUna >= captured.turns.endIndex) {
        this.touch(session);
        return;
      }
    }
    const isWaiting = session.opening === WAITS_TO_OPEN;
    this.#fail(session, isLaneDown ? 'channelLost' : isWaiting ? 'shed' : 'noResponse', nowMs);
  }

  #armTimer(session: Session, nowMs: number): void {
    const { replay } = session;
    if (session.isFinished) return;
    if (replay.state === FIN_WAIT_2 && session.lingerAtMs === 0) session.lingerAtMs = nowMs + FIN_WAIT_2_MS;
    if (replay.state === TIME_WAIT && session.lingerAtMs === 0) session.lingerAtMs = nowMs + TIME_WAIT_MS;
    replay.timeProbe(nowMs);
    let at = this.#timeoutAtMs(session);
    if (replay.rtoAtMs !== 0 && replay.rtoAtMs < at) at = replay.rtoAtMs;
    if (replay.probeAtMs !== 0 && replay.probeAtMs < at) at = replay.probeAtMs;
    if (session.ackAtMs !== 0 && session.ackAtMs < at) at = session.ackAtMs;
    if (session.gateAtMs !== 0 && session.gateAtMs < at) at = session.gateAtMs;
    if (session.lingerAtMs !== 0 && session.lingerAtMs < at) at = session.lingerAtMs;
    if (at !== Number.POSITIVE_INFINITY) this.#wheel.arm(session.slot, at);
  }

  /** A lane's channel went away or came back. */
  setLaneUp(lane: number, isUp: boolean, nowMs: number): void {
    if (this.#lanes.isUp(lane) === isUp) return;
    this.#lanes.setUp(lane, isUp);
    if (!isUp) return;
    for (const session of this.#table.all) {
      if (session?.endpoint?.lane !== lane) continue;
      // What was sent into the void goes out again now, not when the backed-off timer says so.
      if (session.replay.rtoAtMs !== 0) session.replay.rtoAtMs = nowMs;
      this.#wheel.arm(session.slot, nowMs);
      this.touch(session);
    }
  }

  endSessions({ sessions }: Captured, reason: LossReason, nowMs: number): void {
    for (const session of sessions) this.end(session, reason, nowMs);
  }

  endAll(reason: LossReason, nowMs: number): void {
    for (const session of this.#table.all) {
      if (session !== undefined) this.end(session, reason, nowMs);
    }
  }
}

/**
 * Whether a reset without ACK answers the turn under way, which nobody has read then: the reset has the number that the segment had
 * acknowledged (RFC 9293 3.10.7.1), here behind `answered` octets of the target, and the turn went out as one segment, once, when it had
 * sent so many.
 */
function isRefused(session: Session, answered: number): boolean {
  const { replay, turnUna, turnNxt, answeredAtGate } = session;
  if (answered !== answeredAtGate || turnNxt !== turnUna + 1 || !replay.isOneSegment) return false;
  return replay.sndUnaOffset <= session.startOf(turnUna);
}
