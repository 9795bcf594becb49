/** Plays an input as a script of what clients, targets and time do to an engine with live sessions, and checks what always holds. */
import assert from 'node:assert/strict';
import { InputReader, type Random } from '@trafficcopy/fuzz';
import { HeadersPayload } from '../../src/channel/headers-payload.js';
import type { EngineCounters } from '../../src/counters.js';
import type { ProtocolsConfig } from '../../src/engine-config.js';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.js';
import { Client } from './client.js';
import { mappingTo, TARGET, targetAt } from './engine-setup.js';
import { recordOf, responseBatchOf } from './record.js';
import { CONFIG, Rig } from './rig.js';
import { textOf } from './segment.js';

const IPV6 = {
  client: Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  online: Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
  target: Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3),
};
const MAPPINGS = [
  mappingTo(TARGET),
  { ...mappingTo(targetAt('target', { address: IPV6.target })), ipVersion: 6 as const },
];
const LIMITS = {
  ...CONFIG.limits,
  connectionsMax: 16,
  sessionsMax: 16,
  heldBytesMax: 64 * 1024,
  heldBytesPerConnectionMax: 16 * 1024,
  batchBytesMax: 64 * 1024,
  batchPacketsMax: 256,
};

/** Small enough that scripts come to the limits. */
const HTTP_HEAD = textOf('HTTP/1.1 200 OK\r\nDate: a\r\nContent-Length: 9\r\n\r\nbody body HTTP/1.1 101 \r\n\r\n');
const COMPARE = { answerBytesMax: 64, answersMax: 12, ignoredHeaders: new Set(['date']), differencesMax: 4 };

/** What a script does next; the order is the number in the input. */
const STEPS = [
  'capture',
  'captureLiteral',
  'captureChanged',
  'captureLies',
  'respond',
  'respondLiteral',
  'respondFrame',
  'wait',
  'lane',
  'captureAnswer',
] as const;
type Step = (typeof STEPS)[number];
const FLAGS = [ACK | PSH, ACK, SYN, FIN | ACK, RST, RST | ACK, SYN | ACK, 0, 0xff];

export class EngineScript {
  readonly #input: InputReader;
  readonly #rig: Rig;
  readonly #clients: readonly Client[];

  constructor(bytes: Uint8Array, protocols?: ProtocolsConfig) {
    const input = new InputReader(bytes);
    const options = input.u8();
    this.#input = input;
    this.#rig = new Rig(
      {
        mappings: MAPPINGS,
        wait: (options & 1) === 0,
        fullSessionsOnly: (options & 2) !== 0,
        limits: LIMITS,
        compare: options & 0x10 ? COMPARE : undefined,
        protocols,
      },
      { answer: () => options & 0xf0, mss: options & 4 ? 100 : 1460, greetingBytes: options & 8 ? 20 : 0 },
    );
    this.#clients = Array.from({ length: 4 }, (_, index) => {
      const version6 = index === 3 ? { clientAddress: [...IPV6.client], onlineAddress: [...IPV6.online] } : {};
      return new Client({ clientPort: 41_000 + index, ...version6 });
    });
  }

  /** Returns which kinds of things happened. */
  run(): number {
    while (!this.#input.isOver) this.#step(STEPS[this.#input.u8() % STEPS.length]!);
    this.#rig.engine.close(this.#rig.nowMs);
    this.#rig.checkEnd();
    this.#checkComparison();
    return happened(this.#rig.engine.counters);
  }

  /** Every turn that was seen was counted once, and all memory is free. */
  #checkComparison(): void {
    const { comparison } = this.#rig.engine;
    if (comparison === undefined) return;
    const { turns, equal, different, noise, incomparable } = comparison.report;
    const others = Object.values(incomparable).reduce((sum, count) => sum + count, 0);
    assert.equal(turns, equal + different + noise + others);
    assert.equal(comparison.answersInUse, 0);
    assert.ok(comparison.report.takeDifferences().length <= COMPARE.differencesMax);
  }

  #step(step: Step): void {
    const { engine } = this.#rig;
    switch (step) {
      case 'capture':
        this.#rig.capture(this.#packet());
        return;
      case 'captureLiteral':
        this.#rig.capture(this.#input.bytes(this.#input.u8()));
        return;
      case 'captureAnswer':
        this.#rig.capture(this.#answer());
        return;
      case 'captureChanged':
        this.#rig.capture(this.#changed(this.#packet()));
        return;
      case 'captureLies': {
        const entries = Uint32Array.from({ length: 8 }, () => this.#input.u16() * (this.#input.u8() & 1 ? 65_537 : 1));
        engine.ingestCaptured({ bytes: this.#packet(), entries, count: 2 }, this.#rig.nowMs);
        return;
      }
      case 'respond':
      case 'respondLiteral': {
        const record = step === 'respond' ? this.#record() : padded(this.#input.bytes(32));
        const count = 1 + (this.#input.u8() === 0 ? 1 : 0);
        engine.ingestResponses(
          this.#input.u8() === 255 ? 9 : 0,
          { ...responseBatchOf([record]), count },
          this.#rig.nowMs,
        );
        return;
      }
      case 'respondFrame': {
        const payload = this.#input.bytes(this.#input.u8());
        const batch = new HeadersPayload();
        if (batch.read(payload, 0, payload.length)) engine.ingestResponses(0, batch, this.#rig.nowMs);
        return;
      }
      case 'wait':
        this.#rig.wait(this.#input.u16() % 8000);
        return;
      case 'lane': {
        const what = this.#input.u8();
        if (what & 1) engine.setLaneUp(0, (what & 2) !== 0, this.#rig.nowMs);
        else if (what & 4) engine.reopenFlows(0);
        else engine.setLaneCongested(0, (what & 2) !== 0);
      }
    }
  }

  /** A packet of some client that nearly fits into what it said before. */
  #packet(): Uint8Array {
    const input = this.#input;
    const client = this.#clients[input.u8() & 3]!;
    const flags = FLAGS[input.u8() % FLAGS.length]!;
    const ahead = ((input.u8() << 24) >> 24) * (input.u8() === 255 ? 0x0100_0000 : 1);
    const text = new Uint8Array(flags & SYN ? 0 : input.u8() * (input.u8() & 1 ? 9 : 1)).fill(input.u8());
    client.hear(input.u8());
    const options = flags & SYN ? { mss: input.u16(), windowScale: input.u8(), tsVal: input.u32() } : {};
    const packet = client.packet({ flags, seq: (client.seq + ahead) >>> 0, text, ...options });
    const phantoms = (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0);
    if (ahead === 0) client.seq = (client.seq + text.length + phantoms) >>> 0;
    return packet;
  }

  /** A packet of online that nearly fits into what its client has heard. */
  #answer(): Uint8Array {
    const input = this.#input;
    const client = this.#clients[input.u8() & 3]!;
    const { clientAddress, clientPort, onlineAddress, onlinePort } = client.base;
    const ahead = ((input.u8() << 24) >> 24) * (input.u8() === 255 ? 0x0100_0000 : 1);
    const text = new Uint8Array(input.u8());
    text.set(input.u8() & 1 ? HTTP_HEAD.subarray(0, text.length) : []);
    return client.packet({
      clientAddress: onlineAddress,
      clientPort: onlinePort,
      onlineAddress: clientAddress,
      onlinePort: clientPort,
      seq: (client.ack + ahead) >>> 0,
      ack: client.seq >>> 0,
      flags: FLAGS[input.u8() % FLAGS.length]!,
      text,
    });
  }

  /** Cut, and with some octets changed. */
  #changed(packet: Uint8Array): Uint8Array {
    for (let changes = this.#input.u8() & 3; changes >= 0; changes -= 1) {
      packet[this.#input.u8() % packet.length] = this.#input.u8();
    }
    const cut = this.#input.u8();
    return cut < packet.length ? packet.slice(0, packet.length - cut) : packet;
  }

  /** A response that nearly fits into what its connection said before. */
  #record(): Uint8Array {
    const input = this.#input;
    const { connections } = this.#rig.target;
    const connection = connections[connections.length - 1 - (input.u8() & 3)];
    const near = (value: number): number =>
      (value + ((input.u8() << 24) >> 24) * (input.u8() === 255 ? 0x0100_0000 : 1)) >>> 0;
    const timestamps = input.u8() & 1 ? { tsVal: input.u32(), tsEcr: input.u32() } : {};
    return recordOf({
      sessionId: connection?.sessionId ?? input.u32(),
      seq: near(connection?.sndNxt ?? 0),
      ack: near(connection?.rcvNxt ?? 0),
      flags: FLAGS[input.u8() % FLAGS.length]!,
      window: input.u16(),
      payloadBytes: input.u16() * (input.u8() === 255 ? 65_537 : 1),
      event: input.u8() < 200 ? 0 : input.u8(),
      mss: input.u16(),
      windowScale: input.u8(),
      ...timestamps,
    });
  }
}

/** A script of `steps` steps that mostly are those named. */
export function engineScript(random: Random, steps: number, usual: readonly Step[]): Uint8Array {
  const parts: number[] = [random.below(256)];
  for (let count = 0; count < steps; count += 1) {
    const step = random.chance(0.85) ? random.pick(usual) : random.pick(STEPS);
    parts.push(STEPS.indexOf(step));
    // Small numbers mean ordinary things, so that connections get somewhere.
    for (let octets = 6 + random.below(14); octets > 0; octets -= 1) {
      parts.push(random.chance(0.6) ? random.below(3) : random.below(256));
    }
  }
  return Uint8Array.from(parts);
}

function padded(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(32);
  record.set(bytes);
  return record;
}

function happened(counters: EngineCounters): number {
  assert.ok(counters.turnsPending === 0);
  return featureOf(counters, 17);
}

/** Counters stand in each other, as deep as they like. */
function featureOf(counters: object, before: number): number {
  return Object.values(counters).reduce<number>((feature, value: number | object) => {
    return typeof value === 'object' ? featureOf(value, feature) : (Math.imul(feature, 31) + Math.min(value, 3)) | 0;
  }, before);
}
