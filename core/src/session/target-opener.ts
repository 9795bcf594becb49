/** Opens target connections: which endpoint, which port of the client, when (opening-window.ts), and the SYN; and gives the port back. */
import { assert } from '../assert.js';
import type { Comparison } from '../compare/comparison.js';
import type { EngineConfig } from '../engine-config.js';
import { flowHash } from '../flow/flow-hash.js';
import type { PortAllocator } from '../flow/port-allocator.js';
import { add, seq } from '../seq.js';
import type { AnswerClock } from './answer-clock.js';
import type { Captured } from './captured.js';
import type { EndpointState } from './endpoint-state.js';
import type { FlowNotices } from './flow-notices.js';
import type { Lanes } from './lanes.js';
import { NOT_OPENING, OPENS } from './opening-window.js';
import { CLOSED, EVENT_ADVANCED, EVENT_ANSWERED, EVENT_ESTABLISHED, EVENT_PEER_FIN } from './replay.js';
import type { Session } from './session.js';
import type { SessionTable } from './session-table.js';
import type { TargetSender } from './target-sender.js';
import type { TargetState } from './target-state.js';

/** Linux counts initial sequence numbers in 64 ns (RFC 6528 3 with a faster clock): 15,625 in a millisecond. */
const ISS_PER_MS = 15_625;
/** A fresh connection with the same ports starts so far beyond the one before that no old segment fits its window. */
const ISS_STEP = 16 * 1024 * 1024;

export interface TargetOpenerParts {
  readonly config: EngineConfig;
  readonly lanes: Lanes;
  readonly sessions: SessionTable;
  readonly comparison: Comparison | undefined;
  readonly ports: PortAllocator;
  readonly notices: FlowNotices;
  readonly sender: TargetSender;
  readonly clock: AnswerClock;
  /** Called with sessions that may go on. */
  readonly touch: (session: Session) => void;
}

export class TargetOpener {
  readonly #config: EngineConfig;
  readonly #lanes: Lanes;
  readonly #table: SessionTable;
  readonly #comparison: Comparison | undefined;
  readonly #ports: PortAllocator;
  readonly #notices: FlowNotices;
  readonly #sender: TargetSender;
  readonly #clock: AnswerClock;
  readonly #touch: (session: Session) => void;

  constructor(parts: TargetOpenerParts) {
    this.#config = parts.config;
    this.#lanes = parts.lanes;
    this.#table = parts.sessions;
    this.#comparison = parts.comparison;
    this.#ports = parts.ports;
    this.#notices = parts.notices;
    this.#sender = parts.sender;
    this.#clock = parts.clock;
    this.#touch = parts.touch;
  }

  /** The endpoint that is right now for a session like this; undefined: the target has none. */
  endpointFor({ clientAddress, clientPort }: Captured, target: TargetState, copy: number): EndpointState | undefined {
    if (target.endpoints.length <= 1) return target.endpoints[0];
    const word = (clientPort << 16) | copy;
    const hash = flowHash(this.#config.seed, clientAddress, 0, clientAddress.length, word);
    return target.endpointFor(hash, this.#lanes);
  }

  /** A session without a target connection goes to the endpoint that is right for it now. */
  relocate(session: Session): void {
    const endpoint = this.endpointFor(session.captured, session.target, session.copy);
    if (endpoint === session.endpoint) return;
    assert(session.replay.state === CLOSED, 'a session changes its endpoint between two target connections');
    this.leaveWindow(session);
    this.releasePort(session);
    session.endpoint = endpoint;
    // A late answer of the old endpoint, maybe on the same lane, must not be taken for one of the new.
    session.id = this.#table.nextId(session.slot);
  }

  /** A connection of the window was heard of. One that has nothing to say waits for no answer. */
  onOpening(session: Session, events: number, nowMs: number): void {
    if (events & EVENT_ADVANCED) session.endpoint!.openings.noteAccepted(nowMs);
    const isSilent = session.turnUna >= session.captured.turns.endIndex;
    if (events & (EVENT_ANSWERED | EVENT_PEER_FIN) || (events & EVENT_ESTABLISHED && isSilent)) {
      this.leaveWindow(session);
    }
  }

  /** Gives the place of the session in its endpoint's window to those that wait. */
  leaveWindow(session: Session): void {
    if (session.opening === NOT_OPENING) return;
    const { opening } = session;
    session.opening = NOT_OPENING;
    if (opening !== OPENS) return;
    const { openings } = session.endpoint!;
    openings.leave();
    for (let next = openings.next(); next !== undefined; next = openings.next()) this.#touch(next);
  }

  /** A port of the client for the session: the client's own, unless it is taken or `another` is asked for. False: none is free. */
  takePort(session: Session, nowMs: number, another: boolean): boolean {
    const { clientAddress } = session;
    const { portKey } = session.endpoint!;
    const port = session.captured.clientPort;
    if (!another && this.#ports.take(clientAddress, port, portKey, session.slot)) {
      session.clientPort = port;
      session.holdsPort = true;
      return true;
    }
    const salt = (port * 65599 + session.copy * 31 + Math.floor(nowMs)) | 0;
    const free = this.#ports.takeAny(clientAddress, portKey, salt, session.slot);
    if (free === 0) return false;
    session.clientPort = free;
    session.holdsPort = true;
    return true;
  }

  /** Begins a target connection at the first turn that is not settled: everything as it is at its start, and the SYN. */
  connect(session: Session, nowMs: number): void {
    const { replay, captured } = session;
    const { turns } = captured;
    const hasTurn = session.turnUna < turns.endIndex;
    const streamOffset = hasTurn ? turns.offsetOf(session.turnUna) : captured.streamEnd;
    const { script } = session;
    // Behind octets that were never captured the stream goes on at the same offset, with a later turn.
    script?.connect(session.turnUna, streamOffset, captured.hasSyn && streamOffset === 0 && session.turnUna === 0);
    const baseOffset = script === undefined ? streamOffset : 0;
    const salt = (session.clientPort << 16) | session.endpoint!.portKey;
    session.endpoint!.forgetOldPath(nowMs);
    const hash = flowHash(this.#config.seed, session.clientAddress, 0, session.clientAddress.length, salt);
    let iss = seq(hash + Math.floor(nowMs * ISS_PER_MS));
    if (session.resumes > 0) iss = add(replay.seqAt(replay.sndMaxOffset), ISS_STEP);
    this.#clock.settle(session);
    replay.open(baseOffset, iss);
    this.#comparison?.noteConnect(session);
    session.turnNxt = session.turnUna;
    session.answeredAtGate = 0;
    session.surplusBytes = 0;
    session.answerCounted = true;
    session.trustedAtOffset = -1;
    session.partingReason = 'targetReset';
    session.ackAtMs = 0;
    session.gateAtMs = 0;
    session.lingerAtMs = 0;
    session.progressMs = nowMs;
    replay.rttStartMs = nowMs;
    replay.rtoMs = Math.max(replay.rtoMs, session.endpoint?.rtoSharedMs ?? 0);
    replay.rtoAtMs = nowMs + replay.rtoMs;
    this.#sender.syn(session);
    this.#touch(session);
  }

  releasePort(session: Session): void {
    if (!session.holdsPort) return;
    session.holdsPort = false;
    const { id, clientAddress, clientPort } = session;
    const { portKey, lane } = session.endpoint!;
    this.#ports.release(clientAddress, clientPort, portKey);
    this.#notices.release(id, lane);
  }
}
