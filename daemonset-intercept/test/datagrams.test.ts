import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type AddressRange,
  parseIpAddress,
  RECORD_DATAGRAM,
  RECORD_OPEN,
  RECORD_PACKET,
  RESPONSE_EVENT_DATAGRAMS,
  SYN,
  writeU16,
} from '@trafficcopy/core';
import { PIECE_PACKETS } from '../src/pipeline.js';
import { parseSocketRoomDrops, SocketRoomAlarm } from '../src/socket-room-alarm.js';
import { craftDatagram, craftIcmp, type DatagramTemplate } from './kit/crafted-datagram.js';
import { craftPacket } from './kit/crafted-packet.js';
import { FakeNamespace } from './kit/fake-namespace.js';
import { PipelineRig, TEMPLATE } from './kit/pipeline-rig.js';

const CLIENTS: readonly AddressRange[] = [
  { address: parseIpAddress('10.250.0.0')!, prefixBits: 16 },
  { address: parseIpAddress('fd00:c0de::')!, prefixBits: 64 },
];
const QUERY: DatagramTemplate = {
  source: '10.250.3.4',
  destination: '10.0.0.3',
  sourcePort: 5353,
  destinationPort: 8080,
  payload: 'query',
};
const QUERY_V6 = { ...QUERY, source: 'fd00:c0de::7', destination: 'fd00::3' };

function answerTo({ source, destination, sourcePort }: DatagramTemplate, payload: string): Uint8Array {
  // From another port than it was asked at, as TFTP does.
  return craftDatagram({
    source: destination,
    destination: source,
    sourcePort: 1069,
    destinationPort: sourcePort,
    payload,
  });
}

describe('datagrams of a copy', () => {
  for (const [family, query] of [
    [4, QUERY],
    [6, QUERY_V6],
  ] as const) {
    it(`IPv${family}: are injected as they are, and one record says so`, () => {
      const rig = new PipelineRig({}, CLIENTS);
      const { link, connection } = rig.connect();
      const datagrams = ['one', 'two', ''].map((payload) => craftDatagram({ ...query, payload }));
      rig.frame(
        link,
        datagrams.map((datagram) => [RECORD_DATAGRAM, datagram]),
      );
      assert.deepEqual(rig.sender.packets, datagrams);
      assert.equal(rig.sender.calls, 1);
      assert.deepEqual(connection.tallies, [[3, 0, 0]]);
      assert.deepEqual(
        connection.responses.map(({ sessionId, event }) => [sessionId, event]),
        [[0, RESPONSE_EVENT_DATAGRAMS]],
      );
      const { packetsReceived, packetsInjected, datagramsReceived, datagramsInjected } = rig.counters;
      assert.deepEqual([packetsReceived, packetsInjected, datagramsReceived, datagramsInjected], [3, 3, 3, 3]);
      assert.equal(rig.counters.responsesReturned, 0, 'the record is no response');
      assert.equal(rig.pipeline.flows.size, 0);
    });
  }

  for (const [what, changes, reason] of [
    ['to a port that is not served', { destinationPort: 53 }, 'targetUnknown'],
    ['to an address of another host', { destination: '10.0.0.4' }, 'targetUnknown'],
    ['from an address that is none of --udp-clients', { source: '198.51.100.7' }, 'sourceRefused'],
    ['from an address of the target', { source: '10.0.0.3' }, 'sourceRefused'],
    ['from loopback', { source: '127.0.0.1' }, 'sourceRefused'],
    ['from port 0', { sourcePort: 0 }, 'sourceRefused'],
    ['to port 0', { destinationPort: 0 }, 'badPacket'],
  ] as const) {
    it(`${what} are refused, and counted to the copy`, () => {
      const rig = new PipelineRig({}, CLIENTS);
      const { link, connection } = rig.connect();
      rig.record(link, 0, RECORD_DATAGRAM, craftDatagram({ ...QUERY, ...changes }));
      assert.equal(rig.counters.recordsRefused[reason], 1);
      assert.equal(rig.sender.packets.length, 0);
      assert.deepEqual(connection.tallies, [[0, 1, 0]]);
    });
  }

  for (const [what, spoil] of [
    ['a TCP packet', () => craftPacket(TEMPLATE)],
    ['a UDP length that is too short', (bytes: Uint8Array) => void writeU16(bytes, 24, 12)],
    ['a UDP length that is too long', (bytes: Uint8Array) => void writeU16(bytes, 24, 14)],
    ['an IP length that is too short', (bytes: Uint8Array) => void writeU16(bytes, 2, 32)],
    ['a fragment', (bytes: Uint8Array) => void writeU16(bytes, 6, 0x2000)],
    ['the rest of a datagram', (bytes: Uint8Array) => void writeU16(bytes, 6, 1)],
    ['less than a UDP header', (bytes: Uint8Array) => bytes.slice(0, 27)],
    ['octets behind the datagram', (bytes: Uint8Array) => Uint8Array.of(...bytes, 0)],
    ['IP options', (bytes: Uint8Array) => Uint8Array.of(0x46, ...bytes.subarray(1))],
  ] as const) {
    it(`with ${what} are refused`, () => {
      const rig = new PipelineRig({}, CLIENTS);
      const { link, connection } = rig.connect();
      const bytes = craftDatagram(QUERY);
      rig.record(link, 0, RECORD_DATAGRAM, spoil(bytes) ?? bytes);
      assert.equal(rig.counters.recordsRefused.badPacket, 1);
      assert.equal(rig.sender.packets.length, 0);
      assert.deepEqual(connection.tallies, [[0, 1, 0]]);
    });
  }

  it('IPv6: extension headers are refused', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const { link } = rig.connect();
    const plain = craftDatagram(QUERY_V6);
    const bytes = Uint8Array.of(...plain.subarray(0, 40), 17, 0, 1, 4, 0, 0, 0, 0, ...plain.subarray(40));
    bytes[6] = 60;
    writeU16(bytes, 4, bytes.length - 40);
    rig.record(link, 0, RECORD_DATAGRAM, bytes);
    assert.equal(rig.counters.recordsRefused.badPacket, 1);
    assert.equal(rig.sender.packets.length, 0);
  });

  it('without --udp-clients are refused with a reason of their own', () => {
    const rig = new PipelineRig();
    const { link, connection } = rig.connect();
    rig.record(link, 0, RECORD_DATAGRAM, craftDatagram(QUERY));
    assert.equal(rig.counters.recordsRefused.datagramsOff, 1);
    assert.equal(rig.sender.packets.length, 0);
    assert.deepEqual(connection.tallies, [[0, 1, 0]]);
  });

  it('in REGISTER are no records', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const { link, connection } = rig.connect();
    rig.record(link, 0, RECORD_DATAGRAM, craftDatagram(QUERY), true);
    assert.equal(rig.counters.recordsRefused.malformed, 1);
    assert.deepEqual([rig.sender.packets.length, connection.frames], [0, 0]);
  });

  it('among TCP packets keep the order of the frame', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const { link, connection } = rig.connect();
    const syn = craftPacket(TEMPLATE);
    const [first, second, third] = ['1', '2', '3'].map((payload) => craftDatagram({ ...QUERY, payload }));
    rig.frame(link, [
      [RECORD_DATAGRAM, first!],
      [RECORD_OPEN, syn, 7],
      [RECORD_PACKET, syn, 7],
      [RECORD_DATAGRAM, second!],
      [RECORD_DATAGRAM, third!],
    ]);
    assert.deepEqual(rig.sender.packets, [first, syn, syn, second, third]);
    assert.equal(rig.sender.calls, 3);
    assert.deepEqual(connection.tallies, [[3, 0, 0]]);
    assert.equal(rig.counters.packetsInjected, 5);
  });

  it('that the kernel does not take are told apart from TCP packets that it does not take', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const { link, connection } = rig.connect();
    rig.sender.failing = 1;
    const datagram = craftDatagram(QUERY);
    rig.frame(link, [
      [RECORD_OPEN, craftPacket(TEMPLATE), 7],
      [RECORD_DATAGRAM, datagram],
      [RECORD_DATAGRAM, datagram],
      [RECORD_DATAGRAM, craftDatagram({ ...QUERY, source: '192.0.2.1' })],
    ]);
    assert.deepEqual(connection.tallies, [[1, 1, 1]]);
    assert.deepEqual([rig.counters.packetsFailed, rig.counters.datagramsFailed], [2, 1]);
  });

  it('of a large frame go in pieces, and one record tells of all', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const { link, connection } = rig.connect();
    const datagram = craftDatagram(QUERY);
    const sizes: number[] = [];
    rig.sender.onSend = (packets) => {
      sizes.push(packets);
      rig.source.put(...new Array<Uint8Array>(packets).fill(answerTo(QUERY, 'answer')));
    };
    rig.frame(
      link,
      Array.from({ length: 1000 }, () => [RECORD_DATAGRAM, datagram] as const),
    );
    assert.deepEqual(sizes, [PIECE_PACKETS, PIECE_PACKETS, PIECE_PACKETS, 1000 - 3 * PIECE_PACKETS]);
    assert.deepEqual(connection.tallies, [[1000, 0, 0]]);
    assert.equal(rig.counters.datagramAnswers, 3 * PIECE_PACKETS, 'the queue is drained meanwhile');
  });

  it('what a full channel does not take is told with the next frame', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const { link, connection } = rig.connect();
    connection.isFull = true;
    rig.record(link, 0, RECORD_DATAGRAM, craftDatagram(QUERY));
    assert.deepEqual(connection.tallies, []);
    assert.equal(rig.counters.responsesNotReturned, 0, 'no response was lost');
    connection.isFull = false;
    rig.record(link, 0, RECORD_DATAGRAM, craftDatagram({ ...QUERY, destinationPort: 1 }));
    rig.record(link, 0, RECORD_DATAGRAM, craftDatagram(QUERY));
    assert.deepEqual(connection.tallies, [
      [1, 1, 0],
      [1, 0, 0],
    ]);
  });

  it('of two copies are told to each', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const [one, other] = [rig.connect('a', ['payload:64']), rig.connect('b')];
    rig.record(one.link, 0, RECORD_DATAGRAM, craftDatagram(QUERY));
    rig.record(other.link, 0, RECORD_DATAGRAM, craftDatagram({ ...QUERY, destination: '10.0.0.9' }));
    assert.deepEqual([one.connection.tallies, other.connection.tallies], [[[1, 0, 0]], [[0, 1, 0]]]);
  });
});

describe('what the target says to clients of datagrams', () => {
  it('is counted, and nothing of it goes to a copy', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const { connection } = rig.connect();
    const answers = [answerTo(QUERY, 'x'.repeat(500)), answerTo(QUERY_V6, '')];
    rig.source.put(...answers);
    rig.pipeline.drain();
    const { datagramAnswers, datagramAnswerBytes, responses, responsesMalformed } = rig.counters;
    assert.deepEqual([datagramAnswers, datagramAnswerBytes], [2, answers[0]!.length + answers[1]!.length]);
    assert.deepEqual([responses, responsesMalformed, connection.frames], [0, 0, 0]);
  });

  it('port unreachable is counted, and names each target once', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const toDns = { ...QUERY, destinationPort: 53 };
    const v6 = { ...QUERY_V6, destinationPort: 53 };
    rig.source.put(craftIcmp(toDns, 3, 3), craftIcmp(toDns, 3, 3), craftIcmp(v6, 1, 4), craftIcmp(QUERY, 3, 3));
    rig.pipeline.drain();
    assert.deepEqual(rig.closedPorts, ['10.0.0.3:53', '[fd00::3]:53', '10.0.0.3:8080']);
    assert.deepEqual([rig.counters.datagramsUnreachable, rig.counters.datagramIcmp], [4, 0]);
    assert.equal(rig.counters.responsesMalformed, 0);
  });

  it('port unreachable is told to the copy whose datagrams went last, with the next frame or tick', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const [one, other] = [rig.connect(), rig.connect()];
    rig.record(one.link, 0, RECORD_DATAGRAM, craftDatagram(QUERY));
    rig.record(other.link, 0, RECORD_DATAGRAM, craftDatagram(QUERY));
    rig.source.put(craftIcmp(QUERY, 3, 3), craftIcmp(QUERY, 3, 3));
    rig.pipeline.drain();
    rig.pipeline.tick();
    assert.deepEqual(one.connection.unreachable, 0);
    assert.deepEqual(other.connection.unreachable, 2);
  });

  it('other ICMP, and such that is cut, is counted', () => {
    const rig = new PipelineRig({}, CLIENTS);
    rig.source.put(craftIcmp(QUERY, 3, 1), craftIcmp(QUERY_V6, 3, 3), craftIcmp(QUERY, 3, 3).slice(0, 22));
    rig.source.put(craftIcmp(QUERY, 3, 3).slice(0, 40));
    rig.pipeline.drain();
    assert.deepEqual([rig.counters.datagramsUnreachable, rig.counters.datagramIcmp], [1, 3]);
    assert.deepEqual(rig.closedPorts, [], 'nothing can be read of the datagram');
  });

  it('anything else on the queue is none of it', () => {
    const rig = new PipelineRig({}, CLIENTS);
    const stranger = { ...QUERY, source: '192.0.2.1' };
    rig.source.put(answerTo(stranger, 'x'), craftIcmp(stranger, 3, 3), Uint8Array.of(1, 2, 3));
    rig.pipeline.drain();
    assert.equal(rig.counters.responsesMalformed, 3);
    assert.deepEqual([rig.counters.datagramAnswers, rig.counters.datagramsUnreachable], [0, 0]);
    rig.respond({ flags: SYN, seq: 1 });
    assert.equal(rig.counters.responses, 1);
  });
});

describe('sockets of the target without room', () => {
  const v4 = (drops: number): string =>
    `Tcp: RtoAlgorithm InErrs\nTcp: 1 9\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 7 1 5 8 ${drops}\n`;
  const v6 = (drops: number): string => `Udp6InErrors \t7\nUdp6RcvbufErrors                \t${drops}\n`;

  it('are read from the counters of both IP versions, where the kernel has them', () => {
    assert.equal(parseSocketRoomDrops(v4(3), v6(4)), 7);
    assert.equal(parseSocketRoomDrops('', ''), 0);
    assert.equal(parseSocketRoomDrops('Udp: InDatagrams\nUdp: 3\n', v6(4)), 4);
  });

  it('are told with what helps, not more than every 30 s but for the last time', async () => {
    const access = new FakeNamespace();
    const drops = (count: number): void => {
      access.files.set('/proc/net/snmp', v4(count));
      access.files.set('/proc/net/snmp6', v6(100));
    };
    drops(5);
    const alarm = new SocketRoomAlarm(access);
    await alarm.start();
    assert.equal(await alarm.check(0), undefined, 'what was before is not ours');
    drops(1205);
    assert.match((await alarm.check(5000))!, /had no room for 1,200 UDP datagrams .*SO_RCVBUF/);
    drops(1207);
    assert.equal(await alarm.check(34_999), undefined);
    assert.match((await alarm.check(35_000))!, /no room for 2 UDP/);
    drops(1208);
    assert.match((await alarm.check(35_001, true))!, /no room for 1 UDP/);
    assert.equal(await alarm.check(99_999, true), undefined);
  });
});
