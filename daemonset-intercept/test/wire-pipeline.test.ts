/** C tcpcopies in the walk back: routes, their limits, and who may take them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACK, PSH, RST, SYN, WIRE_FORMATS, type WireVersion } from '@trafficcopy/core';
import type { CopyLink } from '../src/channel/copy-link.js';
import { wireRecords } from '../src/channel/wire-records.js';
import type { InterceptLimits } from '../src/limits.js';
import { FakeTunnel } from './kit/fake-tunnel.js';
import { PipelineRig } from './kit/pipeline-rig.js';

/** 198.51.100.7:PORT to 10.0.0.3:8080. */
function registration(port = 40_000, changes: { type?: number; target?: number[] } = {}): Uint8Array {
  const { type = 1, target = [10, 0, 0, 3] } = changes;
  return Uint8Array.of(198, 51, 100, 7, port >> 8, port & 255, 0, type, ...target, 0x1f, 0x90);
}

class WireRig extends PipelineRig {
  constructor(limits: Partial<InterceptLimits> = {}) {
    super({ parkedMs: 30_000, ...limits });
  }

  tunnel(version: WireVersion = '0.9', remote = '10.0.0.1:50000'): { link: CopyLink; tunnel: FakeTunnel } {
    const tunnel = new FakeTunnel(version, remote);
    const link = this.links.open(tunnel, undefined, wireRecords(WIRE_FORMATS[version]));
    if (link === undefined) throw new Error('no place for a link');
    return { link, tunnel };
  }

  register(link: CopyLink, port?: number, changes?: Parameters<typeof registration>[1]): void {
    this.pipeline.register(link, registration(port, changes), 0);
  }
}

const DATA = { flags: PSH | ACK, seq: 700, ack: 1001, payload: 'answer' } as const;

describe('a C tcpcopy', () => {
  for (const version of ['0.9', '1.x'] as const) {
    it(`${version}: responses of what it registered come as records of its size`, () => {
      const rig = new WireRig();
      const { link, tunnel } = rig.tunnel(version);
      rig.register(link);
      rig.respond({ flags: SYN | ACK, seq: 699, ack: 1001 });
      rig.respond(DATA);
      const { recordBytes } = WIRE_FORMATS[version];
      assert.deepEqual(
        tunnel.records.map(({ length }) => length),
        [recordBytes, recordBytes],
      );
      const packet = rig.answer(DATA);
      assert.deepEqual(tunnel.records[1]!.subarray(0, 40), packet.subarray(0, 40), 'IP and TCP header as they were');
      assert.ok(
        tunnel.records[1]!.subarray(40).every((octet) => octet === 0),
        'no payload',
      );
      assert.equal(rig.counters.responsesReturned, 2);
      assert.equal(rig.sender.packets.length, 0, 'nothing is injected');
    });

    it(`${version}: what one turn brings goes out in frames that are full, and no fuller`, () => {
      const rig = new WireRig({ flowsMax: 2048 });
      const { link, tunnel } = rig.tunnel(version);
      rig.register(link);
      const { countMax } = WIRE_FORMATS[version];
      const packets = Array.from({ length: countMax * 2 + 3 }, (_, index) => rig.answer({ ...DATA, seq: index }));
      rig.source.put(...packets);
      rig.pipeline.drain();
      assert.deepEqual(tunnel.counts, [countMax, countMax, 3]);
      assert.equal(tunnel.writes, 1);
      assert.deepEqual(
        tunnel.records.map((record) => record.subarray(0, 40)),
        packets.map((packet) => packet.subarray(0, 40)),
      );
    });
  }

  it('gets the response that came before its registration, within 30 s', () => {
    const rig = new WireRig();
    const { link, tunnel } = rig.tunnel();
    rig.respond({ flags: SYN | ACK, seq: 699, ack: 1001 });
    assert.equal(rig.counters.responsesParked, 1);
    rig.wait(29_000);
    rig.register(link);
    assert.equal(tunnel.records.length, 1);
    assert.equal(tunnel.records[0]![33], SYN | ACK);
    rig.respond({ flags: SYN | ACK, seq: 5, ack: 2, destinationPort: 41_000 });
    rig.wait(31_000);
    rig.register(link, 41_000);
    assert.equal(tunnel.records.length, 1, 'too late');
    assert.equal(rig.counters.responsesUnclaimed, 1);
  });

  it('that registers a flow again takes it from the other, whose responses end', () => {
    const rig = new WireRig();
    const first = rig.tunnel('0.9', '10.0.0.1:50000');
    const second = rig.tunnel('1.x', '10.0.0.2:50000');
    rig.register(first.link);
    rig.respond(DATA);
    rig.register(second.link);
    rig.respond(DATA);
    assert.equal(first.tunnel.records.length, 1);
    assert.equal(second.tunnel.records.length, 1);
    assert.equal(rig.pipeline.flows.size, 1);
  });

  it('cannot take a flow of a copy that said HELLO, nor can that take its', () => {
    const rig = new WireRig();
    const { link: own, connection } = rig.connect();
    const { link, tunnel } = rig.tunnel();
    rig.open(own, 7);
    rig.register(link);
    rig.respond(DATA);
    assert.equal(connection.responses.length, 1);
    assert.equal(tunnel.records.length, 0);
    assert.equal(rig.counters.recordsRefused.flowTaken, 1);
    rig.register(link, 41_000);
    rig.open(own, 8, { sourcePort: 41_000 });
    assert.equal(rig.counters.recordsRefused.flowTaken, 2);
    rig.respond({ ...DATA, destinationPort: 41_000 });
    assert.equal(tunnel.records.length, 1);
  });

  it('that never ends a flow loses its most silent ones when there is no room, and nobody else does', () => {
    const rig = new WireRig({ flowsMax: 8 });
    const { link: own } = rig.connect();
    const { link, tunnel } = rig.tunnel();
    rig.open(own, 1, { sourcePort: 39_000 });
    for (let port = 40_001; port <= 40_007; port += 1) {
      rig.register(link, port);
      rig.nowMs += 2000;
    }
    rig.respond({ ...DATA, destinationPort: 40_001 });
    rig.register(link, 40_100);
    assert.equal(rig.counters.flowsEvicted, 1);
    assert.equal(rig.pipeline.flows.size, 8);
    const heard = tunnel.records.length;
    rig.respond({ ...DATA, destinationPort: 40_002 });
    assert.equal(tunnel.records.length, heard, 'the one that was silent for longest');
    rig.respond({ ...DATA, destinationPort: 40_001 });
    rig.respond({ ...DATA, destinationPort: 40_100 });
    assert.equal(tunnel.records.length, heard + 2);
    assert.equal(rig.pipeline.flows.firstOf(own.owner) >= 0, true);
  });

  it('finds the table full where all flows are those of others', () => {
    const rig = new WireRig({ flowsMax: 2 });
    const { link: own } = rig.connect();
    const { link } = rig.tunnel();
    rig.open(own, 1, { sourcePort: 39_000 });
    rig.open(own, 2, { sourcePort: 39_001 });
    rig.register(link);
    assert.equal(rig.counters.recordsRefused.flowTableFull, 1);
    assert.equal(rig.counters.flowsEvicted, 0);
  });

  it('has its flows forgotten after half an hour of silence, and others keep theirs', () => {
    const rig = new WireRig();
    const { link: own } = rig.connect();
    const { link } = rig.tunnel();
    rig.open(own, 1, { sourcePort: 39_000 });
    rig.register(link);
    rig.wait(rig.limits.wireIdleMs + 61_000);
    assert.equal(rig.pipeline.flows.size, 1);
    assert.equal(rig.counters.flowsIdle, 1);
  });

  it('goes on by its other tunnel when one is cut', () => {
    const rig = new WireRig();
    const first = rig.tunnel('1.x', '10.0.0.1:50000');
    const stranger = rig.tunnel('1.x', '10.0.0.2:50000');
    const second = rig.tunnel('1.x', '10.0.0.1:50001');
    rig.register(first.link);
    rig.pipeline.linkDown(first.link);
    rig.respond(DATA);
    assert.equal(second.tunnel.records.length, 1);
    assert.equal(stranger.tunnel.records.length, 0);
    assert.equal(first.tunnel.records.length, 0);
  });

  it('whose last tunnel is gone for 30 s has its flows reset at the target', () => {
    const rig = new WireRig();
    const { link } = rig.tunnel();
    rig.register(link);
    rig.respond(DATA);
    rig.pipeline.linkDown(link);
    rig.wait(rig.limits.graceMs + 250);
    assert.equal(rig.counters.flowsReset, 1);
    assert.ok(rig.sender.packets.some((packet) => packet[33] === RST));
    assert.equal(rig.pipeline.flows.size, 0);
  });

  it('may say what is not known, and delete: the first is counted, neither does anything', () => {
    const rig = new WireRig();
    const { link, tunnel } = rig.tunnel();
    rig.register(link);
    rig.register(link, 40_000, { type: 2 });
    rig.register(link, 41_000, { type: 99 });
    assert.equal(rig.counters.messagesUnknown, 1);
    assert.equal(rig.counters.registrations, 1);
    rig.respond(DATA);
    assert.equal(tunnel.records.length, 1, 'it was not deleted');
  });

  it('registers nothing for a target that is not served, and no client that is the target itself', () => {
    const rig = new WireRig();
    const { link } = rig.tunnel();
    rig.register(link, 40_000, { target: [10, 0, 0, 4] });
    assert.equal(rig.counters.recordsRefused.targetUnknown, 1);
    const own = registration();
    own.set([10, 0, 0, 3], 0);
    rig.pipeline.register(link, own, 0);
    assert.equal(rig.counters.recordsRefused.sourceRefused, 1);
    assert.equal(rig.pipeline.flows.size, 0);
  });

  it('that does not read loses whole writes, and they are counted', () => {
    const rig = new WireRig();
    const { link, tunnel } = rig.tunnel();
    rig.register(link);
    tunnel.isFull = true;
    rig.respond(DATA);
    assert.equal(rig.counters.responsesNotReturned, 1);
    assert.equal(rig.counters.responsesReturned, 0);
  });
});
