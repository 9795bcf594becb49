/** An engine that compares, between clients, online and targets which answer with text. */

import {
  RESPONSE_KEPT,
  RESPONSE_RECORD_BYTES,
  type ResponseBatch,
  STRIDE_VARIES,
} from '../../src/batch/response-record.js';
import { writeKept } from '../../src/batch/response-record-writer.js';
import type { CompareConfig } from '../../src/compare/compare-config.js';
import type { Difference } from '../../src/compare/comparison-report.js';
import { Engine } from '../../src/engine.js';
import type { EngineConfig } from '../../src/engine-config.js';
import { readU32, writeU32 } from '../../src/wire/bytes.js';
import { ACK, FIN, PSH, RST } from '../../src/wire/tcp.js';
import { BenchTarget, type TargetBehaviour, type TargetConnection } from './bench-target.js';
import { Client } from './client.js';
import { mappingTo, targetAt } from './engine-setup.js';
import { CONFIG } from './rig.js';
import { batchOf, packetOf, textOf } from './segment.js';

/** Octets of a segment that come with its header. */
const PRESENT_BYTES = 4096;
/** Where the stream of a {@link BenchTarget} begins. */
const TARGET_IRS = 0x7ffffff0;

export type Reply = (request: string) => string;
/** Sizes of the segments that so many octets are sent in. */
export type Split = (bytes: number) => number[];

/** What a target answers, and in which segments. */
export interface Answering extends Omit<TargetBehaviour, 'answer'> {
  readonly reply: Reply;
  readonly split?: Split;
}

const WHOLE: Split = (bytes) => [bytes];

export class AnsweringTarget extends BenchTarget {
  /** What was sent on the last connection of each session. */
  readonly #sent = new Map<number, { readonly connection: TargetConnection; readonly octets: number[] }>();
  readonly #split: Split;

  constructor({ reply, split, ...behaviour }: Answering) {
    super({
      ...behaviour,
      answer: (connection, text) => {
        const octets = textOf(reply(new TextDecoder().decode(text)));
        this.#sentOn(connection).push(...octets);
        return octets.length;
      },
    });
    this.#split = split ?? WHOLE;
  }

  /** Sends text on its last connection, on its own. */
  say(text: string): void {
    const connection = this.connections.at(-1)!;
    const octets = textOf(text);
    this.#sentOn(connection).push(...octets);
    this.send(connection, octets.length);
  }

  #sentOn(connection: TargetConnection): number[] {
    const last = this.#sent.get(connection.sessionId);
    if (last?.connection === connection) return last.octets;
    const octets = new Array<number>(this.behaviour.greetingBytes ?? 0).fill(0);
    this.#sent.set(connection.sessionId, { connection, octets });
    return octets;
  }

  override drain(): ResponseBatch {
    const plain = super.drain();
    const records: Uint8Array[] = [];
    for (let index = 0; index < plain.count; index += 1) {
      const at = index * RESPONSE_RECORD_BYTES;
      records.push(...this.#segments(plain.bytes.subarray(at, at + RESPONSE_RECORD_BYTES)));
    }
    const bytes = new Uint8Array(records.reduce((sum, record) => sum + record.length, 0));
    let at = 0;
    for (const record of records) {
      bytes.set(record, at);
      at += record.length;
    }
    return { bytes, offset: 0, strideBytes: STRIDE_VARIES, count: records.length };
  }

  /** The record of one segment, as records of several that carry their text. */
  #segments(record: Uint8Array): Uint8Array[] {
    const payloadBytes = readU32(record, 16);
    const sent = this.#sent.get(readU32(record, 0))?.octets ?? [];
    const first = readU32(record, 4);
    if (payloadBytes === 0) return [withPayload(record, [])];
    let done = 0;
    return this.#split(payloadBytes).map((bytes) => {
      const segment = record.slice();
      writeU32(segment, 4, (first + done) >>> 0);
      writeU32(segment, 16, bytes);
      const isLast = done + bytes === payloadBytes;
      if (!isLast) segment[12] = segment[12]! & ~(PSH | FIN);
      const from = (first + done - (TARGET_IRS + 1)) | 0;
      done += bytes;
      return withPayload(segment, sent.slice(from, from + bytes));
    });
  }
}

function withPayload(record: Uint8Array, octets: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(RESPONSE_KEPT + PRESENT_BYTES + 3);
  bytes.set(record);
  return bytes.slice(0, writeKept(bytes, 0, Uint8Array.from(octets), 0, octets.length, PRESENT_BYTES));
}

export const COMPARE: CompareConfig = {
  answerBytesMax: 4096,
  answersMax: 1000,
  ignoredHeaders: new Set(['date']),
  differencesMax: 100,
};

export class CompareRig {
  readonly engine: Engine;
  readonly targets: AnsweringTarget[];
  nowMs = 1000;

  constructor(
    answering: readonly Answering[],
    compare: Partial<CompareConfig> = {},
    config: Partial<EngineConfig> = {},
  ) {
    const targets = answering.map((_, lane) => targetAt(`t${lane}`, { lane, port: 8080 + lane }));
    const whole = { ...CONFIG, mappings: [mappingTo(...targets)], lanes: answering.length, ...config };
    this.engine = new Engine({ ...whole, compare: { ...COMPARE, ...compare } }, this.nowMs);
    this.targets = answering.map((one) => new AnsweringTarget(one));
  }

  get comparison(): NonNullable<Engine['comparison']> {
    return this.engine.comparison!;
  }

  capture(...packets: Uint8Array[]): void {
    this.engine.ingestCaptured(batchOf(packets), this.nowMs);
    this.settle();
  }

  settle(): void {
    for (let round = 0; round < 1000; round += 1) {
      let hasSaid = false;
      for (const [lane, target] of this.targets.entries()) {
        const output = this.engine.outputs[lane]!;
        hasSaid ||= !output.isEmpty;
        target.take(output);
        const answers = target.drain();
        hasSaid ||= answers.count > 0;
        this.engine.ingestResponses(lane, answers, this.nowMs);
      }
      if (!hasSaid) return;
    }
    throw new Error('engine and targets do not come to rest');
  }

  wait(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const deadline = this.engine.nextDeadlineMs();
      if (deadline > end) break;
      this.nowMs = Math.max(this.nowMs, deadline);
      this.engine.advance(this.nowMs);
      this.settle();
    }
    this.nowMs = end;
    this.engine.advance(this.nowMs);
    this.settle();
  }

  /** The copy ends. */
  close(): void {
    this.engine.close(this.nowMs);
  }

  differences(): readonly Difference[] {
    return this.comparison.report.takeDifferences();
  }
}

/** A client and the server that really answers it, as the capture sees both. */
export class ComparedClient extends Client {
  readonly #rig: Pick<CompareRig, 'capture' | 'wait'>;
  readonly #split: Split;
  #answered = 0;

  /** `isRunning`: the connection is older than the capture. */
  constructor(rig: Pick<CompareRig, 'capture' | 'wait'>, clientPort: number, split: Split = WHOLE, isRunning = false) {
    super({ clientPort });
    this.#rig = rig;
    this.#split = split;
    if (!isRunning) rig.capture(this.syn(), this.acknowledge());
  }

  /** A packet of online; `offset` is where it stands in what online sends. */
  answerPacket(offset: number, text: Uint8Array, flags = ACK | PSH): Uint8Array {
    const { clientAddress, clientPort, onlineAddress, onlinePort } = this.base;
    return packetOf({
      ...this.base,
      clientAddress: onlineAddress,
      clientPort: onlinePort,
      onlineAddress: clientAddress,
      onlinePort: clientPort,
      seq: (this.base.ack + offset) >>> 0,
      ack: this.seq >>> 0,
      flags,
      text,
    });
  }

  /** Asks, and is answered by online, which the next packet acknowledges. */
  ask(request: string, answer: string, reorder: (packets: Uint8Array[]) => Uint8Array[] = (packets) => packets): void {
    this.#rig.capture(this.send(request));
    this.answer(answer, reorder);
  }

  answer(answer: string | Uint8Array, reorder: (packets: Uint8Array[]) => Uint8Array[] = (packets) => packets): void {
    const octets = [...(typeof answer === 'string' ? textOf(answer) : answer)];
    let done = 0;
    const packets = this.#split(octets.length).map((bytes) => {
      const packet = this.answerPacket(this.#answered + done, Uint8Array.from(octets.slice(done, done + bytes)));
      done += bytes;
      return packet;
    });
    this.#answered += octets.length;
    this.hear(octets.length);
    if (packets.length > 0) this.#rig.capture(...reorder(packets));
    this.#rig.wait(50);
  }

  /** Both sides close. */
  end(): void {
    this.#rig.capture(this.fin());
    this.#rig.capture(this.answerPacket(this.#answered, new Uint8Array(0), FIN | ACK));
    this.#rig.wait(2000);
  }

  abort(): void {
    this.#rig.capture(this.packet({ flags: RST | ACK }));
    this.#rig.wait(2000);
  }
}
