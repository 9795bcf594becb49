/**
 * A target for unit tests: a small TCP server that takes the engine's packets and answers with response records. It
 * records each connection's stream, and can be told to misbehave.
 */
import {
  RECORD_OPEN,
  RECORD_RELEASE,
  REPLAY_RECORD_HEADER_BYTES,
  type ReplayBatch,
} from '../../src/batch/replay-batch.js';
import {
  KEPT_BYTES_MAX,
  RESPONSE_KEPT,
  RESPONSE_RECORD_BYTES,
  type ResponseBatch,
  STRIDE_VARIES,
} from '../../src/batch/response-record.js';
import { writeKept } from '../../src/batch/response-record-writer.js';
import { readU16, readU32, writeU16, writeU32 } from '../../src/wire/bytes.js';
import { PacketHeader, parsePacket } from '../../src/wire/packet-header.js';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.js';
import { parseTcpOptions, TcpOptions } from '../../src/wire/tcp-options.js';

export interface TargetConnection {
  readonly sessionId: number;
  readonly source: string;
  received: number[];
  rcvNxt: number;
  sndNxt: number;
  /** Octets that we have sent and the engine has acknowledged. */
  acked: number;
  /** Whether the handshake is complete. */
  isAcknowledging: boolean;
  state: 'open' | 'closed' | 'reset';
  peerFin: boolean;
  sentFin: boolean;
  tsVal: number;
  tsRecent: number;
  hasTimestamps: boolean;
  /** What a server said, and at which number that began. */
  said: number[];
  saidFrom: number;
}

export interface TargetBehaviour {
  /** Octets to answer with for newly received text; 0: none yet. */
  answer?: (connection: TargetConnection, text: Uint8Array) => number;
  greetingBytes?: number;
  /** A server that says something: what, when a connection begins, and in answer to newly received text. In the place of the two above. */
  server?: {
    greet(connection: TargetConnection): Uint8Array;
    reply(connection: TargetConnection, text: Uint8Array): Uint8Array;
  };
  refuse?: boolean;
  silent?: boolean;
  /** Answers a FIN with a FIN at once (default). */
  closeOnFin?: boolean;
  mss?: number;
  window?: number;
  /** Whether to lose a packet on its way to the target. */
  lose?: (packet: Uint8Array) => boolean;
  /** Whether to lose an answer on its way back. Needs {@link BenchTarget.retransmit}. */
  loseAnswer?: () => boolean;
  /** What intercept says of the time since the last new octets of the client, in units of 10 us; 0 or nothing: it does not know. */
  elapsed?: () => number;
  /** Ends a connection for an answer: FIN or reset after the octets. */
  after?: (connection: TargetConnection) => 'stay' | 'close' | 'reset';
}

/** Says something to whatever it hears. */
export const answerAll: TargetBehaviour = { answer: () => 100 };

export class BenchTarget {
  readonly connections: TargetConnection[] = [];
  readonly log: string[] = [];
  released: number[] = [];
  #open = new Map<number, TargetConnection>();
  #out: { readonly record: Uint8Array; readonly text: Uint8Array }[] = [];
  behaviour: TargetBehaviour;

  constructor(behaviour: TargetBehaviour = {}) {
    this.behaviour = behaviour;
  }

  /** Takes what the engine sent. */
  take(batch: ReplayBatch): void {
    let at = batch.headroomBytes;
    while (at < batch.length) {
      const id = readU32(batch.bytes, at);
      const length = readU16(batch.bytes, at + 4);
      const kind = batch.bytes[at + 6]!;
      const packet = batch.bytes.slice(at + REPLAY_RECORD_HEADER_BYTES, at + REPLAY_RECORD_HEADER_BYTES + length);
      at += REPLAY_RECORD_HEADER_BYTES + ((length + 3) & ~3);
      if (kind === RECORD_RELEASE) {
        this.released.push(id);
        continue;
      }
      this.#packet(id, kind, packet);
    }
    batch.clear();
  }

  /** The answers since the last call. */
  drain(): ResponseBatch {
    if (this.behaviour.server !== undefined) return this.#drainWithPayload();
    const bytes = new Uint8Array(this.#out.length * RESPONSE_RECORD_BYTES);
    for (const [index, { record }] of this.#out.entries()) bytes.set(record, index * RESPONSE_RECORD_BYTES);
    const count = this.#out.length;
    this.#out = [];
    return { bytes, offset: 0, strideBytes: RESPONSE_RECORD_BYTES, count };
  }

  #drainWithPayload(): ResponseBatch {
    const bytes = new Uint8Array(this.#out.reduce((sum, { text }) => sum + RESPONSE_KEPT + text.length + 3, 0));
    let at = 0;
    for (const { record, text } of this.#out) {
      bytes.set(record, at);
      at = writeKept(bytes, at, text, 0, text.length, KEPT_BYTES_MAX);
    }
    const count = this.#out.length;
    this.#out = [];
    return { bytes, offset: 0, strideBytes: STRIDE_VARIES, count };
  }

  /** Says so much, as one segment. */
  talk(connection: TargetConnection, text: Uint8Array, flags = ACK | PSH): void {
    connection.said.push(...text);
    this.#record(connection, connection.sndNxt, flags, text.length, text);
    connection.sndNxt += text.length + (flags & FIN ? 1 : 0);
    if (flags & FIN) connection.sentFin = true;
  }

  /** The text of each connection, in the order in which they were opened. */
  streams(): string[] {
    return this.connections.map((connection) => new TextDecoder().decode(Uint8Array.from(connection.received)));
  }

  /** The target's retransmission timers fire: what was sent and not acknowledged goes out again, as one segment. */
  retransmit(): void {
    for (const connection of this.#open.values()) {
      // A server that speaks first has to hear that the client is there.
      if (this.behaviour.server !== undefined && !connection.isAcknowledging && connection.state === 'open') {
        this.#record(connection, connection.sndNxt - 1, SYN | ACK, 0);
      }
      const left = (connection.sndNxt - connection.acked) | 0;
      if (left <= 0 || connection.state !== 'open' || !connection.isAcknowledging) continue;
      const fin = connection.sentFin ? FIN : 0;
      const at = (connection.acked - connection.saidFrom) | 0;
      const bytes = left - (fin === 0 ? 0 : 1);
      const text = Uint8Array.from(connection.said.slice(Math.max(at, 0), Math.max(at, 0) + bytes));
      this.#record(connection, connection.acked, ACK | PSH | fin, bytes, text);
    }
  }

  send(connection: TargetConnection, bytes: number, flags = ACK | PSH): void {
    this.#record(connection, connection.sndNxt, flags, bytes);
    connection.sndNxt += bytes + (flags & FIN ? 1 : 0);
    if (flags & FIN) connection.sentFin = true;
  }

  /** `flags` RST alone: as a host that has no such connection. */
  reset(connection: TargetConnection, flags = RST | ACK): void {
    connection.state = 'reset';
    this.#record(connection, connection.sndNxt, flags, 0);
  }

  #packet(id: number, kind: number, packet: Uint8Array): void {
    const header = new PacketHeader();
    const verdict = parsePacket(packet, 0, packet.length, packet.length, header);
    if (verdict !== 'ok') throw new Error(`the engine sent a packet that is ${verdict}`);
    const options = new TcpOptions();
    parseTcpOptions(packet, header.optionsOffset, header.payloadOffset, options);
    const text = packet.subarray(header.payloadOffset);
    this.log.push(`${flagsOf(header.flags)}${text.length > 0 ? ` ${text.length}` : ''}`);
    if (this.behaviour.silent === true || this.behaviour.lose?.(packet) === true) return;
    if (header.flags & SYN) {
      if (kind !== RECORD_OPEN) throw new Error('a SYN opens a flow');
      this.#onSyn(id, header, options, packet);
      return;
    }
    const connection = this.#open.get(id);
    if (connection === undefined || connection.state !== 'open') return;
    if (header.flags & RST) {
      connection.state = 'reset';
      return;
    }
    connection.acked = header.ack;
    const isOpened = !connection.isAcknowledging;
    connection.isAcknowledging = true;
    connection.tsRecent = options.tsVal;
    const greeting = isOpened ? this.behaviour.server?.greet(connection) : undefined;
    if (greeting !== undefined && greeting.length > 0) this.talk(connection, greeting);
    const ahead = (header.seq - connection.rcvNxt) | 0;
    const fresh = text.length + ahead;
    const hadFin = connection.peerFin;
    if (ahead <= 0 && fresh > 0) {
      const part = text.slice(-ahead);
      connection.received.push(...part);
      connection.rcvNxt = (connection.rcvNxt + fresh) | 0;
      const reply = this.behaviour.server?.reply(connection, part);
      const answer = this.behaviour.answer?.(connection, part) ?? 0;
      if (connection.state !== 'open') return;
      if (reply !== undefined && reply.length > 0) this.talk(connection, reply);
      else if (answer > 0) {
        this.send(connection, answer);
        const end = this.behaviour.after?.(connection) ?? 'stay';
        if (end === 'close' && !connection.sentFin) this.send(connection, 0, FIN | ACK);
        else if (end === 'reset') this.reset(connection);
        if (end === 'reset') return;
      } else if (!connection.sentFin) this.#record(connection, connection.sndNxt, ACK, 0);
    } else if (text.length > 0) {
      this.#record(connection, connection.sndNxt, ACK, 0);
    }
    if (header.flags & FIN && ahead <= 0 && fresh >= 0) {
      if (!hadFin) connection.rcvNxt = (connection.rcvNxt + 1) | 0;
      connection.peerFin = true;
      if (this.behaviour.closeOnFin !== false && !connection.sentFin) this.send(connection, 0, FIN | ACK);
      else this.#record(connection, connection.sndNxt, ACK, 0);
    }
    if (connection.peerFin && connection.sentFin && ((header.ack - connection.sndNxt) | 0) >= 0)
      connection.state = 'closed';
  }

  #onSyn(id: number, header: PacketHeader, options: TcpOptions, packet: Uint8Array): void {
    const known = this.#open.get(id);
    if (known !== undefined && known.state === 'open' && known.rcvNxt === ((header.seq + 1) | 0)) {
      this.#record(known, known.sndNxt - 1, SYN | ACK, 0);
      return;
    }
    const source = `${packet.slice(header.addressOffset, header.addressOffset + header.addressBytes).join('.')}:${header.sourcePort}`;
    const connection: TargetConnection = {
      sessionId: id,
      source,
      received: [],
      rcvNxt: (header.seq + 1) | 0,
      sndNxt: 0x7ffffff0 | 0,
      acked: 0,
      isAcknowledging: false,
      state: 'open',
      peerFin: false,
      sentFin: false,
      tsVal: 100,
      tsRecent: options.tsVal,
      hasTimestamps: options.hasTimestamps,
      said: [],
      saidFrom: (0x7ffffff0 + 1) | 0,
    };
    if (this.behaviour.refuse === true) {
      this.#record(connection, 0, RST | ACK, 0);
      return;
    }
    this.connections.push(connection);
    this.#open.set(id, connection);
    this.#record(connection, connection.sndNxt, SYN | ACK, 0);
    connection.sndNxt += 1;
    if (this.behaviour.greetingBytes !== undefined) this.send(connection, this.behaviour.greetingBytes);
  }

  #record(
    connection: TargetConnection,
    seq: number,
    flags: number,
    payloadBytes: number,
    text: Uint8Array = new Uint8Array(0),
  ): void {
    if (this.behaviour.loseAnswer?.() === true) return;
    const record = new Uint8Array(RESPONSE_RECORD_BYTES);
    writeU32(record, 0, connection.sessionId);
    writeU32(record, 4, seq);
    writeU32(record, 8, connection.rcvNxt);
    record[12] = flags;
    writeU16(record, 14, this.behaviour.window ?? 60000);
    writeU32(record, 16, payloadBytes);
    if (connection.hasTimestamps && (flags & RST) === 0) {
      record[13] = 1;
      connection.tsVal += 1;
      writeU32(record, 20, connection.tsVal);
      writeU32(record, 24, connection.tsRecent);
    }
    if (flags & SYN) writeU16(record, 28, this.behaviour.mss ?? 1460);
    else writeU32(record, 28, (this.behaviour.elapsed?.() ?? 0) << 8);
    this.#out.push({ record, text });
  }
}

function flagsOf(flags: number): string {
  const names: [number, string][] = [
    [SYN, 'SYN'],
    [FIN, 'FIN'],
    [RST, 'RST'],
    [PSH, 'PSH'],
    [ACK, 'ACK'],
  ];
  return names
    .filter(([bit]) => flags & bit)
    .map(([, name]) => name)
    .join('+');
}
