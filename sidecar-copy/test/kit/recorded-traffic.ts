/**
 * A made-up recording: a pcap file of Ethernet frames in which sessions of several kinds run beside each other, both directions.
 * Deterministic; comes in pieces, so that its size does not matter.
 */
import { ACK, FIN, PSH, RST, SYN, writeU16 } from '@trafficcopy/core';
import { plainPacket } from '@trafficcopy/core/kit/plain-packet.js';

const ONLINE_ADDRESS = Uint8Array.of(10, 0, 0, 2);
const ONLINE_PORT = 80;

const KINDS = ['short', 'keepAlive', 'upload', 'reset', 'open', 'running', 'repeated'] as const;
export type SessionKind = (typeof KINDS)[number];

/** What of a hundred sessions is of each kind. */
const MIX: Readonly<Record<SessionKind, number>> = {
  short: 60,
  keepAlive: 22,
  upload: 4,
  reset: 4,
  open: 2,
  running: 4,
  repeated: 4,
};

/** Turns that each kind makes once it is joined. */
const TURNS: Readonly<Record<SessionKind, number>> = {
  short: 1,
  keepAlive: 6,
  upload: 1,
  reset: 2,
  open: 2,
  running: 1,
  repeated: 3,
};

export interface RecordedTrafficOptions {
  readonly sessions: number;
  /** Sessions at one time. */
  readonly concurrency?: number;
  /** All sessions are of this kind. */
  readonly kind?: SessionKind | undefined;
  /** Between two frames, microseconds. */
  readonly stepUs?: number;
  readonly requestBytes?: number;
}

const ETHERNET_BYTES = 14;
const HEADERS_BYTES = 40;
const RECORD_HEADER_BYTES = 16;
const UPLOAD_SEGMENTS = 20;
const SEGMENT_BYTES = 1448;
const ANSWER_BYTES = 900;
const PIECE_BYTES = 256 * 1024;
const START_SECONDS = 1_700_000_000;

export class RecordedTraffic {
  /** What a replay must tell of it when all of it was captured. */
  readonly expected = { connections: 0, turns: 0, turnsBeforeJoin: 0, payloadBytes: 0, frames: 0 };
  /** Octets of the file so far. */
  fileBytes = 0;
  private readonly options: Required<Omit<RecordedTrafficOptions, 'kind'>> & { readonly kind: SessionKind | undefined };
  private piece = Buffer.alloc(PIECE_BYTES);
  private length = 0;
  private timeUs = 0;

  constructor(options: RecordedTrafficOptions) {
    this.options = { concurrency: 200, stepUs: 20, requestBytes: 300, kind: undefined, ...options };
  }

  /** The file. */
  *pieces(): Generator<Buffer> {
    this.fileHeader();
    const running: Generator<void>[] = [];
    let begun = 0;
    let turn = 0;
    while (begun < this.options.sessions || running.length > 0) {
      if (begun < this.options.sessions && running.length < this.options.concurrency) {
        running.push(this.session(begun, this.options.kind ?? kindOf(begun)));
        begun += 1;
      }
      turn = (turn + 1) % running.length;
      if (running[turn]!.next().done === true) running.splice(turn, 1);
      if (this.length < PIECE_BYTES / 2) continue;
      yield this.piece.subarray(0, this.length);
      this.piece = Buffer.alloc(PIECE_BYTES);
      this.length = 0;
    }
    yield this.piece.subarray(0, this.length);
  }

  whole(): Buffer {
    return Buffer.concat([...this.pieces()]);
  }

  /** Yields after each frame. */
  private *session(index: number, kind: SessionKind): Generator<void> {
    const { requestBytes } = this.options;
    const { expected } = this;
    const ends = new Ends(index);
    expected.connections += 1;
    expected.turns += TURNS[kind];
    const client = (flags: number, bytes: number): void => this.frame(ends, true, flags, bytes);
    const online = (flags: number, bytes: number): void => this.frame(ends, false, flags, bytes);
    if (kind === 'running') {
      expected.turnsBeforeJoin += 1;
    } else {
      client(SYN, 0);
      yield;
      online(SYN | ACK, 0);
      yield;
      client(ACK, 0);
      yield;
    }
    for (let turn = 0; turn < TURNS[kind] + (kind === 'running' ? 1 : 0); turn += 1) {
      const segments = kind === 'upload' ? UPLOAD_SEGMENTS : 1;
      for (let segment = 0; segment < segments; segment += 1) {
        const bytes = kind === 'upload' ? SEGMENT_BYTES : requestBytes;
        client(ACK | PSH, bytes);
        // The first request of a running connection is not joined.
        if (kind !== 'running' || turn > 0) expected.payloadBytes += bytes;
        yield;
        if (kind !== 'repeated') continue;
        ends.clientSeq -= bytes;
        client(ACK | PSH, bytes);
        yield;
      }
      online(ACK | PSH, ANSWER_BYTES);
      yield;
      client(ACK, 0);
      yield;
    }
    if (kind === 'open') return;
    if (kind === 'reset') {
      client(RST | ACK, 0);
      return;
    }
    client(FIN | ACK, 0);
    yield;
    online(FIN | ACK, 0);
    yield;
    client(ACK, 0);
  }

  private fileHeader(): void {
    const { piece } = this;
    piece.writeUInt32LE(0xa1b2c3d4, 0);
    piece.writeUInt16LE(2, 4);
    piece.writeUInt16LE(4, 6);
    piece.writeUInt32LE(262_144, 16);
    piece.writeUInt32LE(1, 20);
    this.length = 24;
    this.fileBytes = 24;
  }

  private frame(ends: Ends, isFromClient: boolean, flags: number, payloadBytes: number): void {
    const { piece } = this;
    const frameBytes = ETHERNET_BYTES + HEADERS_BYTES + payloadBytes;
    const record = this.length;
    this.timeUs += this.options.stepUs;
    piece.writeUInt32LE(START_SECONDS + Math.floor(this.timeUs / 1e6), record);
    piece.writeUInt32LE(this.timeUs % 1e6, record + 4);
    piece.writeUInt32LE(frameBytes, record + 8);
    piece.writeUInt32LE(frameBytes, record + 12);
    const frame = record + RECORD_HEADER_BYTES;
    writeU16(piece, frame + 12, 0x0800);
    piece.set(ends.packet(isFromClient, flags, payloadBytes), frame + ETHERNET_BYTES);
    this.length = frame + frameBytes;
    this.fileBytes += RECORD_HEADER_BYTES + frameBytes;
    this.expected.frames += 1;
  }
}

/** Both ends of one connection. */
class Ends {
  private readonly client: Uint8Array;
  private readonly clientPort: number;
  private onlineSeq: number;
  clientSeq: number;

  constructor(index: number) {
    const network = index >> 12;
    this.client = Uint8Array.of(10, 1, network >> 8, network & 0xff);
    this.clientPort = 20_000 + (index & 0xfff);
    this.clientSeq = 0x7fff_f000 + index * 7;
    this.onlineSeq = 0xffff_f000 + index * 13;
  }

  /** The next packet of one end, with so many octets of 0. */
  packet(isFromClient: boolean, flags: number, payloadBytes: number): Uint8Array {
    const { client, clientPort, clientSeq, onlineSeq } = this;
    const used = payloadBytes + ((flags & (SYN | FIN)) !== 0 ? 1 : 0);
    const fields = { flags, payload: new Uint8Array(payloadBytes) };
    if (isFromClient) {
      this.clientSeq += used;
      const from = { source: client, sourcePort: clientPort, seq: clientSeq };
      const to = { destination: ONLINE_ADDRESS, destinationPort: ONLINE_PORT, ack: flags === SYN ? 0 : onlineSeq };
      return plainPacket({ ...from, ...to, ...fields });
    }
    this.onlineSeq += used;
    const from = { source: ONLINE_ADDRESS, sourcePort: ONLINE_PORT, seq: onlineSeq };
    const to = { destination: client, destinationPort: clientPort, ack: clientSeq };
    return plainPacket({ ...from, ...to, ...fields });
  }
}

function kindOf(index: number): SessionKind {
  // 37 is coprime to 100: the kinds come in turn, not in blocks.
  let place = (index * 37) % 100;
  for (const kind of KINDS) {
    if (place < MIX[kind]) return kind;
    place -= MIX[kind];
  }
  return 'short';
}
