import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RESPONSE_RECORD_BYTES, type ResponseBatch } from '../../src/batch/response-record.js';
import { writeDatagramsRecord } from '../../src/batch/response-record-writer.js';
import { Engine } from '../../src/engine.js';
import type { EngineConfig, MappingConfig } from '../../src/engine-config.js';
import { isInRange } from '../../src/wire/address-range.js';
import { parseIpAddress } from '../../src/wire/ip-address.js';
import { datagram, datagramsOf, type SentDatagram } from '../kit/datagram.js';
import { CONFIG } from '../kit/rig.js';
import { batchOf } from '../kit/segment.js';

const RANGE = { address: parseIpAddress('10.9.0.0')!, prefixBits: 24 };
const RANGE_V6 = { address: parseIpAddress('fd09::')!, prefixBits: 112 };

function targetAt(address: string, lane = 0): MappingConfig['targets'][number] {
  return { name: address, endpoints: [{ lane, address: parseIpAddress(address)!, port: 5353 }] };
}

function mapping(...targets: readonly MappingConfig['targets'][number][]): MappingConfig {
  return { onlinePort: 53, ipVersion: targets[0]?.endpoints[0]?.address.length === 16 ? 6 : 4, targets };
}

class Stage {
  readonly engine: Engine;
  nowMs = 1000;

  constructor(config: Partial<EngineConfig> = {}) {
    const mappings = [mapping(targetAt('10.0.0.3'))];
    this.engine = new Engine({ ...CONFIG, udp: true, mappings, clientAddresses: [RANGE, RANGE_V6], ...config }, 1000);
  }

  get ledger(): Engine['counters']['datagrams'] {
    return this.engine.counters.datagrams;
  }

  capture(...packets: readonly Uint8Array[]): void {
    this.engine.ingestCaptured(batchOf([...packets]), this.nowMs);
    this.check();
  }

  /** What the lane's output holds, which is empty then. */
  take(lane = 0): SentDatagram[] {
    const output = this.engine.outputs[lane]!;
    const sent = datagramsOf(output);
    output.clear();
    return sent;
  }

  /** All that comes out, over as many drains as it takes. */
  takeAll(lane = 0): SentDatagram[] {
    const sent = this.take(lane);
    while (this.engine.nextDeadlineMs() === 0) {
      this.engine.advance(this.nowMs);
      sent.push(...this.take(lane));
      this.check();
    }
    return sent;
  }

  tell(injected: number, refused = 0, failed = 0, lane = 0, unreachable = 0): void {
    const bytes = new Uint8Array(RESPONSE_RECORD_BYTES);
    writeDatagramsRecord(bytes, 0, injected, refused, failed, unreachable);
    const batch: ResponseBatch = { bytes, offset: 0, strideBytes: RESPONSE_RECORD_BYTES, count: 1 };
    this.engine.ingestResponses(lane, batch, this.nowMs);
    this.check();
  }

  /** copies = delivered + lost + pending, and none below 0. */
  check(): void {
    const { copies, delivered, pending, lost, notChosen } = this.ledger;
    const numbers = [copies, delivered, pending, notChosen, ...Object.values(lost)];
    assert.ok(numbers.every((number) => number >= 0));
    assert.equal(copies, delivered + pending + Object.values(lost).reduce((sum, count) => sum + count, 0));
  }
}

function uniqueEnds(sent: readonly SentDatagram[]): Set<string> {
  return new Set(sent.map(({ from, fromPort, to }) => `${from}:${fromPort} ${to}`));
}

describe('a datagram', () => {
  it('goes to the target with the client’s port, an address of -c, and its octets', () => {
    const stage = new Stage();
    stage.capture(datagram({ payload: 'a' }), datagram({ payload: 'b' }), datagram({ payload: '' }));
    const sent = stage.take();
    assert.deepEqual(
      sent.map(({ fromPort, to, payload }) => ({ fromPort, to, payload })),
      ['a', 'b', ''].map((payload) => ({ fromPort: 40_000, to: '10.0.0.3:5353', payload })),
    );
    assert.equal(uniqueEnds(sent).size, 1);
    assert.ok(isInRange(parseIpAddress(sent[0]!.from)!, 0, 4, RANGE));
    assert.deepEqual([stage.ledger.captured, stage.ledger.copies, stage.ledger.pending], [3, 3, 3]);
  });

  it('of IPv6 goes to the targets of its mapping, behind extension headers too', () => {
    const stage = new Stage({ mappings: [mapping(targetAt('fd00::3')), mapping(targetAt('10.0.0.3'))] });
    const plain = datagram({ from: 'fd00::1', to: 'fd00::2', payload: 'six' });
    // A destination options header of 8 octets (RFC 8200 4.6) between the two.
    const extended = new Uint8Array(plain.length + 8);
    extended.set(plain.subarray(0, 40));
    extended.set([17, 0, 1, 4, 0, 0, 0, 0], 40);
    extended.set(plain.subarray(40), 48);
    extended[6] = 60;
    extended[5] = extended[5]! + 8;
    stage.capture(plain, extended);
    const sent = stage.take();
    assert.deepEqual(
      sent.map(({ to, payload }) => `${to} ${payload}`),
      ['fd00::3:5353 six', 'fd00::3:5353 six'],
    );
    assert.ok(isInRange(parseIpAddress(sent[0]!.from)!, 0, 16, RANGE_V6));
  });

  it('is delivered when intercept says so, and lost where it says that', () => {
    const stage = new Stage();
    stage.capture(...Array.from({ length: 10 }, () => datagram()));
    stage.take();
    stage.tell(6, 3, 1);
    const { delivered, pending, lost } = stage.ledger;
    assert.deepEqual([delivered, pending, lost.refused, lost.failed], [6, 0, 3, 1]);
  });

  it('to a port where nobody listens is delivered, and counted; never more than were delivered', () => {
    const stage = new Stage();
    stage.capture(datagram(), datagram(), datagram());
    stage.take();
    stage.tell(2);
    stage.tell(0, 0, 0, 0, 1);
    assert.deepEqual([stage.ledger.delivered, stage.ledger.unreachable], [2, 1]);
    stage.tell(1, 0, 0, 0, 99);
    assert.deepEqual([stage.ledger.delivered, stage.ledger.unreachable, stage.ledger.pending], [3, 3, 0]);
  });

  it('is not delivered twice, however often intercept says so', () => {
    const stage = new Stage();
    stage.capture(datagram());
    stage.take();
    stage.tell(4_000_000_000, 7, 7);
    stage.tell(1);
    assert.deepEqual([stage.ledger.delivered, stage.ledger.pending], [1, 0]);
  });

  it('in fragments is counted once, and not copied', () => {
    const stage = new Stage({ copies: 2 });
    const first = datagram({ payload: new Uint8Array(1400) });
    first[6] = 0x20;
    const second = datagram({ payload: new Uint8Array(1400) });
    second[6] = 0;
    second[7] = 175;
    const six = datagram({ from: 'fd00::1', to: 'fd00::2', payload: 'six' });
    const firstOfSix = new Uint8Array(six.length + 8);
    firstOfSix.set(six.subarray(0, 40));
    firstOfSix.set([17, 0, 0, 1, 0, 0, 0, 9], 40);
    firstOfSix.set(six.subarray(40), 48);
    firstOfSix[6] = 44;
    const nextOfSix = firstOfSix.slice();
    nextOfSix[43] = 0x41;
    stage.capture(first, second, nextOfSix);
    assert.deepEqual([stage.ledger.captured, stage.ledger.lost.fragmented], [1, 2]);
    const both = new Stage({ mappings: [mapping(targetAt('fd00::3'))] });
    both.capture(firstOfSix, nextOfSix);
    assert.deepEqual([both.ledger.captured, both.ledger.lost.fragmented], [1, 1]);
    assert.deepEqual([...stage.take(), ...both.take()], []);
  });

  it('that the capture cut is not copied', () => {
    const stage = new Stage();
    const whole = datagram({ payload: 'a long query' });
    const batch = batchOf([whole.subarray(0, whole.length - 3)]);
    stage.engine.ingestCaptured(batch, 1000);
    assert.deepEqual([stage.ledger.lost.cutShort, stage.take().length], [1, 0]);
  });

  it('to another port, of another protocol, or that makes no sense is none of ours', () => {
    const stage = new Stage();
    const tcp = datagram();
    tcp[9] = 6;
    const tooLong = datagram();
    tooLong[25] = 200;
    stage.capture(datagram({ toPort: 54 }), tcp, tooLong, new Uint8Array(3));
    assert.deepEqual(
      [stage.ledger.captured, stage.engine.counters.packetsUnmapped, stage.engine.counters.packetsMalformed],
      [0, 1, 3],
    );
  });

  it('larger than a record holds is lost as too large; the largest of IPv4 goes', () => {
    const stage = new Stage({ mappings: [mapping(targetAt('fd00::3')), mapping(targetAt('10.0.0.3'))] });
    stage.capture(datagram({ payload: new Uint8Array(65_507) }));
    stage.capture(datagram({ from: 'fd00::1', to: 'fd00::2', payload: new Uint8Array(65_500) }));
    assert.equal(stage.take()[0]!.payload.length, 65_507);
    assert.equal(stage.ledger.lost.tooLarge, 1);
  });
});

describe('copies of datagrams', () => {
  it('-n 100 of 100 clients: 10,000 with addresses and ports of their own, the same ones for each datagram', () => {
    const stage = new Stage({ copies: 100, limits: { ...CONFIG.limits, sessionsMax: 20_000 } });
    const clients = Array.from({ length: 100 }, (_, index) => datagram({ fromPort: 20_000 + index }));
    stage.capture(...clients);
    const first = stage.takeAll();
    stage.capture(...clients);
    const second = stage.takeAll();
    assert.deepEqual([first.length, uniqueEnds(first).size], [10_000, 10_000]);
    assert.deepEqual(uniqueEnds(second), uniqueEnds(first));
    assert.deepEqual(second, first);
  });

  it('go to each target, over its own lane', () => {
    const stage = new Stage({
      lanes: 2,
      copies: 2,
      mappings: [mapping(targetAt('10.0.0.3'), targetAt('10.0.0.4', 1))],
    });
    stage.capture(datagram({ payload: 'x' }));
    assert.deepEqual(
      [stage.take(0), stage.take(1)].map((sent) => sent.map(({ to }) => to)),
      [
        ['10.0.0.3:5353', '10.0.0.3:5353'],
        ['10.0.0.4:5353', '10.0.0.4:5353'],
      ],
    );
    stage.tell(2, 0, 0, 1);
    assert.deepEqual([stage.ledger.delivered, stage.ledger.pending], [2, 2]);
  });

  it('that find no room wait in their order, and all go', () => {
    const limits = { ...CONFIG.limits, batchPacketsMax: 64, batchBytesMax: 16 * 1024 };
    const stage = new Stage({ copies: 7, limits });
    const payloads = Array.from({ length: 300 }, (_, index) => `query ${index}`);
    for (let at = 0; at < payloads.length; at += 50) {
      stage.capture(...payloads.slice(at, at + 50).map((payload) => datagram({ payload })));
    }
    assert.ok(stage.engine.heldBytes > 0);
    const sent = stage.takeAll();
    assert.deepEqual(
      sent.map(({ payload }) => payload),
      payloads.flatMap((payload) => new Array<string>(7).fill(payload)),
    );
    assert.deepEqual([stage.engine.heldBytes, stage.ledger.pending], [0, 2100]);
  });

  it('that find no room in what may wait are shed, and counted', () => {
    const limits = { ...CONFIG.limits, batchPacketsMax: 16, batchBytesMax: 4096, heldBytesMax: 16 * 1024 };
    const stage = new Stage({ limits });
    stage.capture(...Array.from({ length: 500 }, (_, index) => datagram({ payload: `query ${index}` })));
    const sent = stage.takeAll();
    assert.ok(sent.length > 16 && sent.length < 500);
    assert.equal(stage.ledger.lost.shed, 500 - sent.length);
  });

  it('-r: a share of the clients, the same ones again; the rest is counted', () => {
    const stage = new Stage({ copies: 2, sample: { fraction: 0.25, by: 'connection', seed: 5 } });
    const clients = Array.from({ length: 400 }, (_, index) => datagram({ fromPort: 20_000 + index }));
    stage.capture(...clients);
    const first = stage.takeAll();
    stage.capture(...clients);
    assert.deepEqual(uniqueEnds(stage.takeAll()), uniqueEnds(first));
    assert.ok(first.length > 100 && first.length < 300, `${first.length} of 800`);
    assert.deepEqual(stage.ledger.copies + stage.ledger.notChosen, 1600);
  });

  it('-g: more and more of them', () => {
    const stage = new Stage({ copies: 4 });
    stage.engine.setRamp(1000, 1000);
    const counts = [1000, 1250, 1500, 2000].map((nowMs) => {
      stage.nowMs = nowMs;
      stage.capture(...Array.from({ length: 100 }, (_, index) => datagram({ fromPort: 20_000 + index })));
      return stage.takeAll().length;
    });
    assert.equal(counts[0], 0);
    assert.ok(counts[1]! > 60 && counts[1]! < 140, `${counts[1]}`);
    assert.ok(counts[2]! > 160 && counts[2]! < 240, `${counts[2]}`);
    assert.equal(counts[3], 400);
    assert.equal(stage.ledger.copies + stage.ledger.notChosen, 1600);
  });

  it('more clients than there is room for: the quietest make way, and none is lost', () => {
    const limits = { ...CONFIG.limits, connectionsMax: 64, sessionsMax: 100 };
    const stage = new Stage({ copies: 2, limits });
    let sent = 0;
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 500; index += 1) {
        stage.capture(datagram({ from: `10.1.${index >> 8}.${index & 255}`, fromPort: 20_000 + index }));
        const both = stage.take();
        assert.equal(uniqueEnds(both).size, 2);
        sent += both.length;
      }
    }
    assert.deepEqual([sent, stage.ledger.lost.shed], [3000, 0]);
  });

  it('of a client without a port come from one of ours, always the same', () => {
    const stage = new Stage();
    stage.capture(datagram({ fromPort: 0 }), datagram({ fromPort: 0 }));
    const ports = stage.take().map(({ fromPort }) => fromPort);
    assert.ok(ports[0]! >= 1024);
    assert.deepEqual(ports, [ports[0], ports[0]]);
    assert.equal(stage.ledger.lost.shed, 0);
  });

  it('more client ports than one address of -c has: the quietest make way, and none is lost', () => {
    const one = { address: parseIpAddress('10.9.0.1')!, prefixBits: 32 };
    const limits = { ...CONFIG.limits, connectionsMax: 65_536, sessionsMax: 131_072 };
    const stage = new Stage({ clientAddresses: [one], limits });
    let sent = 0;
    for (let client = 1; client <= 3; client += 1) {
      for (let port = 1024; port < 65_536; port += 512) {
        const end = Math.min(port + 512, 65_536);
        const packets = Array.from({ length: end - port }, (_, index) =>
          datagram({ from: `10.1.0.${client}`, fromPort: port + index }),
        );
        stage.capture(...packets);
        sent += stage.takeAll().length;
      }
    }
    assert.deepEqual([sent, stage.ledger.lost.shed], [3 * 64_512, 0]);
  });

  it('of two clients behind one address of -c come from two ports', () => {
    const one = { address: parseIpAddress('10.9.0.1')!, prefixBits: 32 };
    const stage = new Stage({ clientAddresses: [one] });
    const clients = Array.from({ length: 200 }, (_, index) =>
      datagram({ from: `10.1.0.${index + 1}`, fromPort: 4000 }),
    );
    stage.capture(...clients);
    assert.equal(uniqueEnds(stage.takeAll()).size, 200);
  });
});

describe('what happens meanwhile', () => {
  it('a channel that is down: lost as such; one that goes: what is on its way too; one that is full: shed', () => {
    const stage = new Stage();
    stage.capture(datagram(), datagram());
    stage.take();
    stage.tell(1);
    stage.engine.setLaneUp(0, false, 1000);
    stage.capture(datagram());
    assert.deepEqual([stage.ledger.lost.channelLost, stage.take().length], [2, 0]);
    stage.engine.setLaneUp(0, true, 1000);
    stage.engine.setLaneCongested(0, true);
    stage.capture(datagram());
    stage.engine.setLaneCongested(0, false);
    stage.capture(datagram());
    assert.deepEqual([stage.ledger.lost.shed, stage.take().length], [1, 1]);
    stage.engine.noteDropped(0, 1);
    assert.deepEqual([stage.ledger.lost.shed, stage.ledger.pending], [2, 0]);
  });

  it('while suspended, or left out for the budget, datagrams are counted and not sent', () => {
    const stage = new Stage();
    stage.engine.setPaused(true, 1000);
    stage.capture(datagram());
    stage.engine.setPaused(false, 1000);
    stage.engine.setBudgetShare(0);
    stage.capture(datagram());
    assert.deepEqual([stage.ledger.lost.suspended, stage.ledger.lost.overBudget, stage.take().length], [1, 1, 0]);
  });

  it('other targets: what waits goes to those, and a mapping that is gone loses it', () => {
    const limits = { ...CONFIG.limits, batchPacketsMax: 16, batchBytesMax: 4096 };
    const stage = new Stage({ limits });
    const packets = Array.from({ length: 60 }, () => datagram());
    stage.capture(...packets);
    stage.take();
    stage.engine.setMappings([mapping(targetAt('10.0.0.4'))], 1000);
    const sent = stage.takeAll();
    assert.ok(sent.length > 0 && sent.every(({ to }) => to === '10.0.0.4:5353'));
    stage.capture(...packets);
    stage.take();
    stage.engine.setMappings([], 1000);
    stage.takeAll();
    stage.capture(datagram());
    assert.ok(stage.ledger.lost.targetUnavailable > 0);
    assert.equal(stage.engine.heldBytes, 0);
  });

  it('the end: what was not heard of is interrupted', () => {
    const stage = new Stage();
    stage.capture(datagram(), datagram());
    stage.take();
    stage.tell(1);
    stage.engine.close(1000);
    stage.check();
    assert.deepEqual([stage.ledger.lost.interrupted, stage.ledger.pending], [1, 0]);
  });
});
