/**
 * PACKETS, REGISTER and RELEASE frames of copies that lie, and responses on the queue, into the pipeline with a sender that keeps everything: only whole
 * plain packets and datagrams to what is served, from clients that may be played, ever get to it, and each copy is told of each of its datagrams.
 */
import assert from 'node:assert/strict';
import {
  ACK,
  DatagramHeader,
  FIN,
  PacketHeader,
  PSH,
  parseIpAddress,
  RECORD_DATAGRAM,
  RECORD_OPEN,
  RECORD_PACKET,
  ReplayBatch,
  RST,
  SYN,
} from '@trafficcopy/core';
import { type FuzzTarget, InputReader, type Random } from '@trafficcopy/fuzz';
import type { CopyLink } from '../../src/channel/copy-link.js';
import { isPlainDatagram, isPlainPacket } from '../../src/injector/packet-check.js';
import { craftDatagram, craftIcmp, type DatagramTemplate } from '../kit/crafted-datagram.js';
import { craftPacket } from '../kit/crafted-packet.js';
import { FakeConnection } from '../kit/fake-link.js';
import { PipelineRig, TEMPLATE } from '../kit/pipeline-rig.js';

const FLAGS = [SYN, ACK, ACK | PSH, FIN | ACK, RST, SYN | ACK, 0, 0xff];
const SOURCES = ['198.51.100.7', '198.51.100.8', '10.0.0.3', '127.0.0.1', '224.0.0.1'];
const DESTINATIONS = ['10.0.0.3', '10.0.0.4'];
const LIMITS = { flowsMax: 8, endpointsMax: 2, connectionsMax: 2, parkedMax: 4, parkedMs: 1000, graceMs: 2000 };
const COMMANDS = 10;
const UDP_CLIENTS = [
  { address: parseIpAddress('10.250.0.0')!, prefixBits: 16 },
  { address: parseIpAddress('fd00:c0de::')!, prefixBits: 64 },
];
const UDP_SOURCES = ['10.250.0.9', 'fd00:c0de::7', ...SOURCES];
const header = new PacketHeader();
const datagramHeader = new DatagramHeader();

class Script {
  readonly #input: InputReader;
  readonly #rig = new PipelineRig(LIMITS, UDP_CLIENTS);
  readonly #links: CopyLink[];
  readonly #connections: FakeConnection[];
  #registered = 0;

  constructor(bytes: Uint8Array) {
    this.#input = new InputReader(bytes);
    const copies = [this.#rig.connect('a'), this.#rig.connect('b')];
    this.#links = copies.map(({ link }) => link);
    this.#connections = copies.map(({ connection }) => connection);
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
      counters.datagramsInjected,
      counters.datagramAnswers,
      counters.datagramsUnreachable,
      counters.datagramIcmp,
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
      case 7:
        this.#rig.pipeline.enforce(link);
        return;
      case 8:
        this.#packets(link, this.#changed(this.#record(), this.#datagram()));
        return;
      default:
        this.#rig.source.put(this.#icmp(), craftDatagram(this.#query()), input.bytes(input.u8() & 127));
        this.#rig.pipeline.drain();
    }
  }

  /** A copy whose connection ended comes back under its name. */
  #reconnect(): void {
    for (const [index, name] of ['a', 'b'].entries()) {
      if (this.#links[index]!.isUp) continue;
      // All places may be taken by connections that wait for their copies: it is refused then.
      const connection = new FakeConnection(name);
      const link = this.#rig.links.open(connection, undefined);
      if (link === undefined) continue;
      this.#links[index] = link;
      this.#connections.push(connection);
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
    const told = this.#connections.flatMap(({ tallies }) => tallies).flat();
    assert.equal(
      told.reduce((sum, count) => sum + count, 0),
      counters.datagramsReceived,
      'each datagram is told of',
    );
    for (const packet of sender.packets) {
      if (isPlainDatagram(packet, 0, packet.length, datagramHeader)) {
        assert.equal(datagramHeader.destinationPort, 8080);
        const { addressOffset, addressBytes } = datagramHeader;
        const ends = packet.slice(addressOffset, addressOffset + 2 * addressBytes);
        assert.ok(addressBytes === 4 ? ends[0] === 10 && ends[1] === 250 : ends[0] === 0xfd && ends[3] === 0xde);
        if (addressBytes === 4) assert.ok(isServed(ends.slice(4)));
        continue;
      }
      assert.ok(isPlainPacket(packet, 0, packet.length, header), 'only whole plain packets are injected');
      assert.equal(header.destinationPort, 8080);
      if (header.version === 4) {
        const source = packet.slice(12, 16).join('.');
        assert.ok(source !== '10.0.0.3' && !source.startsWith('127.') && packet[12]! < 224, source);
        assert.ok(isServed(packet.slice(16, 20)));
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

  #query(): DatagramTemplate {
    const input = this.#input;
    const source = UDP_SOURCES[input.u8() % UDP_SOURCES.length]!;
    return {
      source,
      destination: source.includes(':') ? 'fd00::3' : DESTINATIONS[input.u8() === 255 ? 1 : 0]!,
      sourcePort: input.u16(),
      destinationPort: input.u8() < 230 ? 8080 : 8081,
      payload: 'x'.repeat(input.u8() & 63),
    };
  }

  #datagram(): Uint8Array {
    const batch = new ReplayBatch(512, 1);
    const packet = craftDatagram(this.#query());
    batch.bytes.set(packet, batch.append(this.#input.u8() & 1, RECORD_DATAGRAM, packet.length));
    return batch.bytes.slice(batch.headroomBytes, batch.length);
  }

  #icmp(): Uint8Array {
    return craftIcmp(this.#query(), this.#input.u8() & 3, this.#input.u8() & 7);
  }

  #changed(...frames: readonly Uint8Array[]): Uint8Array {
    const frame = new Uint8Array(Buffer.concat(frames));
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

/** The target's own address, or any of its loopback. */
function isServed(address: Uint8Array): boolean {
  return address[0] === 127 || address.join('.') === '10.0.0.3';
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
