/**
 * A target that costs next to nothing: it keeps two sequence numbers for each session and answers from one buffer. Serves
 * requests that fit a segment (an answer for each PSH), uploads (an acknowledgement for every second segment) and ends.
 */
import { RECORD_RELEASE, REPLAY_RECORD_HEADER_BYTES, type ReplayBatch } from '../../src/batch/replay-batch.js';
import { RESPONSE_HAS_TIMESTAMPS, RESPONSE_RECORD_BYTES, type ResponseBatch } from '../../src/batch/response-record.js';
import { readI32, readU16, writeU16, writeU32 } from '../../src/wire/bytes.js';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.js';

const SLOTS = 1 << 20;
const IPV4_BYTES = 20;
/** Room for so many answers at first. */
const RECORDS = 65_536;

export interface FakeTargetOptions {
  /** Segments of an upload for which there is one acknowledgement; 2 by default, as RFC 9293 3.8.6.3 has it. */
  readonly segmentsPerAck?: number;
  /** Hears of each SYN: its IP header begins at `offset`. */
  readonly onSyn?: (bytes: Uint8Array, offset: number) => void;
}

export class FakeTarget implements ResponseBatch {
  bytes = new Uint8Array(RECORDS * RESPONSE_RECORD_BYTES);
  readonly offset = 0;
  readonly strideBytes = RESPONSE_RECORD_BYTES;
  count = 0;
  packets = 0;
  payloadBytes = 0;
  readonly #rcvNxt = new Int32Array(SLOTS);
  readonly #sndNxt = new Int32Array(SLOTS);
  readonly #unacked = new Uint8Array(SLOTS);
  readonly #answerBytes: number;
  readonly #segmentsPerAck: number;
  readonly #onSyn: FakeTargetOptions['onSyn'];
  #tsVal = 1;

  /** Answers each turn with `answerBytes` octets; 0: with an acknowledgement. */
  constructor(answerBytes: number, { segmentsPerAck = 2, onSyn }: FakeTargetOptions = {}) {
    this.#answerBytes = answerBytes;
    this.#segmentsPerAck = segmentsPerAck;
    this.#onSyn = onSyn;
  }

  /** Takes what the engine sent, out of `batch`; what it answers is in this batch until the next call. */
  take(batch: ReplayBatch): void {
    this.clear();
    this.add(batch);
    batch.clear();
  }

  /** Reads what the engine sent; what it answers comes behind what is in this batch. */
  add({ bytes, headroomBytes, length }: Pick<ReplayBatch, 'bytes' | 'headroomBytes' | 'length'>): void {
    for (let at = headroomBytes; at < length; ) {
      const packetBytes = readU16(bytes, at + 4);
      if (bytes[at + 6] !== RECORD_RELEASE) this.#packet(bytes, at, packetBytes);
      at += REPLAY_RECORD_HEADER_BYTES + ((packetBytes + 3) & ~3);
    }
  }

  /** Forgets what it has answered, not its sessions. */
  clear(): void {
    this.count = 0;
  }

  #packet(bytes: Uint8Array, at: number, packetBytes: number): void {
    const id = readI32(bytes, at);
    const slot = id & (SLOTS - 1);
    const ip = at + REPLAY_RECORD_HEADER_BYTES;
    const tcp = ip + IPV4_BYTES;
    const flags = bytes[tcp + 13]!;
    const headerBytes = (bytes[tcp + 12]! >> 4) << 2;
    const payload = packetBytes - IPV4_BYTES - headerBytes;
    this.packets += 1;
    if (flags & SYN) {
      this.#onSyn?.(bytes, ip);
      this.#rcvNxt[slot] = readI32(bytes, tcp + 4) + 1;
      this.#sndNxt[slot] = 1000;
      this.#answer(id, slot, SYN | ACK, 0, 1460);
      this.#sndNxt[slot] = 1001;
      return;
    }
    if (flags & RST) return;
    if ((payload > 0 || flags & FIN) && readI32(bytes, tcp + 4) !== this.#rcvNxt[slot]) {
      // Sent again, because we were kept from answering for long.
      this.#answer(id, slot, ACK, 0, 0);
      return;
    }
    if (payload > 0) {
      this.payloadBytes += payload;
      this.#rcvNxt[slot] = this.#rcvNxt[slot]! + payload;
      if (flags & PSH && this.#answerBytes > 0) {
        this.#answer(id, slot, ACK | PSH, this.#answerBytes, 0);
        this.#sndNxt[slot] = this.#sndNxt[slot]! + this.#answerBytes;
      } else {
        const unacked = (this.#unacked[slot]! + 1) % this.#segmentsPerAck;
        this.#unacked[slot] = unacked;
        if (unacked === 0 || flags & PSH) this.#answer(id, slot, ACK, 0, 0);
      }
    }
    if (flags & FIN) {
      this.#rcvNxt[slot] = this.#rcvNxt[slot]! + 1;
      this.#answer(id, slot, FIN | ACK, 0, 0);
      this.#sndNxt[slot] = this.#sndNxt[slot]! + 1;
    }
  }

  #answer(id: number, slot: number, flags: number, payloadBytes: number, mss: number): void {
    const at = this.count * RESPONSE_RECORD_BYTES;
    if (at === this.bytes.length) this.#grow();
    const { bytes } = this;
    this.count += 1;
    writeU32(bytes, at, id);
    writeU32(bytes, at + 4, this.#sndNxt[slot]!);
    writeU32(bytes, at + 8, this.#rcvNxt[slot]!);
    bytes[at + 12] = flags;
    bytes[at + 13] = RESPONSE_HAS_TIMESTAMPS;
    writeU16(bytes, at + 14, 65_535);
    writeU32(bytes, at + 16, payloadBytes);
    this.#tsVal += 1;
    writeU32(bytes, at + 20, this.#tsVal);
    writeU32(bytes, at + 24, 0);
    writeU16(bytes, at + 28, mss);
    bytes[at + 30] = 0;
    bytes[at + 31] = 0;
  }

  #grow(): void {
    const larger = new Uint8Array(this.bytes.length * 2);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}
