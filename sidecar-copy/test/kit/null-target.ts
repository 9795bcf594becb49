/**
 * The null sink of tests and benchmarks: a fake target behind a pipeline, that acknowledges every segment and answers each PSH with
 * one header. What it says reaches the engine with the next turn of the event loop.
 */
import { RESPONSE_RECORD_BYTES, type ReplayBatch, type ResponseBatch, readI32, readU16 } from '@trafficcopy/core';
import { FakeTarget } from '@trafficcopy/core/kit/fake-target.js';
import type { PipelineOutlet } from '../../src/pipeline.js';

const ANSWER_BYTES = 900;

export class NullTarget implements PipelineOutlet {
  /** What it was sent. */
  readonly seen = { syns: 0, payloadBytes: 0, ports: new Set<string>() };
  private readonly fake: FakeTarget;
  private readonly answer: (batch: ResponseBatch) => void;
  /** The engine reads this while what it sends then is answered in `fake`. */
  private said = new Uint8Array(0);
  private isDue = false;

  /** `answer`: target --response headers--> engine. `isSilent`: requests are acknowledged, never answered. */
  constructor(answer: (batch: ResponseBatch) => void, isSilent = false) {
    this.answer = answer;
    this.fake = new FakeTarget(isSilent ? 0 : ANSWER_BYTES, {
      segmentsPerAck: 1,
      onSyn: (bytes, offset) => {
        this.seen.syns += 1;
        this.seen.ports.add(`${readI32(bytes, offset + 12)} ${readU16(bytes, offset + 20)}`);
      },
    });
  }

  send(batch: ReplayBatch): void {
    this.fake.add(batch);
    this.seen.payloadBytes = this.fake.payloadBytes;
    if (this.isDue || this.fake.count === 0) return;
    this.isDue = true;
    setImmediate(() => this.say());
  }

  private say(): void {
    const { fake } = this;
    const { count } = fake;
    const length = count * RESPONSE_RECORD_BYTES;
    if (this.said.length < length) this.said = new Uint8Array(fake.bytes.length);
    this.said.set(fake.bytes.subarray(0, length));
    fake.clear();
    this.isDue = false;
    this.answer({ bytes: this.said, offset: 0, strideBytes: RESPONSE_RECORD_BYTES, count });
  }
}
