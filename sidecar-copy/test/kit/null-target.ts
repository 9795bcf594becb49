/**
 * The null sink of tests and benchmarks: a target that costs next to nothing. It acknowledges what the engine sends, answers each
 * PSH with one header, and keeps two sequence numbers for each session. What it says reaches the engine with the next turn of
 * the event loop.
 */
import {
  ACK,
  FIN,
  PSH,
  RECORD_RELEASE,
  REPLAY_RECORD_HEADER_BYTES,
  RESPONSE_RECORD_BYTES,
  type ReplayBatch,
  type ResponseBatch,
  RST,
  readI32,
  readU16,
  SYN,
  writeU16,
  writeU32,
} from '@trafficcopy/core';
import type { PipelineOutlet } from '../../src/pipeline.js';

const SLOTS = 1 << 20;
const IPV4_BYTES = 20;
const RECORDS_MAX = 65_536;
const ANSWER_BYTES = 900;
const MSS = 1460;

class Answers implements ResponseBatch {
  bytes = new Uint8Array(RECORDS_MAX * RESPONSE_RECORD_BYTES);
  readonly offset = 0;
  readonly strideBytes = RESPONSE_RECORD_BYTES;
  count = 0;
}

export class NullTarget implements PipelineOutlet {
  /** What it was sent. */
  readonly seen = { syns: 0, requests: 0, payloadBytes: 0, ports: new Set<string>() };
  private readonly rcvNxt = new Int32Array(SLOTS);
  private readonly sndNxt = new Int32Array(SLOTS);
  private readonly answer: (batch: ResponseBatch) => void;
  private readonly isSilent: boolean;
  private answers = new Answers();
  /** While the engine reads the one, what it sends then is answered in the other. */
  private spare = new Answers();
  private isDue = false;

  /** `answer`: target --response headers--> engine. `isSilent`: requests are acknowledged, never answered. */
  constructor(answer: (batch: ResponseBatch) => void, isSilent = false) {
    this.answer = answer;
    this.isSilent = isSilent;
  }

  send(batch: ReplayBatch): void {
    const { bytes, length } = batch;
    for (let at = batch.headroomBytes; at < length; ) {
      const packetBytes = readU16(bytes, at + 4);
      if (bytes[at + 6] !== RECORD_RELEASE && packetBytes > 0) this.packet(bytes, at, packetBytes);
      at += REPLAY_RECORD_HEADER_BYTES + ((packetBytes + 3) & ~3);
    }
    if (this.isDue || this.answers.count === 0) return;
    this.isDue = true;
    setImmediate(() => this.say());
  }

  private say(): void {
    const said = this.answers;
    this.answers = this.spare;
    this.spare = said;
    this.isDue = false;
    this.answer(said);
    said.count = 0;
  }

  private packet(bytes: Uint8Array, at: number, packetBytes: number): void {
    const id = readI32(bytes, at);
    const slot = id & (SLOTS - 1);
    const ip = at + REPLAY_RECORD_HEADER_BYTES;
    const tcp = ip + IPV4_BYTES;
    const flags = bytes[tcp + 13]!;
    const seq = readI32(bytes, tcp + 4);
    const payloadBytes = packetBytes - IPV4_BYTES - ((bytes[tcp + 12]! >> 4) << 2);
    if (flags & SYN) {
      this.seen.syns += 1;
      this.seen.ports.add(`${readI32(bytes, ip + 12)} ${readU16(bytes, tcp)}`);
      this.rcvNxt[slot] = seq + 1;
      this.sndNxt[slot] = 1000;
      this.record(id, slot, SYN | ACK, 0, MSS);
      this.sndNxt[slot] = 1001;
      return;
    }
    if (flags & RST) return;
    const isNext = seq === this.rcvNxt[slot]!;
    if (payloadBytes > 0 && isNext) {
      this.seen.payloadBytes += payloadBytes;
      this.rcvNxt[slot] = seq + payloadBytes;
      const hasAnswer = (flags & PSH) !== 0 && !this.isSilent;
      if (hasAnswer) this.seen.requests += 1;
      this.record(id, slot, hasAnswer ? ACK | PSH : ACK, hasAnswer ? ANSWER_BYTES : 0, 0);
      if (hasAnswer) this.sndNxt[slot] = this.sndNxt[slot]! + ANSWER_BYTES;
    }
    if (flags & FIN && isNext) {
      this.rcvNxt[slot] = this.rcvNxt[slot]! + 1;
      this.record(id, slot, FIN | ACK, 0, 0);
      this.sndNxt[slot] = this.sndNxt[slot]! + 1;
    }
  }

  private record(id: number, slot: number, flags: number, payloadBytes: number, mss: number): void {
    const { answers } = this;
    const at = answers.count * RESPONSE_RECORD_BYTES;
    if (at === answers.bytes.length) {
      const larger = new Uint8Array(answers.bytes.length * 2);
      larger.set(answers.bytes);
      answers.bytes = larger;
    }
    const { bytes } = answers;
    answers.count += 1;
    bytes.fill(0, at, at + RESPONSE_RECORD_BYTES);
    writeU32(bytes, at, id);
    writeU32(bytes, at + 4, this.sndNxt[slot]!);
    writeU32(bytes, at + 8, this.rcvNxt[slot]!);
    bytes[at + 12] = flags;
    writeU16(bytes, at + 14, 65_535);
    writeU32(bytes, at + 16, payloadBytes);
    writeU16(bytes, at + 28, mss);
  }
}
