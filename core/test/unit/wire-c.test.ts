/** The protocol of the C programs, octet by octet. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  HeaderFrameReader,
  HeadersPayload,
  isTunnelHello,
  isTunnelStart,
  PacketHeader,
  parsePacket,
  RESPONSE_ACK,
  RESPONSE_FLAGS,
  RESPONSE_MSS,
  RESPONSE_OPTIONS,
  RESPONSE_PAYLOAD_BYTES,
  RESPONSE_SEQ,
  RESPONSE_SESSION_ID,
  RESPONSE_TS_VAL,
  RESPONSE_WINDOW_SCALE,
  readU16,
  readU32,
  SessionRoutes,
  TUNNEL_ADD,
  TUNNEL_TYPE,
  TunnelMessageReader,
  WIRE_FORMATS,
  WIRE_PAYLOAD_FORMATS,
  WIRE_VERSIONS,
  wireFormatOf,
  writeHeaderRecord,
  writeTunnelAdd,
  writeTunnelHello,
} from '../../src/index.js';
import { frameOfOne, HELLO_1X, HELLO_09, octets, REGISTRATION, SYN_ACK } from '../kit/wire-c-octets.js';

const SESSION = 0x9000_0007;
/** The SYN of the flow that the registration names. */
const SYN = octets(`4500 0028 0001 4000 4006 0000 0a130001 0a130003
                    847a 1f90 74456600 00000000 5002 ffff 0000 0000`);

function syn(): Uint8Array {
  return SYN.slice();
}

function parsed(packet: Uint8Array): PacketHeader {
  const header = new PacketHeader();
  assert.equal(parsePacket(packet, 0, packet.length, packet.length, header), 'ok');
  return header;
}

/** What a copy makes of a stream: sessions and octets of the responses. */
function read(version: '0.9' | '1.x', chunks: readonly Uint8Array[], routes = routesOf(syn())) {
  const responses: { sessionId: number; at: (field: number) => number; bytes: Uint8Array }[] = [];
  const reader = new HeaderFrameReader(
    WIRE_FORMATS[version],
    (bytes, header) => routes.find(bytes, header),
    (bytes, length) => {
      const payload = new HeadersPayload();
      assert.ok(payload.read(bytes, 0, length));
      for (let index = 0; index < payload.count; index += 1) {
        const record = bytes.slice(payload.offset + index * payload.strideBytes);
        const sessionId = readU32(record, RESPONSE_SESSION_ID);
        responses.push({ sessionId, at: (field) => readU32(record, field), bytes: record });
      }
    },
  );
  const isReadable = chunks.map((chunk) => reader.push(chunk));
  return { responses, reader, isReadable };
}

function routesOf(...packets: readonly Uint8Array[]): SessionRoutes {
  const routes = new SessionRoutes(64, 3);
  for (const [index, packet] of packets.entries()) assert.ok(routes.add(packet, 0, SESSION + index));
  return routes;
}

describe('hello and registration', () => {
  for (const [version, golden] of [
    ['0.9', HELLO_09],
    ['1.x', HELLO_1X],
  ] as const) {
    it(`the hello of ${version} has the octets of the C program`, () => {
      const hello = new Uint8Array(14).fill(0xee);
      writeTunnelHello(hello, 0, WIRE_FORMATS[version].helloType);
      assert.deepEqual(hello, golden);
      assert.ok(isTunnelHello(hello, 0));
      assert.equal(wireFormatOf(readU16(golden, TUNNEL_TYPE))?.version, version);
    });
  }

  it('the advanced build of 0.9.6 reads the records of 0.9', () => {
    assert.equal(wireFormatOf(0x8004), WIRE_FORMATS['0.9']);
  });

  it('a version whose records are not known is none', () => {
    for (const type of [0, 1, 2, 3, 5, 7, 99, 0x8006]) assert.equal(wireFormatOf(type), undefined, String(type));
  });

  it('a registration has the octets of the C program', () => {
    const message = new Uint8Array(14).fill(0xee);
    writeTunnelAdd(message, 0, syn(), 0);
    assert.deepEqual(message, REGISTRATION);
    assert.equal(readU16(message, TUNNEL_TYPE), TUNNEL_ADD);
    assert.equal(isTunnelHello(message, 0), false);
  });

  it('a C tcpcopy is told from our own frames by four octets', () => {
    assert.equal(isTunnelStart(HELLO_09, 14), true);
    assert.equal(isTunnelStart(Uint8Array.of(0, 0, 0), 3), undefined);
    assert.equal(isTunnelStart(Uint8Array.of(0, 0, 0, 0), 4), true);
    // A HELLO frame of ours, whose payload has 124 octets.
    assert.equal(isTunnelStart(Uint8Array.of(0, 0, 0, 0x7c, 1), 5), false);
    assert.equal(isTunnelStart(Uint8Array.of(0x16, 3, 1), 3), false);
  });

  it('messages are found however the stream is cut, and in one segment with the hello', () => {
    const stream = Uint8Array.from([...HELLO_1X, ...REGISTRATION, ...REGISTRATION]);
    for (let size = 1; size <= stream.length; size += 1) {
      const found: string[] = [];
      const reader = new TunnelMessageReader((bytes, offset) => {
        found.push(Buffer.from(bytes.subarray(offset, offset + 14)).toString('hex'));
        return true;
      });
      for (let at = 0; at < stream.length; at += size) reader.push(stream.slice(at, at + size));
      const [hello, registration] = [HELLO_1X, REGISTRATION].map((message) => Buffer.from(message).toString('hex'));
      assert.deepEqual(found, [hello, registration, registration]);
    }
  });

  it('a reader that was stopped stays so', () => {
    const reader = new TunnelMessageReader(() => false);
    assert.equal(reader.push(REGISTRATION), false);
    assert.equal(reader.push(Uint8Array.of(0)), false);
    assert.equal(reader.heldBytes, 0);
  });
});

describe('response records', () => {
  for (const version of WIRE_VERSIONS) {
    const { recordBytes } = WIRE_FORMATS[version];
    it(`the record of ${version} is the one that was captured, ${recordBytes} octets`, () => {
      const frame = new Uint8Array(2 + recordBytes).fill(0xee);
      frame.set([0, 1]);
      writeHeaderRecord(frame, 2, recordBytes, SYN_ACK, 0, parsed(SYN_ACK));
      assert.deepEqual(frame, frameOfOne(SYN_ACK, recordBytes));
      assert.equal(frame.length, version === '0.9' ? 82 : 66);
    });

    it(`a copy reads the captured frame of ${version} as the response that it is`, () => {
      const { responses, reader } = read(version, [frameOfOne(SYN_ACK, recordBytes)]);
      assert.equal(responses.length, 1);
      const [{ sessionId, at, bytes }] = responses as [(typeof responses)[0]];
      assert.equal(sessionId, SESSION);
      assert.equal(at(RESPONSE_SEQ), 0x19423a8d);
      assert.equal(at(RESPONSE_ACK), 0x74456601);
      assert.equal(bytes[RESPONSE_FLAGS], 0x12);
      assert.equal(at(RESPONSE_PAYLOAD_BYTES), 0);
      assert.equal(bytes[RESPONSE_OPTIONS], 7, 'timestamps, window scale and SACK');
      assert.equal(at(RESPONSE_TS_VAL), 0x6838bcd7);
      assert.equal(readU16(bytes, RESPONSE_MSS), 1460);
      assert.equal(bytes[RESPONSE_WINDOW_SCALE], 10);
      assert.deepEqual(reader.counters, { frames: 1, records: 1, recordsMalformed: 0, recordsUnknown: 0 });
    });
  }

  it('1.x cuts options that it has no room for, and leaves the data offset', () => {
    // 40 octets of options: NOPs, and timestamps in the last ten.
    const packet = Uint8Array.from([...SYN_ACK.subarray(0, 40), ...new Uint8Array(40).fill(1)]);
    packet[32] = 0xf0;
    packet.set([8, 10, 1, 2, 3, 4, 5, 6, 7, 8], 70);
    packet.set([0, 80], 2);
    const record = new Uint8Array(64);
    writeHeaderRecord(record, 0, 64, packet, 0, parsed(packet));
    assert.deepEqual(record, packet.slice(0, 64));
    const { responses } = read('1.x', [frameOfOne(record, 64)]);
    assert.equal(responses[0]?.bytes[RESPONSE_OPTIONS], 0, 'what was cut off is not there');
    assert.equal(responses[0]?.at(RESPONSE_PAYLOAD_BYTES), 0);
    const whole = new Uint8Array(80);
    writeHeaderRecord(whole, 0, 80, packet, 0, parsed(packet));
    assert.deepEqual(whole, packet);
  });

  it('IP options are left out of a record, and counted out of the payload', () => {
    const packet = Uint8Array.from([...SYN_ACK.subarray(0, 20), 1, 1, 1, 0, ...SYN_ACK.subarray(20), 1, 2, 3]);
    packet[0] = 0x46;
    packet.set([0, packet.length], 2);
    const record = new Uint8Array(80);
    writeHeaderRecord(record, 0, 80, packet, 0, parsed(packet));
    assert.equal(record[0], 0x46, 'the header length stays');
    assert.deepEqual(record.slice(20, 60), SYN_ACK.slice(20));
    const { responses } = read('0.9', [frameOfOne(record, 80)]);
    assert.equal(responses[0]?.at(RESPONSE_PAYLOAD_BYTES), 3);
  });

  it('a super-packet says its whole payload', () => {
    const packet = SYN_ACK.slice();
    packet.set([0x38, 0xc4], 2);
    const { responses } = read('1.x', [frameOfOne(packet, 64)]);
    assert.equal(responses[0]?.at(RESPONSE_PAYLOAD_BYTES), 0x38c4 - 60);
  });

  it('a frame of no records is accepted and means nothing', () => {
    const { responses, isReadable } = read('0.9', [Uint8Array.of(0, 0), frameOfOne(SYN_ACK, 80)]);
    assert.deepEqual(isReadable, [true, true]);
    assert.equal(responses.length, 1);
  });

  for (const [what, formats] of [
    ['headers', WIRE_FORMATS],
    ['headers and payload', WIRE_PAYLOAD_FORMATS],
  ] as const) {
    for (const version of WIRE_VERSIONS) {
      const { recordBytes, countMax } = formats[version];
      it(`${version} with ${what}: ${countMax} records are a frame, ${countMax + 1} break the tunnel`, () => {
        let records = 0;
        const reader = new HeaderFrameReader(
          formats[version],
          () => 1,
          (_bytes, length) => {
            records += (length - 4) / 32;
          },
        );
        const frame = new Uint8Array(2 + countMax * recordBytes);
        frame[1] = countMax;
        for (let index = 0; index < countMax; index += 1) frame.set(SYN_ACK, 2 + index * recordBytes);
        assert.ok(reader.push(frame));
        assert.equal(records, countMax);
        assert.equal(reader.push(Uint8Array.of(0, countMax + 1)), false);
        assert.equal(reader.oversizedCount, countMax + 1);
        assert.equal(reader.push(frame), false, 'the borders are lost');
        assert.equal(records, countMax);
      });
    }
  }

  it('records that are no TCP headers, and those of no session, are counted and skipped', () => {
    const ipv6 = SYN_ACK.slice();
    ipv6[0] = 0x60;
    const udp = SYN_ACK.slice();
    udp[9] = 17;
    const short = SYN_ACK.slice();
    short.set([0, 39], 2);
    const other = SYN_ACK.slice();
    other[19] = 9;
    const frames = [ipv6, udp, short, other, SYN_ACK].map((packet) => frameOfOne(packet, 80));
    const { responses, reader } = read('0.9', frames);
    assert.equal(responses.length, 1);
    assert.deepEqual(reader.counters, { frames: 5, records: 5, recordsMalformed: 3, recordsUnknown: 1 });
  });
});

describe('session routes', () => {
  it('a session that opens a flow from another port has its last route only', () => {
    const routes = routesOf(syn());
    const header = parsed(SYN_ACK);
    assert.equal(routes.find(SYN_ACK, header), SESSION);
    const moved = syn();
    moved.set([0x90, 0], 20);
    assert.ok(routes.add(moved, 0, SESSION));
    assert.equal(routes.find(SYN_ACK, header), -1);
    assert.equal(routes.size, 1);
  });

  it('addresses and ports that another session opens are its own', () => {
    const routes = routesOf(syn());
    assert.ok(routes.add(syn(), 0, 5));
    assert.equal(routes.find(SYN_ACK, parsed(SYN_ACK)), 5);
    routes.release(SESSION);
    assert.equal(routes.find(SYN_ACK, parsed(SYN_ACK)), 5, 'its old owner cannot release it');
    routes.release(5);
    assert.equal(routes.find(SYN_ACK, parsed(SYN_ACK)), -1);
  });

  it('at the limit a route is refused and counted, and there is room again after a release', () => {
    const routes = new SessionRoutes(2, 9);
    const from = (port: number): Uint8Array => {
      const packet = syn();
      packet.set([port >> 8, port], 20);
      return packet;
    };
    assert.ok(routes.add(from(1), 0, 1));
    assert.ok(routes.add(from(2), 0, 2));
    assert.equal(routes.add(from(3), 0, 3), false);
    assert.equal(routes.refused, 1);
    routes.release(1);
    assert.ok(routes.add(from(3), 0, 3));
    assert.equal(routes.size, 2);
  });
});
