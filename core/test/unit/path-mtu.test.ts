/** Paths that carry less than full segments: RFC 1191, RFC 8201, RFC 4821 7, RFC 5927. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { writeU32 } from '../../src/wire/bytes.js';
import type { TargetConnection } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { mappingTo, TARGET } from '../kit/engine-setup.js';
import { icmpTooBig } from '../kit/icmp.js';
import { Rig } from '../kit/rig.js';

const TEXT = 'x'.repeat(20_000);
const SEQ_OFFSET_V4 = 24;

/** A rig behind a path that loses larger packets; it keeps them. */
class NarrowRig extends Rig {
  readonly tooBig: Uint8Array[] = [];
  pathMtuBytes: number;
  largest = 0;
  isCut = false;
  readonly #isV6: boolean;

  constructor(pathMtuBytes: number, isV6 = false) {
    const address = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 0xfd : at === 15 ? 3 : 0));
    const v6 = { ...mappingTo({ ...TARGET, endpoints: [{ lane: 0, address, port: 8080 }] }), ipVersion: 6 as const };
    super(isV6 ? { mappings: [v6] } : {}, { lose: (packet) => this.#loses(packet), answer: answerAtEnd });
    this.pathMtuBytes = pathMtuBytes;
    this.#isV6 = isV6;
  }

  #loses(packet: Uint8Array): boolean {
    if (this.isCut) return true;
    if (packet.length <= this.pathMtuBytes) {
      this.largest = Math.max(this.largest, packet.length);
      return false;
    }
    this.tooBig.push(packet);
    return true;
  }

  upload(clientPort = 40_000, text = TEXT): Client {
    const client = new Client({ clientPort, ...(this.#isV6 ? V6 : {}) });
    this.capture(client.syn(), client.acknowledge());
    this.capture(client.send(text));
    return client;
  }

  get received(): number[] {
    return this.target.connections.map(({ received }) => received.length);
  }
}

const V6_MTU = 1280;
const V6 = {
  clientAddress: [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  onlineAddress: [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
};

function answerAtEnd(connection: TargetConnection): number {
  return connection.received.length % TEXT.length === 0 ? 10 : 0;
}

describe('a packet that is too big for its path', () => {
  it('is cut anew and sent again at once, when a router says so', () => {
    const rig = new NarrowRig(1000);
    rig.upload();
    assert.ok(rig.tooBig.length > 0);
    rig.capture(icmpTooBig(rig.tooBig[0]!, 1000));
    assert.deepEqual(rig.received, [TEXT.length], 'no timer had to run out');
    assert.equal(rig.largest, 1000);
    assert.equal(rig.engine.counters.pathsNarrowed, 1);
    assert.equal(rig.engine.counters.packetsMalformed, 0);
  });

  it('is as well over IPv6', () => {
    const rig = new NarrowRig(V6_MTU, true);
    rig.upload();
    rig.capture(icmpTooBig(rig.tooBig[0]!, V6_MTU));
    assert.deepEqual(rig.received, [TEXT.length]);
    assert.equal(rig.largest, V6_MTU);
  });

  it('makes those of other sessions to the same target smaller, running and new ones', () => {
    const rig = new NarrowRig(1500);
    const running = rig.upload(40_001);
    rig.pathMtuBytes = 1000;
    rig.upload(40_000);
    rig.capture(icmpTooBig(rig.tooBig[0]!, 1000));
    const before = rig.tooBig.length;
    running.hear(10);
    rig.capture(running.send(TEXT));
    rig.upload(40_002);
    assert.equal(rig.tooBig.length, before);
    assert.deepEqual(rig.received, [2 * TEXT.length, TEXT.length, TEXT.length]);
    rig.wait(600_001);
    rig.upload(40_003);
    assert.ok(rig.tooBig.length > before, 'after ten minutes the path may be wider again (RFC 1191 6.3)');
  });

  it('of a router that names no size takes the next that links have (RFC 1191 7.1)', () => {
    const rig = new NarrowRig(1006);
    rig.upload();
    rig.capture(icmpTooBig(rig.tooBig[0]!, 0));
    const first = rig.tooBig.length;
    rig.capture(icmpTooBig(rig.tooBig[first - 1]!, 0));
    rig.wait(100);
    assert.deepEqual(rig.received, [TEXT.length]);
    assert.equal(rig.largest, 1006);
  });

  it('is no reason for segments that are smaller than every host takes', () => {
    const rig = new NarrowRig(576);
    rig.upload();
    rig.capture(icmpTooBig(rig.tooBig[0]!, 100));
    assert.deepEqual(rig.received, [TEXT.length]);
    assert.equal(rig.largest, 576);
  });

  it('never makes segments larger', () => {
    const rig = new NarrowRig(1000);
    rig.upload();
    rig.capture(icmpTooBig(rig.tooBig[0]!, 1000));
    rig.pathMtuBytes = 1500;
    const client = rig.upload(40_001);
    client.send('');
    rig.capture(icmpTooBig(rig.tooBig[0]!, 1400));
    assert.equal(rig.largest, 1000);
  });

  it('is not believed about what is not in flight (RFC 5927 4)', () => {
    const rig = new NarrowRig(1000);
    rig.upload();
    const forged = rig.tooBig[0]!.slice();
    for (const seq of [0, 0x7fff_ffff, 0xffff_ffff]) {
      writeU32(forged, SEQ_OFFSET_V4, seq);
      rig.capture(icmpTooBig(forged, 576));
    }
    const otherPort = rig.tooBig[0]!.slice();
    otherPort[21]! ^= 1;
    rig.capture(icmpTooBig(otherPort, 576), icmpTooBig(rig.tooBig[0]!, 576).subarray(0, 40));
    assert.equal(rig.engine.counters.pathsNarrowed, 0);
    assert.deepEqual(rig.received, [0]);
  });

  it('is known at once when the host itself refuses it', () => {
    const rig = new NarrowRig(1000);
    rig.upload();
    const packet = rig.tooBig[0]!;
    rig.engine.noteTooBig(packet, 0, packet.length, 1000, rig.nowMs);
    assert.equal(rig.engine.nextDeadlineMs(), 0, 'the next call sends again');
    rig.settle();
    assert.deepEqual(rig.received, [TEXT.length]);
  });
});

describe('a path that loses large packets, and nobody says so', () => {
  it('gets smaller ones after three timeouts', () => {
    const rig = new NarrowRig(1200);
    rig.upload();
    rig.wait(4000);
    assert.deepEqual(rig.received, [TEXT.length]);
    assert.equal(rig.largest, 1064);
  });

  it('gets the smallest that everybody takes after four', () => {
    const rig = new NarrowRig(600);
    rig.upload();
    rig.wait(9000);
    assert.deepEqual(rig.received, [TEXT.length]);
    assert.equal(rig.largest, 576);
  });

  it('costs new sessions nothing more once three have found it out', () => {
    const rig = new NarrowRig(1200);
    for (let port = 40_000; port < 40_003; port += 1) rig.upload(port);
    rig.wait(4000);
    const before = rig.tooBig.length;
    rig.upload(40_003);
    assert.deepEqual(rig.received.at(-1), TEXT.length);
    assert.equal(rig.tooBig.length, before);
  });

  it('is not taken for one that was away for a while', () => {
    const rig = new NarrowRig(1500);
    const client = rig.upload();
    client.hear(10);
    rig.isCut = true;
    rig.capture(client.send(TEXT));
    rig.wait(600);
    // The first of them has arrived; its acknowledgement has not.
    const { target } = rig;
    const connection = target.connections[0]!;
    rig.wait(1200);
    connection.rcvNxt += 1448;
    connection.received.push(...new Array<number>(1448).fill('x'.charCodeAt(0)));
    rig.isCut = false;
    rig.largest = 0;
    rig.wait(4000);
    assert.deepEqual(rig.received, [2 * TEXT.length]);
    assert.equal(rig.largest, 1500);
  });
});
