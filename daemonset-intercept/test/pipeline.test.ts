import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ACK,
  FIN,
  PacketHeader,
  parsePacket,
  RECORD_OPEN,
  RECORD_PACKET,
  RECORD_RELEASE,
  RESPONSE_EVENT_FLOW_TABLE_FULL,
  RESPONSE_EVENT_FLOW_TAKEN,
  RESPONSE_EVENT_TARGET_UNKNOWN,
  RST,
  SYN,
} from '@trafficcopy/core';
import fc from 'fast-check';
import { PIECE_PACKETS } from '../src/pipeline.js';
import { craftPacket } from './kit/crafted-packet.js';
import { PipelineRig, TEMPLATE } from './kit/pipeline-rig.js';

const NOTHING = new Uint8Array(0);
const data = { flags: ACK, seq: 1001, ack: 1, payload: 'hello' };
const synAck = { flags: SYN | ACK, seq: 500, ack: 1001 };

function resets(rig: PipelineRig): number[] {
  return rig.sender.packets.flatMap((packet) => {
    const header = new PacketHeader();
    assert.equal(parsePacket(packet, 0, packet.length, packet.length, header), 'ok');
    return header.flags === RST ? [header.seq] : [];
  });
}

describe('packets of a copy', () => {
  it('a SYN opens a flow and is injected as it is; further packets of its session follow', () => {
    const rig = new PipelineRig();
    const { link } = rig.connect();
    rig.open(link, 9);
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...data }));
    assert.deepEqual(rig.sender.packets, [craftPacket(TEMPLATE), craftPacket({ ...TEMPLATE, ...data })]);
    assert.equal(rig.pipeline.flows.size, 1);
  });

  it('a packet of a flow that was not opened, or with the id of another session, is not injected', () => {
    const rig = new PipelineRig();
    const { link } = rig.connect();
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...data }));
    rig.open(link, 9);
    rig.record(link, 8, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...data }));
    assert.equal(rig.counters.recordsRefused.flowUnknown, 2);
    assert.equal(rig.sender.packets.length, 1);
  });

  it('of another copy cannot use the flow', () => {
    const rig = new PipelineRig();
    const first = rig.connect('a');
    const second = rig.connect('b');
    rig.open(first.link, 1);
    rig.open(second.link, 1);
    rig.record(second.link, 1, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...data }));
    assert.equal(rig.sender.packets.length, 1);
    assert.deepEqual(
      second.connection.responses.map(({ event }) => event),
      [RESPONSE_EVENT_FLOW_TAKEN],
    );
    rig.respond(synAck);
    assert.equal(first.connection.responses.length, 1);
    assert.equal(second.connection.responses.length, 1);
  });

  for (const [what, changes, reason] of [
    ['to a port that is not served', { destinationPort: 81 }, 'targetUnknown'],
    ['to an address of another host', { destination: '10.0.0.4' }, 'targetUnknown'],
    ['from loopback', { source: '127.0.0.1' }, 'sourceRefused'],
    ['from an address of the target', { source: '10.0.0.3' }, 'sourceRefused'],
    ['from a multicast address', { source: '224.0.0.1' }, 'sourceRefused'],
    ['from port 0', { sourcePort: 0 }, 'sourceRefused'],
    ['from an IPv6 address of the target', { source: '::1', destination: 'fd00::3' }, 'sourceRefused'],
    ['from an IPv4-mapped address', { source: '::ffff:1.2.3.4', destination: 'fd00::3' }, 'sourceRefused'],
  ] as const) {
    it(`${what} are refused, and the copy hears that it cannot be delivered`, () => {
      const rig = new PipelineRig();
      const { link, connection } = rig.connect();
      rig.open(link, 3, changes);
      assert.equal(rig.counters.recordsRefused[reason], 1);
      assert.equal(rig.sender.packets.length, 0);
      assert.deepEqual(
        connection.responses.map(({ sessionId, event }) => [sessionId, event]),
        [[3, RESPONSE_EVENT_TARGET_UNKNOWN]],
      );
    });
  }

  it('that would open a flow without being a SYN are refused', () => {
    const rig = new PipelineRig();
    const { link } = rig.connect();
    for (const flags of [ACK, SYN | ACK, SYN | FIN, SYN | RST, 0]) rig.open(link, 3, { flags });
    assert.equal(rig.counters.recordsRefused.notSyn, 5);
    assert.equal(rig.sender.packets.length, 0);
  });

  it('when the flow table is full are refused with a word, and a release makes room', () => {
    const rig = new PipelineRig({ flowsMax: 2 });
    const { link, connection } = rig.connect();
    for (const sessionId of [1, 2, 3]) rig.open(link, sessionId, { sourcePort: 40_000 + sessionId });
    assert.deepEqual(
      connection.responses.map(({ sessionId, event }) => [sessionId, event]),
      [[3, RESPONSE_EVENT_FLOW_TABLE_FULL]],
    );
    rig.record(link, 1, RECORD_RELEASE, NOTHING);
    rig.open(link, 4, { sourcePort: 40_004 });
    assert.equal(rig.counters.recordsRefused.flowTableFull, 1);
    assert.equal(rig.pipeline.flows.size, 2);
  });

  for (const [what, perFrame] of [
    ['a large frame', 1001],
    ['many small frames of one turn', 10],
  ] as const) {
    it(`${what}: the queue is drained and its headers leave after each piece of packets`, () => {
      const rig = new PipelineRig();
      const { link, connection } = rig.connect();
      const ack = rig.answer({ flags: ACK, seq: 501, ack: 1006 });
      const sizes: number[] = [];
      const returnedBefore: number[] = [];
      rig.sender.onSend = (packets) => {
        sizes.push(packets);
        returnedBefore.push(connection.responses.length);
        // The target answers each packet within the call that injects it.
        rig.source.put(...new Array<Uint8Array>(packets).fill(ack));
      };
      rig.burst(link, 1, 1000, perFrame);
      assert.equal(rig.sender.packets.length, 1001);
      assert.ok(sizes.every((packets) => packets <= PIECE_PACKETS));
      let injected = 0;
      for (const [index, packets] of sizes.entries()) {
        assert.ok(injected - returnedBefore[index]! < 2 * PIECE_PACKETS, 'responses do not pile up');
        injected += packets;
      }
      assert.ok(connection.frames >= Math.floor(1001 / PIECE_PACKETS));
      assert.equal(connection.flushes, connection.frames);
    });
  }

  it('one frame goes to the kernel in one call', () => {
    const rig = new PipelineRig();
    const { link } = rig.connect();
    const records = [RECORD_OPEN, RECORD_PACKET, RECORD_PACKET].map((kind) => {
      const packet = craftPacket({ ...TEMPLATE, ...(kind === RECORD_OPEN ? {} : data) });
      const record = new Uint8Array(8 + ((packet.length + 3) & ~3));
      record.set([0, 0, 0, 5, 0, packet.length, kind, 0]);
      record.set(packet, 8);
      return record;
    });
    const payload = new Uint8Array(Buffer.concat(records));
    rig.pipeline.packets(link, payload, 0, payload.length, false);
    assert.equal(rig.sender.packets.length, 3);
    assert.equal(rig.sender.calls, 1);
  });

  it('REGISTER injects nothing', () => {
    const rig = new PipelineRig();
    const { link } = rig.connect();
    rig.record(link, 9, RECORD_OPEN, craftPacket(TEMPLATE), true);
    assert.equal(rig.sender.packets.length, 0);
    assert.equal(rig.pipeline.flows.size, 1);
  });

  it('the same addresses and ports with another session of the same copy are a new connection', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.open(link, 1);
    rig.open(link, 2, { seq: 9000 });
    rig.record(link, 1, RECORD_RELEASE, NOTHING);
    rig.respond(synAck);
    assert.deepEqual(
      connection.responses.map(({ sessionId }) => sessionId),
      [2],
    );
  });

  it('any octets in a frame are survived, and only whole packets of open flows are injected', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, isRegister) => {
        const rig = new PipelineRig();
        const { link } = rig.connect();
        rig.pipeline.packets(link, bytes, 0, bytes.length, isRegister);
        assert.equal(rig.sender.packets.length, 0);
      }),
    );
  });

  it('a record of which one octet was changed is injected only while it is the same flow to the same target', () => {
    const packet = craftPacket({ ...TEMPLATE, ...data });
    fc.assert(
      fc.property(fc.nat(packet.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const rig = new PipelineRig();
        const { link } = rig.connect();
        rig.open(link, 1);
        const changed = Uint8Array.from(packet);
        changed[at] = changed[at]! ^ change;
        rig.record(link, 1, RECORD_PACKET, changed);
        for (const sent of rig.sender.packets.slice(1)) {
          // Version and header length, total length, no fragment, protocol, addresses and ports are what they were.
          assert.deepEqual(sent.subarray(0, 1), packet.subarray(0, 1));
          assert.deepEqual(sent.subarray(2, 4), packet.subarray(2, 4));
          assert.equal(sent[9], 6);
          assert.deepEqual(sent.subarray(12, 24), packet.subarray(12, 24));
        }
      }),
    );
  });
});

describe('responses', () => {
  it('of one turn of the queue go back in one frame, with the session that opened the flow', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.open(link, 0xfffffffe);
    const answer = { source: '10.0.0.3', destination: '198.51.100.7', sourcePort: 8080, destinationPort: 40_000 };
    rig.source.put(craftPacket({ ...TEMPLATE, ...answer, ...synAck }));
    rig.source.put(craftPacket({ ...TEMPLATE, ...answer, flags: ACK, seq: 501, ack: 1006, payload: 'resp' }));
    rig.pipeline.drain();
    assert.equal(connection.frames, 1);
    assert.deepEqual(
      connection.responses.map(({ sessionId, seq, ack, payloadBytes }) => [sessionId, seq, ack, payloadBytes]),
      [
        [0xfffffffe, 500, 1001, 0],
        [0xfffffffe, 501, 1006, 4],
      ],
    );
  });

  it('come with as much of their payload as the copy asked for, and as there is', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect('copy', ['payload:600']);
    rig.open(link, 5);
    const text = 'x'.repeat(1000);
    rig.respond(synAck);
    rig.respond({ flags: ACK, seq: 501, ack: 1006, payload: text });
    rig.respond({ flags: ACK, seq: 1501, ack: 1006, payload: '+OK' });
    assert.deepEqual(
      connection.responses.map(({ sessionId, payloadBytes, kept }) => [
        sessionId,
        payloadBytes,
        kept.length,
        kept.slice(-3),
      ]),
      [
        [5, 0, 0, ''],
        [5, 1000, 600, 'xxx'],
        [5, 3, 3, '+OK'],
      ],
    );
    rig.open(link, 6, { destinationPort: 9999 });
    assert.deepEqual(connection.responses.at(-1)?.event, RESPONSE_EVENT_TARGET_UNKNOWN);
  });

  it('come without payload to a copy that did not ask, although another one did', () => {
    const rig = new PipelineRig();
    rig.connect('curious', ['payload:65535']);
    const { link, connection } = rig.connect();
    rig.open(link, 5);
    rig.respond({ flags: ACK, seq: 501, ack: 1006, payload: 'secret' });
    assert.deepEqual(
      connection.responses.map(({ payloadBytes, kept }) => [payloadBytes, kept]),
      [[6, '']],
    );
  });

  it('are taken out of the kernel with as much payload as somebody wants who is connected', () => {
    const rig = new PipelineRig();
    assert.equal(rig.source.copyBytes, 128);
    const { link: little } = rig.connect('little', ['payload:100']);
    const { link: much } = rig.connect('much', ['payload:65535']);
    rig.connect('headers');
    assert.equal(rig.source.copyBytes, 65_535);
    rig.pipeline.linkDown(much);
    assert.equal(rig.source.copyBytes, 228);
    rig.pipeline.linkDown(little);
    assert.equal(rig.source.copyBytes, 128);
  });

  it('with payload beyond one frame go in several', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect('copy', ['payload:65535']);
    rig.open(link, 5);
    const payload = 'y'.repeat(60_000);
    rig.source.put(...Array.from({ length: 9 }, () => rig.answer({ flags: ACK, seq: 501, ack: 1006, payload })));
    rig.pipeline.drain();
    assert.deepEqual(
      connection.responses.map(({ kept }) => kept.length),
      new Array(9).fill(60_000),
    );
    assert.equal(connection.frames, 3);
  });

  it('that the full channel does not take are counted', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.open(link, 1);
    connection.isFull = true;
    rig.respond(synAck);
    assert.equal(rig.counters.responsesNotReturned, 1);
    assert.equal(rig.counters.responsesReturned, 0);
  });

  it('a SYN-ACK that comes before its REGISTER waits for it, others of unknown flows do not', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.respond(synAck);
    rig.respond({ flags: ACK, seq: 501, ack: 1001 });
    rig.wait(500);
    rig.record(link, 6, RECORD_OPEN, craftPacket(TEMPLATE), true);
    assert.deepEqual(
      connection.responses.map(({ sessionId, flags }) => [sessionId, flags]),
      [[6, SYN | ACK]],
    );
  });

  it('a SYN-ACK for which no REGISTER comes is forgotten', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.respond(synAck);
    rig.wait(rig.limits.parkedMs + 250);
    rig.record(link, 6, RECORD_OPEN, craftPacket(TEMPLATE), true);
    assert.equal(connection.responses.length, 0);
    assert.equal(rig.counters.responsesUnclaimed, 1);
  });

  it('parked ones are bounded: the oldest goes', () => {
    const rig = new PipelineRig({ parkedMax: 2 });
    for (const destinationPort of [1, 2, 3]) rig.respond({ ...synAck, destinationPort });
    rig.wait(250);
    assert.equal(rig.counters.responsesParked, 3);
    assert.equal(rig.counters.responsesUnclaimed, 1);
  });

  it('of unknown flows are answered with a reset, but not while copies may still come back after a start', () => {
    const rig = new PipelineRig();
    rig.pipeline.tick();
    rig.respond({ flags: ACK, seq: 501, ack: 7777, payload: 'late' });
    assert.deepEqual(resets(rig), []);
    rig.wait(rig.limits.graceMs);
    rig.respond({ flags: ACK, seq: 501, ack: 7777, payload: 'late' });
    assert.deepEqual(resets(rig), [7777]);
    rig.respond({ flags: RST | ACK, seq: 501, ack: 7777 });
    assert.deepEqual(resets(rig), [7777], 'a reset is not answered');
  });

  it('that are no TCP packets are counted', () => {
    const rig = new PipelineRig();
    rig.source.put(new Uint8Array(40));
    rig.pipeline.drain();
    assert.equal(rig.counters.responsesMalformed, 1);
  });
});

describe('a connection that ends', () => {
  it('keeps its flows for the same copy, which takes them over', () => {
    const rig = new PipelineRig();
    const first = rig.connect('copy');
    rig.open(first.link, 1);
    rig.pipeline.linkDown(first.link);
    const second = rig.connect('copy');
    rig.record(second.link, 5, RECORD_OPEN, craftPacket(TEMPLATE), true);
    rig.respond({ flags: ACK, seq: 501, ack: 1001, payload: 'x' });
    assert.deepEqual(
      second.connection.responses.map(({ sessionId }) => sessionId),
      [5],
    );
    assert.equal(rig.counters.flowsResumed, 1);
    rig.wait(rig.limits.graceMs + 250);
    assert.equal(rig.pipeline.flows.size, 1);
    assert.deepEqual(resets(rig), []);
  });

  it('keeps them from another copy', () => {
    const rig = new PipelineRig();
    const first = rig.connect('copy');
    rig.open(first.link, 1);
    rig.pipeline.linkDown(first.link);
    const other = rig.connect('other');
    rig.open(other.link, 5);
    assert.equal(other.connection.responses[0]!.event, RESPONSE_EVENT_FLOW_TAKEN);
  });

  it('without notice: the same process takes its flows over at once, another process of the same name does not', () => {
    const rig = new PipelineRig();
    const first = rig.connect('copy', ['instance:1']);
    rig.open(first.link, 1);
    const other = rig.connect('copy', ['instance:2']);
    rig.record(other.link, 1, RECORD_OPEN, craftPacket(TEMPLATE), true);
    assert.equal(rig.counters.recordsRefused.flowTaken, 1);
    const again = rig.connect('copy', ['instance:1']);
    rig.record(again.link, 1, RECORD_OPEN, craftPacket(TEMPLATE), true);
    assert.equal(rig.counters.flowsResumed, 1);
    rig.pipeline.linkDown(first.link);
    rig.respond({ flags: ACK, seq: 501, ack: 1001 });
    assert.equal(again.connection.responses.length, 1);
  });

  it('and does not come back has its flows reset, with both numbers that the target may expect', () => {
    const rig = new PipelineRig();
    const { link } = rig.connect();
    rig.open(link, 1);
    rig.respond(synAck);
    rig.record(link, 1, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...data }));
    rig.pipeline.linkDown(link);
    rig.wait(rig.limits.graceMs + 250);
    assert.deepEqual(resets(rig), [1001, 1006]);
    assert.equal(rig.pipeline.flows.size, 0);
    assert.equal(rig.counters.flowsReset, 1);
    assert.equal(rig.links.all().length, 0);
  });

  it('many connections of copies that never come back do not use up the places', () => {
    const rig = new PipelineRig();
    for (let round = 0; round < 100; round += 1) {
      const { link } = rig.connect();
      rig.open(link, 1, { sourcePort: 1000 + round });
      rig.pipeline.linkDown(link);
      rig.wait(250);
    }
    assert.ok(rig.links.all().length <= rig.links.ownersMax);
  });
});

describe('time', () => {
  it('a flow without traffic is forgotten', () => {
    const rig = new PipelineRig({ idleMs: 10_000 });
    const { link } = rig.connect();
    rig.open(link, 1);
    rig.open(link, 2, { sourcePort: 2 });
    rig.wait(8000);
    rig.respond({ ...synAck });
    rig.wait(25_000 - 8000 + rig.limits.flowsMax * 250);
    assert.equal(rig.counters.flowsIdle, 2);
    assert.equal(rig.pipeline.flows.size, 0);
  });

  it('at the end every flow is reset', () => {
    const rig = new PipelineRig();
    const { link } = rig.connect();
    rig.open(link, 1);
    rig.open(link, 2, { sourcePort: 2, source: '2001:db8::1', destination: 'fd00::3' });
    rig.pipeline.close();
    assert.equal(rig.pipeline.flows.size, 0);
    assert.equal(rig.counters.flowsReset, 2);
    assert.equal(resets(rig).length, 4);
    rig.respond({ flags: ACK, seq: 501, ack: 1234 });
    assert.equal(resets(rig).at(-1), 1234, 'what the target still says is answered with a reset');
    rig.respond({ ...synAck, ack: 4321 });
    assert.equal(resets(rig).at(-1), 4321, 'and a SYN-ACK too: no REGISTER will come');
  });
});

describe('the time that an answer took', () => {
  const request = { flags: ACK, seq: 1001, ack: 501, payload: 'hello' };
  const answer = { flags: ACK, seq: 501, ack: 1006, payload: 'hi' };

  it('counts from the injection of the last new octets to the reading of the answer', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.open(link, 9);
    rig.respond(synAck);
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...request }));
    rig.nowMs += 12;
    rig.respond(answer);
    // A repetition and an acknowledgement bring the target nothing new.
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...request }));
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, flags: ACK, seq: 1006, ack: 503 }));
    rig.nowMs += 8;
    rig.respond({ ...answer, seq: 503 });
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...request, seq: 1006 }));
    rig.nowMs += 5;
    rig.respond({ ...answer, seq: 505, ack: 1011 });
    assert.deepEqual(connection.elapsedUs, [-1, 12_000, 20_000, 5000]);
  });

  it('is not known of a flow whose packets go another way, nor of one that took the place of another', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.record(link, 9, RECORD_OPEN, craftPacket(TEMPLATE), true);
    rig.nowMs += 10;
    rig.respond(answer);
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...request }));
    rig.record(link, 9, RECORD_RELEASE, NOTHING);
    rig.open(link, 10);
    rig.respond({ ...answer, payload: '' });
    assert.deepEqual(connection.elapsedUs, [-1, -1]);
  });

  it('of more than 167 s is not told, and none is told as 0', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.open(link, 9);
    rig.record(link, 9, RECORD_PACKET, craftPacket({ ...TEMPLATE, ...request }));
    rig.respond(answer);
    rig.nowMs += 167_000;
    rig.respond({ ...answer, seq: 503 });
    rig.nowMs += 1000;
    rig.respond({ ...answer, seq: 505 });
    assert.deepEqual(connection.elapsedUs, [10, 167_000_000, -1]);
  });
});
