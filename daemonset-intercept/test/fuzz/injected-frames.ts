/**
 * PACKETS, REGISTER and RELEASE frames of copies that lie, and responses on the queue, into the pipeline with a sender that keeps everything: only whole
 * plain packets to what is served, from clients that may be played, ever get to it.
 */
import assert from 'node:assert/strict';
import { ACK, FIN, PacketHeader, PSH, RECORD_OPEN, RECORD_PACKET, ReplayBatch, RST, SYN } from '@trafficcopy/core';
import { type FuzzTarget, InputReader, type Random } from '@trafficcopy/fuzz';
import type { CopyLink } from '../../src/channel/copy-link.js';
import { isPlainPacket } from '../../src/injector/packet-check.js';
import { craftPacket } from '../kit/crafted-packet.js';
import { FakeConnection } from '../kit/fake-link.js';
import { PipelineRig, TEMPLATE } from '../kit/pipeline-rig.js';

const FLAGS = [SYN, ACK, ACK | PSH, FIN | ACK, RST, SYN | ACK, 0, 0xff];
const SOURCES = ['198.51.100.7', '198.51.100.8', '10.0.0.3', '127.0.0.1', '224.0.0.1'];
const DESTINATIONS = ['10.0.0.3', '10.0.0.4'];
const LIMITS = { flowsMax: 8, endpointsMax: 2, connectionsMax: 2, parkedMax: 4, parkedMs: 1000, graceMs: 2000 };
const COMMANDS = 8;
const header = new PacketHeader();

class Script {
  readonly #input: InputReader;
  readonly #rig = new PipelineRig(LIMITS);
  readonly #links: CopyLink[];
  #registered = 0;

  constructor(bytes: Uint8Array) {
    this.#input = new InputReader(bytes);
    this.#links = [this.#rig.connect('a').link, this.#rig.connect('b').link];
  }

  run(): number {
    while (!this.#input.isOver) this.#step();
    this.#check();
    const { counters, pipeline } = this.#rig;
    pipeline.close();
    assert.equal(pipeline.flows.size, 0, 'no flow is left');
    const seen = [
      ...Object.values(counters.recordsRefused),
      counters.flowsOpened,
      counters.flowsResumed,
      counters.responses,
    ];
    return [...seen, counters.responsesUnknown, counters.responsesParked, counters.flowsReset].reduce(
      (feature, count) => (Math.imul(feature, 31) + Math.min(count, 3)) | 0,
      7,
    );
  }

  #step(): void {
    const input = this.#input;
    const link = this.#links[input.u8() & 1]!;
    switch (input.u8() % COMMANDS) {
      case 0:
      case 1:
        this.#packets(link, this.#record());
        return;
      case 2:
        this.#packets(link, this.#changed(this.#record()));
        return;
      case 3:
        this.#packets(link, input.bytes(input.u8()));
        return;
      case 4:
        this.#rig.source.put(this.#answer(), input.bytes(input.u8() & 127));
        this.#rig.pipeline.drain();
        return;
      case 5:
        this.#rig.wait(input.u16() % 5000);
        return;
      case 6:
        if (link.isUp) this.#rig.pipeline.linkDown(link);
        this.#reconnect();
        return;
      default:
        this.#rig.pipeline.enforce(link);
    }
  }

  /** A copy whose connection ended comes back under its name. */
  #reconnect(): void {
    for (const [index, name] of ['a', 'b'].entries()) {
      if (this.#links[index]!.isUp) continue;
      // All places may be taken by connections that wait for their copies: it is refused then.
      this.#links[index] = this.#rig.links.open(new FakeConnection(name), undefined) ?? this.#links[index]!;
    }
  }

  #packets(link: CopyLink, frame: Uint8Array): void {
    if (!link.isUp) return;
    const { counters, pipeline } = this.#rig;
    const isRegister = (this.#input.u8() & 7) === 7;
    const before = this.#settled();
    const received = counters.packetsReceived;
    pipeline.packets(link, frame, 0, frame.length, isRegister);
    if (isRegister) this.#registered += counters.packetsReceived - received - (this.#settled() - before);
  }

  /** Packets that were injected, or refused for what is in them. */
  #settled(): number {
    const { packetsInjected, packetsFailed, recordsRefused } = this.#rig.counters;
    const { malformed, ...refused } = recordsRefused;
    return packetsInjected + packetsFailed + Object.values(refused).reduce((sum, count) => sum + count, 0);
  }

  #check(): void {
    const { counters, sender, pipeline, limits } = this.#rig;
    assert.equal(counters.packetsReceived, this.#settled() + this.#registered, 'packets add up');
    assert.ok(pipeline.flows.size <= limits.flowsMax);
    for (const packet of sender.packets) {
      assert.ok(isPlainPacket(packet, 0, packet.length, header), 'only whole plain packets are injected');
      assert.ok(header.destinationPort === 8080 && packet[header.addressOffset + header.addressBytes] !== 127);
      if (header.version === 4) {
        const source = packet.slice(12, 16).join('.');
        assert.ok(source.startsWith('10.0.0.3') === false && !source.startsWith('127.') && packet[12]! < 224, source);
        assert.equal(packet.slice(16, 20).join('.'), '10.0.0.3');
      }
    }
  }

  #record(): Uint8Array {
    const input = this.#input;
    const batch = new ReplayBatch(512, 1);
    const flags = FLAGS[input.u8() % FLAGS.length]!;
    const packet = craftPacket({
      ...TEMPLATE,
      source: SOURCES[input.u8() % SOURCES.length]!,
      destination: DESTINATIONS[input.u8() === 255 ? 1 : 0]!,
      sourcePort: 40_000 + (input.u8() & 15),
      destinationPort: input.u8() < 230 ? 8080 : 8081,
      flags,
      seq: input.u32(),
      payload: 'x'.repeat(input.u8() & 63),
    });
    const kind = flags & SYN ? RECORD_OPEN : RECORD_PACKET;
    batch.bytes.set(packet, batch.append(input.u8() & 3, kind, packet.length));
    return batch.bytes.slice(batch.headroomBytes, batch.length);
  }

  #changed(frame: Uint8Array): Uint8Array {
    for (let changes = this.#input.u8() & 3; changes >= 0; changes -= 1) {
      frame[this.#input.u8() % frame.length] = this.#input.u8();
    }
    const cut = this.#input.u8();
    return cut < frame.length ? frame.slice(0, frame.length - cut) : frame;
  }

  #answer(): Uint8Array {
    const input = this.#input;
    return this.#rig.answer({
      destination: SOURCES[input.u8() & 1]!,
      destinationPort: 40_000 + (input.u8() & 15),
      flags: FLAGS[input.u8() % FLAGS.length]!,
      seq: input.u32(),
    });
  }
}

function script(random: Random): Uint8Array {
  const octets = 10 + random.below(400);
  return Uint8Array.from({ length: octets }, () => (random.chance(0.6) ? random.below(4) : random.below(256)));
}

const target: FuzzTarget = {
  // A SYN and a packet of the same flow, then its answer.
  seeds: [
    Uint8Array.of(
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      9,
      0,
      2,
      0,
      0,
      1,
      1,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      10,
      5,
      2,
      0,
      0,
      4,
      0,
      1,
      5,
      0,
      0,
      0,
      1,
    ),
  ],
  make: script,
  bytesMax: 600,
  run: (input) => new Script(input).run(),
};
export default target;
