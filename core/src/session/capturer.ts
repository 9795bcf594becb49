/**
 * Follows the connections of clients to online: finds the captured half of each packet, puts the stream together, marks
 * the turns, and tells the replayer.
 */
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_TIME_US,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
} from '../batch/packet-batch.js';
import type { Comparison } from '../compare/comparison.js';
import type { EngineCounters, TerminalState } from '../counters.js';
import type { EngineConfig } from '../engine-config.js';
import type { TimerWheel } from '../flow/timer-wheel.js';
import { TURNS_MAX_DEFAULT } from '../limits.js';
import { add, lessThan, type Seq, sizeBetween } from '../seq.js';
import type { SessionTrace } from '../trace/session-trace.js';
import { TRACE_KIND } from '../trace/trace-event.js';
import { PacketHeader, parsePacket } from '../wire/packet-header.js';
import { ACK, FIN, PSH, RST, SYN } from '../wire/tcp.js';
import { parseTcpOptions, TcpOptions } from '../wire/tcp-options.js';
import { parseQuoted, parseTooBig, TooBig } from '../wire/too-big.js';
import type { ByteStore } from './byte-store.js';
import {
  CAPTURED_ENDED,
  CAPTURED_JOINING,
  CAPTURED_OPEN,
  Captured,
  EARLY_OVERHEAD_BYTES,
  type EarlySegment,
  END_FIN,
  END_RESET,
  NEVER_JOINED,
  OUT_OF_ORDER_BYTES_MAX,
} from './captured.js';
import { ConnectionTable } from './connection-table.js';
import { Gap } from './gap.js';
import { GapTime } from './gap-time.js';
import type { MappingState } from './mapping-state.js';
import { RecentEnds } from './recent-ends.js';
import type { Replayer } from './replayer.js';
import type { Selection } from './selection.js';
import type { Session } from './session.js';
import type { SessionTable } from './session-table.js';
import { StreamOpening } from './stream-opening.js';
import type { TargetState } from './target-state.js';
import { TURN_CONTINUES, TURNS_MAX } from './turns.js';

/** A segment that lies farther ahead of the stream than any window belongs to no stream that we know (RFC 7323 2.3). */
const AHEAD_BYTES_MAX = 0x3fffffff;
/** Connections that are looked at to make room for one, and how long they must have been quiet. */
const ROOM_LOOKS_MAX = 64;
const ROOM_QUIET_MS = 1000;

export class Capturer {
  readonly #config: EngineConfig;
  readonly #counters: EngineCounters;
  readonly #trace: SessionTrace;
  readonly #comparison: Comparison | undefined;
  /** When the packet was captured that is looked at. */
  #capturedAtUs = 0;
  readonly #store: ByteStore;
  readonly #wheel: TimerWheel;
  /** Wheel ids of connections begin here, behind those of sessions. */
  readonly #wheelBase: number;
  readonly #connections: ConnectionTable;
  readonly #recentEnds: RecentEnds;
  readonly #sessions: SessionTable;
  readonly #selection: Selection;
  readonly #header = new PacketHeader();
  readonly #options = new TcpOptions();
  readonly #tooBig = new TooBig();
  #replayer!: Replayer;
  /** Octets of early segments of all connections, and how many there may be. */
  #earlyBytes = 0;
  readonly #earlyBytesMax: number;
  readonly #turnsMax: number;
  /** The sessions of the connection that is being made. */
  readonly #made: Session[] = [];
  /** Connections that carry TLS, by the port of online. */
  readonly encryptedByPort = new Map<number, number>();

  constructor(
    config: EngineConfig,
    selection: Selection,
    counters: EngineCounters,
    store: ByteStore,
    sessions: SessionTable,
    wheel: TimerWheel,
    wheelBase: number,
    trace: SessionTrace,
    comparison: Comparison | undefined,
  ) {
    this.#config = config;
    this.#selection = selection;
    this.#counters = counters;
    this.#store = store;
    this.#sessions = sessions;
    this.#wheel = wheel;
    this.#wheelBase = wheelBase;
    this.#trace = trace;
    this.#comparison = comparison;
    this.#connections = new ConnectionTable(config.limits.connectionsMax, config.seed);
    this.#recentEnds = new RecentEnds(config.limits.connectionsMax, config.seed);
    this.#turnsMax = config.limits.turnsMax ?? TURNS_MAX_DEFAULT;
    this.#earlyBytesMax = Math.max(OUT_OF_ORDER_BYTES_MAX, Math.floor(config.limits.heldBytesMax / 4));
  }

  attach(replayer: Replayer): void {
    this.#replayer = replayer;
  }

  get openCount(): number {
    return this.#connections.openCount;
  }

  /** Forgets the connections whose mapping is gone. */
  dropUnmapped(): void {
    for (const captured of this.#connections.all) {
      if (captured === undefined || !captured.mapping.isGone) continue;
      this.#countUnjoined(captured, 'withdrawn');
      this.#remove(captured);
    }
  }

  /**
   * Ends running sessions of connections that the budget leaves out, newest first, until `sessionsMax` have ended; those of one
   * connection together. Its next packet is that of a running connection, and left out like any other. Returns how many ended.
   */
  shedOverBudget(sessionsMax: number, nowMs: number): number {
    const beyond: Captured[] = [];
    for (const captured of this.#connections.all) {
      if (captured === undefined || captured.sessions.length === 0) continue;
      if (this.#selection.isOverBudget(captured)) beyond.push(captured);
    }
    beyond.sort((a, b) => b.order - a.order);
    let ended = 0;
    for (const captured of beyond) {
      if (ended >= sessionsMax) break;
      ended += captured.sessions.length;
      this.#replayer.endSessions(captured, 'overBudget', nowMs);
      this.#remove(captured);
    }
    return ended;
  }

  /** client --captured packets--> connections. */
  ingest(batch: PacketBatch, nowMs: number): void {
    const { bytes, entries, count } = batch;
    for (let index = 0, at = 0; index < count; index += 1, at += PACKET_ENTRY_FIELDS) {
      const offset = entries[at + ENTRY_OFFSET]!;
      const capturedBytes = entries[at + ENTRY_CAPTURED_BYTES]!;
      this.#capturedAtUs = entries[at + ENTRY_TIME_US]!;
      this.#onPacket(bytes, offset, capturedBytes, entries[at + ENTRY_WIRE_BYTES]!, nowMs);
    }
  }

  #onPacket(bytes: Uint8Array, offset: number, capturedBytes: number, wireBytes: number, nowMs: number): void {
    const counters = this.#counters;
    const header = this.#header;
    counters.packetsCaptured += 1;
    if (parsePacket(bytes, offset, capturedBytes, wireBytes, header) !== 'ok') {
      if (parseTooBig(bytes, offset, capturedBytes, this.#tooBig)) this.#onTooBig(bytes, nowMs);
      else counters.packetsMalformed += 1;
      return;
    }
    const { addressOffset, addressBytes, destinationPort, flags } = header;
    const online = this.#selection.onlines.find(bytes, addressOffset + addressBytes, addressBytes, destinationPort);
    if (online < 0) {
      if (this.#comparison === undefined || !this.#isAnswer(this.#comparison, bytes, nowMs))
        counters.packetsUnmapped += 1;
      return;
    }
    counters.bytesCaptured += header.payloadBytes;
    const known = this.#connections.find(bytes, header, online);
    // A client never sends SYN and ACK together, unless it is the answering side of a simultaneous open.
    if ((flags & (SYN | ACK | RST)) === SYN) {
      this.#onSyn(bytes, known, online, nowMs);
      return;
    }
    if (known !== undefined) {
      known.lastSeenMs = nowMs;
      this.#onSegment(known, bytes, nowMs);
      return;
    }
    // A running connection is followed from its first data on. Acknowledgements and ends that fit no connection are the
    // rest of one that is over.
    if ((flags & (SYN | RST | FIN)) !== 0 || (flags & ACK) === 0 || header.payloadBytes === 0) return;
    if (this.#recentEnds.isRepeated(bytes, header, online, nowMs)) counters.captureDuplicates += 1;
    else this.#onUnknown(bytes, online, nowMs);
  }

  /** online --segment--> client, which only a capture for a comparison has. */
  #isAnswer(comparison: Comparison, bytes: Uint8Array, nowMs: number): boolean {
    const { addressOffset, addressBytes, sourcePort } = this.#header;
    const online = this.#selection.onlines.find(bytes, addressOffset, addressBytes, sourcePort);
    if (online < 0) return false;
    const captured = this.#connections.findAnswered(bytes, this.#header, online);
    if (captured !== undefined) comparison.noteOnline(captured, bytes, this.#header, this.#capturedAtUs, nowMs);
    return true;
  }

  /** router --ICMP--> client's address, which is one of this host. */
  #onTooBig(bytes: Uint8Array, nowMs: number): void {
    const { addressOffset, addressBytes, destinationPort } = this.#tooBig;
    const from = addressOffset + addressBytes;
    const portKey = this.#selection.mappings.portKeyOf(bytes.slice(from, from + addressBytes), destinationPort);
    if (portKey >= 0) this.#replayer.noteTooBig(bytes, this.#tooBig, portKey, nowMs);
  }

  /**
   * The packet of ours that begins at [offset, end) was too big for its path, which carries `mtuBytes`, or fewer than the packet has
   * where that is 0.
   */
  noteTooBig(bytes: Uint8Array, offset: number, end: number, mtuBytes: number, nowMs: number): void {
    if (!parseQuoted(bytes, offset, end, this.#tooBig)) return;
    this.#tooBig.mtuBytes = mtuBytes;
    this.#onTooBig(bytes, nowMs);
  }

  #onSyn(bytes: Uint8Array, known: Captured | undefined, online: number, nowMs: number): void {
    const header = this.#header;
    if (known !== undefined) {
      const isOpen = known.state !== CAPTURED_ENDED || known.sessions.length === 0;
      if (known.hasSyn && known.iss === header.seq && isOpen) {
        this.#counters.captureDuplicates += 1;
        return;
      }
      // The client uses its port again: the old connection has ended, whether or not its FIN was captured.
      this.#connections.forget(known);
      if (known.state !== CAPTURED_ENDED) this.#endStream(known, END_RESET, nowMs);
      else if (known.sessions.length === 0) this.#remove(known);
    }
    // It is joined when copying goes on, as one that ran before the capture.
    if (this.#selection.isPaused) return;
    this.#counters.connectionsSeen += 1;
    const mapping = this.#selection.onlines.mappingOf(online)!;
    const verdict = this.#selection.verdict(bytes, header, nowMs);
    if (verdict !== 'chosen') {
      if (this.#trace.isOn) this.#trace.noteNotCopied(bytes, header, verdict);
      this.#countUnreplayed(mapping, verdict);
      return;
    }
    const captured = this.#createConnection(bytes, online, header.seq, nowMs);
    if (captured === undefined) {
      if (this.#trace.isOn) this.#trace.noteNotCopied(bytes, header, 'shed');
      this.#countUnreplayed(mapping, 'shed');
      return;
    }
    parseTcpOptions(bytes, header.optionsOffset, header.payloadOffset, this.#options);
    captured.mss = this.#options.mss;
    captured.offersWindowScale = this.#options.windowScale >= 0;
    captured.offersTimestamps = this.#options.hasTimestamps;
    if (!this.#createSessions(captured, nowMs)) return;
    for (const session of captured.sessions) this.#replayer.begin(session);
    // RFC 7413: what a SYN carries is the stream's beginning. If online does not take it, the client sends it again.
    if (header.payloadBytesPresent > 0) {
      this.#append(
        captured,
        bytes,
        header.payloadOffset,
        header.payloadBytesPresent,
        captured.turnAck,
        false,
        true,
        nowMs,
      );
    }
  }

  #onUnknown(bytes: Uint8Array, online: number, nowMs: number): void {
    if (this.#selection.isPaused || this.#config.fullSessionsOnly) return;
    if (this.#selection.verdict(bytes, this.#header, nowMs) !== 'chosen') return;
    const captured = this.#createConnection(bytes, online, undefined, nowMs);
    if (captured === undefined) return;
    this.#counters.connectionsSeen += 1;
    captured.rcvNxt = add(this.#header.seq, this.#header.payloadBytes);
    captured.noteAck(this.#header.ack);
    captured.sentBeforeJoin = true;
    captured.isPushed = endsWithPush(this.#header);
    this.#counters.turnsBeforeJoin += 1;
  }

  #createConnection(bytes: Uint8Array, online: number, iss: Seq | undefined, nowMs: number): Captured | undefined {
    const { addressOffset, addressBytes, sourcePort } = this.#header;
    // A connection from its start is worth more than one that waits for its turn to be joined.
    if (this.#connections.isFull && iss !== undefined) this.#makeRoom(nowMs);
    const slot = this.#connections.takeSlot(bytes, this.#header, online);
    if (slot < 0) return undefined;
    const address = this.#selection.addresses.shared(bytes, addressOffset, addressBytes);
    const mapping = this.#selection.onlines.mappingOf(online)!;
    const looksForTls = this.#config.recogniseTls !== false;
    const captured = new Captured(slot, mapping, online, address, sourcePort, iss, looksForTls, nowMs);
    captured.order = this.#counters.connectionsSeen;
    this.#connections.add(captured);
    this.#wheel.arm(this.#wheelBase + slot, nowMs + this.#config.idleTimeoutMs);
    return captured;
  }

  /**
   * Forgets one connection that has no session and was not heard of for a while. What is left of connections that ended
   * unseen, and forged packets, must not keep the table full.
   */
  #makeRoom(nowMs: number): void {
    const idle = this.#connections.findIdle(nowMs - ROOM_QUIET_MS, ROOM_LOOKS_MAX);
    if (idle === undefined) return;
    if (idle.state === CAPTURED_ENDED) this.#remove(idle);
    else this.#endStream(idle, END_RESET, nowMs);
  }

  /**
   * Ends one connection, other than `newcomer`, whose sessions have nothing to deliver and no target connection any more: most
   * likely its end was not captured. If it goes on all the same, it is joined again like a running one.
   */
  #endSilent(newcomer: Captured, nowMs: number): void {
    const silent = this.#sessions.findSilent(newcomer, nowMs - ROOM_QUIET_MS, ROOM_LOOKS_MAX);
    if (silent === undefined) return;
    this.#endStream(silent, END_RESET, nowMs);
    for (const session of silent.sessions) this.#replayer.end(session, 'shed', nowMs);
  }

  /**
   * A session for each target and copy; those that find no room are shed. False when none found any: the connection is
   * remembered as ended then, so that its later packets are not taken for another one.
   */
  #createSessions(captured: Captured, nowMs: number): boolean {
    this.#addSessions(captured, nowMs);
    if (captured.sessions.length > 0) return true;
    captured.state = CAPTURED_ENDED;
    return false;
  }

  /**
   * Sessions for the targets that have come since the connection got its last ones, and while load is raised the copies that have
   * become due. They begin with the next turn.
   */
  #addSessions(captured: Captured, nowMs: number): void {
    const made = this.#made;
    made.length = 0;
    const copies = this.#selection.copiesDue(captured, nowMs);
    const firstDue = this.#selection.hasRamp ? captured.copies : copies;
    for (const target of captured.mapping.targets) {
      const first = target.revision <= captured.revision ? firstDue : 0;
      for (let copy = first; copy < copies; copy += 1) this.#addSession(captured, target, copy, nowMs);
    }
    captured.revision = this.#selection.mappings.revision;
    captured.copies = copies;
    captured.copiesMax = this.#selection.copies;
    // A copy has just the room that it needs; an array that grew has more.
    if (made.length > 0) captured.sessions = captured.sessions.concat(made);
  }

  #addSession(captured: Captured, target: TargetState, copy: number, nowMs: number): void {
    if (this.#sessions.isFull) this.#endSilent(captured, nowMs);
    const address = this.#selection.addresses.towardsTarget(captured.clientAddress, captured.clientPort, copy);
    const session = this.#replayer.create(captured, target, copy, address, captured.turns.endIndex, nowMs);
    if (session === undefined) this.#counters.terminal.shed += 1;
    else this.#made.push(session);
  }

  #countUnreplayed({ targets }: MappingState, terminal: TerminalState): void {
    this.#counters.terminal[terminal] += targets.length * this.#selection.copies;
  }

  /** A connection ends that was seen, and never had a session. */
  #countUnjoined(captured: Captured, terminal: TerminalState): void {
    if (captured.revision === NEVER_JOINED) this.#countUnreplayed(captured.mapping, terminal);
  }

  #onSegment(captured: Captured, bytes: Uint8Array, nowMs: number): void {
    const header = this.#header;
    const { flags } = header;
    if (captured.hasSyn && captured.streamEnd < AHEAD_BYTES_MAX && lessThan(header.seq, captured.iss)) {
      // Of an earlier connection on the client's port, that came late: what it says holds for that one (RFC 9293 3.4.3).
      this.#counters.captureDuplicates += 1;
      return;
    }
    if (captured.state === CAPTURED_ENDED) {
      if ((flags & (FIN | RST)) !== 0 && captured.sessions.length === 0) this.#remove(captured);
      return;
    }
    if (captured.state === CAPTURED_JOINING) {
      this.#onJoining(captured, bytes, nowMs);
      return;
    }
    if (flags & RST) {
      this.#onReset(captured, nowMs);
      return;
    }
    if ((flags & ACK) === 0) return;
    if (header.payloadBytes === 0 && (flags & FIN) === 0) {
      captured.noteAck(header.ack);
      if (captured.outOfOrder !== undefined) this.#armGap(captured, nowMs);
      return;
    }
    // Where the capture cut the packet, the rest is a gap like any other.
    const isWhole = header.payloadBytesPresent === header.payloadBytes;
    this.#takeText(captured, bytes, header.payloadBytesPresent, isWhole && (flags & FIN) !== 0, nowMs);
  }

  /** Takes the text of the current header's segment, as far as it continues the stream. */
  #takeText(captured: Captured, bytes: Uint8Array, payloadBytes: number, hasFin: boolean, nowMs: number): void {
    const header = this.#header;
    const ahead = sizeBetween(captured.rcvNxt, header.seq);
    if (ahead > 0) {
      this.#keepEarly(captured, bytes, payloadBytes, ahead, hasFin, nowMs);
      return;
    }
    const fresh = payloadBytes + ahead;
    if (fresh < 0 || (fresh === 0 && !hasFin)) {
      // A keep-alive probe, or a retransmission of what we have; its acknowledgement still counts.
      this.#counters.captureDuplicates += 1;
      captured.noteAck(header.ack);
      return;
    }
    captured.noteAck(header.ack);
    const isPushed = endsWithPush(header);
    this.#append(captured, bytes, header.payloadOffset - ahead, fresh, header.ack, hasFin, isPushed, nowMs);
    if (captured.outOfOrder !== undefined) this.#takeEarly(captured, nowMs);
  }

  /** Keeps a copy of a segment that lies `ahead` octets beyond the stream, until what is missing has come or is given up. */
  #keepEarly(
    captured: Captured,
    bytes: Uint8Array,
    payloadBytes: number,
    ahead: number,
    hasFin: boolean,
    nowMs: number,
  ): void {
    const { seq, ack, payloadOffset } = this.#header;
    this.#counters.captureOutOfOrder += 1;
    if (ahead > AHEAD_BYTES_MAX || captured.hasEarly(seq, payloadBytes, hasFin)) return;
    const copy = bytes.slice(payloadOffset, payloadOffset + payloadBytes);
    const isPushed = endsWithPush(this.#header);
    this.#earlyBytes += captured.keepEarly({ seq, bytes: copy, clientAck: ack, hasFin, isPushed }, nowMs);
    if (captured.outOfOrderBytes > OUT_OF_ORDER_BYTES_MAX || this.#earlyBytes > this.#earlyBytesMax) {
      this.#onGap(captured, nowMs);
    } else {
      this.#armGap(captured, nowMs);
    }
  }

  #armGap(captured: Captured, nowMs: number): void {
    captured.gapTime!.look(this.#header.ack, nowMs);
    this.#wheel.arm(this.#wheelBase + captured.slot, captured.gapTime!.endMs);
  }

  #dropEarly(captured: Captured): void {
    this.#earlyBytes -= captured.dropEarly();
  }

  /**
   * Appends bytes that continue the stream. First bytes win: what overlaps was cut off before. `ack` is that of their
   * segment: what the client had when it sent them, however acknowledgements were reordered.
   */
  #append(
    captured: Captured,
    bytes: Uint8Array,
    offset: number,
    length: number,
    ack: Seq,
    hasFin: boolean,
    isPushed: boolean,
    nowMs: number,
    beginsTurn = false,
  ): void {
    if (length > 0) {
      if (captured.opening !== undefined && this.#isTls(captured, bytes, offset, length, nowMs)) return;
      this.#markTurn(captured, ack, nowMs, beginsTurn);
      if (!this.#hold(captured, bytes, offset, length)) {
        // One slow target must not cost the others of the connection.
        const wasCut = this.#replayer.cutLaggards(captured, nowMs) && this.#hold(captured, bytes, offset, length);
        if (!wasCut) {
          this.#shed(captured, add(captured.rcvNxt, length), nowMs);
          if (hasFin) this.#endStream(captured, END_FIN, nowMs);
          return;
        }
      }
      captured.rcvNxt = add(captured.rcvNxt, length);
      captured.isPushed = isPushed;
      this.#comparison?.noteRequest(captured, bytes, offset, length, this.#capturedAtUs);
      for (const session of captured.sessions) this.#replayer.touch(session);
    }
    if (hasFin) {
      captured.rcvNxt = add(captured.rcvNxt, 1);
      this.#endStream(captured, END_FIN, nowMs);
    }
  }

  /**
   * Looks at octets that continue a stream of which nobody knows yet what it is. What carries TLS ends here, and is
   * remembered so that it is counted once.
   */
  #isTls(captured: Captured, bytes: Uint8Array, offset: number, length: number, nowMs: number): boolean {
    const kind = captured.opening!.read(bytes, offset, length);
    // What waits for an answer has said what it had to say: no half record does.
    if (kind === 'undecided') return false;
    captured.opening = undefined;
    if (kind === 'plain') return false;
    this.endEncrypted(captured, nowMs);
    return true;
  }

  /** The connection carries TLS from now on: its sessions end. */
  endEncrypted(captured: Captured, nowMs: number): void {
    const { onlinePort } = captured.mapping;
    this.encryptedByPort.set(onlinePort, (this.encryptedByPort.get(onlinePort) ?? 0) + 1);
    const wasEnded = captured.state === CAPTURED_ENDED;
    this.#replayer.endSessions(captured, 'encrypted', nowMs);
    // Its last session has taken it along.
    if (wasEnded) return;
    captured.state = CAPTURED_ENDED;
    this.#wheel.arm(this.#wheelBase + captured.slot, nowMs + this.#config.idleTimeoutMs);
  }

  /** Appends to the stream; false when a limit is reached. */
  #hold(captured: Captured, bytes: Uint8Array, offset: number, length: number): boolean {
    const { stream, turns } = captured;
    if (stream.heldBytes + length > this.#config.limits.heldBytesPerConnectionMax) return false;
    if (turns.count > TURNS_MAX || this.#counters.turnsPending > this.#turnsMax) return false;
    return stream.append(this.#store, bytes, offset, length);
  }

  /**
   * Begins a turn where the client sends after it had an answer, where `isForced`, and where some session has delivered
   * all that came before: that turn is counted, so what comes now is another.
   */
  #markTurn(captured: Captured, ack: Seq, nowMs: number, isForced: boolean): void {
    const { turns } = captured;
    const answeredBytes = sizeBetween(captured.turnAck, ack);
    const isFirst = turns.endIndex === 0;
    const isAnswered = (answeredBytes > 0 && captured.isPushed) || isForced;
    if (!isFirst && !isAnswered && !isLastTurnDelivered(captured)) return;
    if (isFirst && captured.hasSyn) captured.greetingBytes = answeredBytes;
    const beginsWhole = isFirst || isAnswered;
    if (beginsWhole && this.#lacksSessions(captured, nowMs)) this.#addSessions(captured, nowMs);
    turns.begin(captured.streamEnd, isFirst ? 0 : Math.max(answeredBytes, 0), beginsWhole ? 0 : TURN_CONTINUES);
    if (answeredBytes > 0) captured.turnAck = ack;
    this.#comparison?.beginTurn(captured, !beginsWhole, nowMs);
    for (const session of captured.sessions) this.#replayer.noteTurn(session, nowMs);
  }

  #lacksSessions(captured: Captured, nowMs: number): boolean {
    if (captured.revision !== this.#selection.mappings.revision) return true;
    if (!this.#selection.hasRamp || captured.copies >= this.#selection.copies) return false;
    return this.#selection.copiesDue(captured, nowMs) > captured.copies;
  }

  /** Takes segments that came too early, as far as they continue the stream now. */
  #takeEarly(captured: Captured, nowMs: number, firstBeginsTurn = false): void {
    const list = captured.outOfOrder;
    if (list === undefined) return;
    let taken = 0;
    let takenBytes = 0;
    let beginsTurn = firstBeginsTurn;
    // What is appended may give up the stream: then the list is not the connection's any more.
    while (taken < list.length && captured.outOfOrder === list) {
      const segment = list[taken]!;
      const ahead = sizeBetween(captured.rcvNxt, segment.seq);
      if (ahead > 0) break;
      taken += 1;
      takenBytes += segment.bytes.length + EARLY_OVERHEAD_BYTES;
      const fresh = segment.bytes.length + ahead;
      if (fresh < 0 || (fresh === 0 && !segment.hasFin)) continue;
      captured.noteAck(segment.clientAck);
      const { clientAck, hasFin, isPushed } = segment;
      this.#append(captured, segment.bytes, -ahead, fresh, clientAck, hasFin, isPushed, nowMs, beginsTurn);
      beginsTurn = false;
    }
    if (captured.outOfOrder !== list) return;
    if (taken === list.length) {
      this.#dropEarly(captured);
      return;
    }
    if (taken > 0) {
      captured.outOfOrder = list.slice(taken);
      captured.outOfOrderBytes -= takenBytes;
      this.#earlyBytes -= takenBytes;
    }
    // Another gap: it has its own time.
    captured.gapTime = new GapTime(captured.outOfOrder[0]!.clientAck, nowMs);
    this.#wheel.arm(this.#wheelBase + captured.slot, captured.gapTime!.endMs);
  }

  #onReset(captured: Captured, nowMs: number): void {
    const header = this.#header;
    // RFC 9293 3.10.7.4: a reset counts when its number fits; what never reached online ends nothing there.
    if (Math.abs(sizeBetween(captured.rcvNxt, header.seq)) > AHEAD_BYTES_MAX) return;
    if (header.flags & ACK) captured.noteAck(header.ack);
    // A client that has heard nothing since may well have given up before it repeated what is missing: online has not had more of
    // it than we.
    if (captured.outOfOrder !== undefined && captured.gapTime!.isAnswered) this.#onGap(captured, nowMs);
    this.#endStream(captured, END_RESET, nowMs);
  }

  #endStream(captured: Captured, end: typeof END_FIN | typeof END_RESET, nowMs: number): void {
    if (captured.state === CAPTURED_ENDED) return;
    const wasJoining = captured.state === CAPTURED_JOINING;
    captured.state = CAPTURED_ENDED;
    captured.end = end;
    captured.opening = undefined;
    this.#dropEarly(captured);
    captured.endAnswerBytes = captured.answeredBytes();
    this.#comparison?.endClient(captured);
    if (wasJoining && captured.sessions.length === 0) {
      this.#countUnjoined(captured, 'midStreamSkipped');
      this.#remove(captured);
      return;
    }
    for (const session of captured.sessions) {
      if (this.#trace.isOn) this.#trace.note(TRACE_KIND.clientEnded, session, end);
      session.progressMs = nowMs;
      this.#replayer.touch(session);
    }
  }

  /**
   * Waits for a turn to begin: the client sends new bytes after having acknowledged more than it had when we first saw it.
   * Before that we may be in the middle of a request, and half a request is worse than none.
   */
  #onJoining(captured: Captured, bytes: Uint8Array, nowMs: number): void {
    const header = this.#header;
    const { flags, payloadBytes } = header;
    if (flags & RST) {
      this.#endStream(captured, END_RESET, nowMs);
      return;
    }
    if ((flags & ACK) === 0) return;
    const fresh = sizeBetween(captured.rcvNxt, add(header.seq, payloadBytes));
    const isNew = fresh > 0 && fresh <= AHEAD_BYTES_MAX;
    if (payloadBytes > 0 && isNew) {
      captured.noteAck(header.ack);
      const hasAnswer = sizeBetween(captured.turnAck, header.ack) > 0;
      // Sessions may have ended before the client said anything: what comes first begins a turn, too.
      const isFirst = captured.hasSyn && captured.rcvNxt === add(captured.iss, 1);
      const mayBegin = isFirst || (hasAnswer && captured.isPushed);
      if (header.seq === captured.rcvNxt && mayBegin && !this.#selection.isPaused) {
        this.#join(captured, bytes, nowMs);
        return;
      }
      if (!captured.sentBeforeJoin || hasAnswer) this.#counters.turnsBeforeJoin += 1;
      captured.sentBeforeJoin = true;
      captured.isPushed = endsWithPush(header);
      if (hasAnswer) captured.turnAck = header.ack;
    } else if (sizeBetween(captured.clientAck, header.ack) > 0) {
      // Only what comes with new data moves the mark: an acknowledgement on its way through an answer, a retransmission
      // or a keep-alive probe begins no turn.
      captured.clientAck = header.ack;
    }
    if (isNew) captured.rcvNxt = add(captured.rcvNxt, fresh);
    if (flags & FIN) this.#endStream(captured, END_FIN, nowMs);
  }

  /** The current header's segment begins a turn: the stream starts, or goes on, with it. */
  #join(captured: Captured, bytes: Uint8Array, nowMs: number): void {
    if (captured.sessions.length === 0 && this.#selection.isOverBudget(captured)) {
      this.#countUnjoined(captured, 'overBudget');
      this.#remove(captured);
      return;
    }
    captured.state = CAPTURED_OPEN;
    if (captured.sessions.length === 0 && !this.#createSessions(captured, nowMs)) return;
    const header = this.#header;
    const isWhole = header.payloadBytesPresent === header.payloadBytes;
    this.#takeText(captured, bytes, header.payloadBytesPresent, isWhole && (header.flags & FIN) !== 0, nowMs);
  }

  /**
   * Bytes are missing for good. The turn that they belong to is lost; the stream goes on with the first segment behind
   * them that begins a turn.
   */
  #onGap(captured: Captured, nowMs: number): void {
    this.#counters.captureGaps += 1;
    const { turnAck } = captured;
    const { goesOnWith, end, last } = new Gap(captured);
    this.#dropEarly(captured);
    this.#breakTurn(captured, end, nowMs);
    captured.isPushed = last?.isPushed ?? false;
    if (goesOnWith.length > 0) {
      captured.state = CAPTURED_OPEN;
      // What the client has acknowledged meanwhile, it had when it sent these segments, or later.
      captured.turnAck = turnAck;
      this.#goOnWith(captured, [...goesOnWith], nowMs);
    } else if (last?.hasFin === true) {
      this.#endStream(captured, END_FIN, nowMs);
    } else if (last !== undefined) {
      captured.noteAck(last.clientAck);
      // What the client has heard since, it may have said without text.
      captured.turnAck = last.clientAck;
    }
  }

  /** The stream goes on with early segments, the first of which begins a turn. */
  #goOnWith(captured: Captured, early: EarlySegment[], nowMs: number): void {
    captured.outOfOrder = early;
    for (const segment of early) captured.outOfOrderBytes += segment.bytes.length + EARLY_OVERHEAD_BYTES;
    this.#earlyBytes += captured.outOfOrderBytes;
    this.#takeEarly(captured, nowMs, true);
  }

  /** Bytes up to `rcvNxt` were never captured: the turn that they belong to is lost. The next turn is joined again. */
  #breakTurn(captured: Captured, rcvNxt: Seq, nowMs: number): void {
    const { turns } = captured;
    // A gap may hide a turn that began in it; a turn that some session has delivered is not the one that is hit. But where the
    // target answered before all of it was captured, the missing octets may be its rest.
    if (turns.endIndex === 0 || isLastTurnDelivered(captured)) {
      turns.begin(captured.streamEnd, 0, captured.isPushed ? 0 : TURN_CONTINUES);
      this.#comparison?.beginTurn(captured, true, nowMs);
      for (const session of captured.sessions) this.#replayer.noteTurn(session, nowMs);
    }
    turns.breakLast();
    this.#joinAgain(captured, rcvNxt);
    for (const session of captured.sessions) this.#replayer.touch(session);
  }

  /** There is no room for more of the stream: all that waits is lost. The next turn is joined again. */
  #shed(captured: Captured, rcvNxt: Seq, nowMs: number): void {
    this.#joinAgain(captured, rcvNxt);
    for (const session of captured.sessions) this.#replayer.cut(session, captured.turns.endIndex, 'shed', nowMs);
    captured.stream.restartAt(this.#store, captured.streamEnd);
  }

  #joinAgain(captured: Captured, rcvNxt: Seq): void {
    this.#comparison?.leaveStream(captured);
    captured.state = CAPTURED_JOINING;
    captured.sentBeforeJoin = true;
    captured.rcvNxt = rcvNxt;
    captured.turnAck = captured.clientAck;
    if (captured.opening !== undefined) captured.opening = new StreamOpening(false);
    this.#dropEarly(captured);
  }

  /** The wheel's wake-up of a connection. */
  onTimer(slot: number, nowMs: number): void {
    const captured = this.#connections.at(slot);
    if (captured === undefined) return;
    const isRemembered = captured.state === CAPTURED_ENDED && captured.sessions.length === 0;
    if (captured.outOfOrder !== undefined && nowMs >= captured.gapTime!.endMs) {
      this.#onGap(captured, nowMs);
    }
    // Once the client has ended, the sessions have timers of their own.
    if (captured.state === CAPTURED_ENDED && !isRemembered) return;
    const idleAtMs = captured.lastSeenMs + this.#config.idleTimeoutMs;
    if (nowMs >= idleAtMs) {
      if (isRemembered) this.#remove(captured);
      else this.#endStream(captured, END_RESET, nowMs);
      return;
    }
    const gapAtMs = captured.outOfOrder === undefined ? idleAtMs : captured.gapTime!.endMs;
    this.#wheel.arm(this.#wheelBase + slot, Math.min(Math.max(idleAtMs, nowMs + 1), gapAtMs));
  }

  /** The last session of a connection is gone. While its client goes on it is followed: it may be joined again. */
  onIdle(captured: Captured): void {
    if (captured.state === CAPTURED_ENDED) {
      this.#remove(captured);
      return;
    }
    captured.turns.trimTo(captured.turns.endIndex);
    captured.stream.restartAt(this.#store, captured.streamEnd);
    this.#dropEarly(captured);
    this.#comparison?.leaveStream(captured);
    captured.state = CAPTURED_JOINING;
    captured.sentBeforeJoin = true;
    captured.revision = NEVER_JOINED + 1;
  }

  /** Nothing more is captured: octets that are missing will not come, and clients whose end was not captured have gone. */
  endCapture(nowMs: number): void {
    for (const captured of this.#connections.all) {
      if (captured === undefined) continue;
      if (captured.outOfOrder !== undefined) this.#onGap(captured, nowMs);
      if (captured.state !== CAPTURED_ENDED) this.#endStream(captured, END_RESET, nowMs);
      else if (captured.sessions.length === 0) this.#remove(captured);
    }
  }

  /** Octets that are missing stay missing: the turns that they belong to are lost, and those behind them are counted. */
  endGaps(nowMs: number): void {
    for (const captured of this.#connections.all) {
      if (captured?.outOfOrder !== undefined) this.#onGap(captured, nowMs);
    }
  }

  endAll(): void {
    for (const captured of this.#connections.all) {
      if (captured === undefined || captured.sessions.length > 0) continue;
      if (captured.state === CAPTURED_JOINING) this.#countUnjoined(captured, 'midStreamSkipped');
      this.#remove(captured);
    }
  }

  #remove(captured: Captured): void {
    if (!this.#connections.remove(captured)) return;
    if (captured.state === CAPTURED_ENDED) this.#recentEnds.note(captured);
    this.#comparison?.endConnection(captured);
    // It ended before these were due.
    const { copies, copiesMax } = captured;
    if (copies < copiesMax)
      this.#counters.terminal.sampledOut += captured.mapping.targets.length * (copiesMax - copies);
    captured.stream.restartAt(this.#store, captured.streamEnd);
    this.#dropEarly(captured);
    this.#wheel.cancel(this.#wheelBase + captured.slot);
  }
}

/** Whether the client had said with this text what it had to say. What the capture cut off is not there. */
function endsWithPush({ flags, payloadBytes, payloadBytesPresent }: PacketHeader): boolean {
  return (flags & PSH) !== 0 && payloadBytesPresent === payloadBytes;
}

/** Whether some session has delivered the last turn: what comes now is not part of it any more. */
function isLastTurnDelivered(captured: Captured): boolean {
  const { sessions, turns } = captured;
  for (let index = 0; index < sessions.length; index += 1) {
    const session = sessions[index]!;
    if (session.turnUna >= turns.endIndex && !session.isLastLost) return true;
  }
  return false;
}
