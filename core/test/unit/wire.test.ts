import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readI32, readU16, readU32, writeU16, writeU32 } from '../../src/wire/bytes.js';
import { tcpChecksumIsRight, writeChecksums } from '../../src/wire/checksum.js';
import { formatIpAddress, ipAddressesEqual, parseIpAddress } from '../../src/wire/ip-address.js';
import type { IpVerdict } from '../../src/wire/ip-header.js';
import { PacketHeader, parsePacket } from '../../src/wire/packet-header.js';
import { ACK, PSH, SYN } from '../../src/wire/tcp.js';
import {
  parseTcpOptions,
  TcpOptions,
  writeExperiment,
  writeMss,
  writeTimestamps,
  writeWindowScale,
} from '../../src/wire/tcp-options.js';
import { packetOf, TEMPLATE, textOf } from '../kit/segment.js';

const V6 = {
  clientAddress: [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  onlineAddress: [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
};

function parse(packet: Uint8Array, capturedBytes = packet.length, wireBytes = packet.length): PacketHeader {
  const header = new PacketHeader();
  assert.equal(parsePacket(packet, 0, capturedBytes, wireBytes, header), 'ok');
  return header;
}

function verdictOf(packet: Uint8Array, capturedBytes = packet.length): IpVerdict {
  return parsePacket(packet, 0, capturedBytes, packet.length, new PacketHeader());
}

/** The IPv6 packet with extension headers put in before TCP. */
function withExtensions(packet: Uint8Array, first: number, ...extensions: Uint8Array[]): Uint8Array {
  const inserted = extensions.reduce((sum, extension) => sum + extension.length, 0);
  const out = new Uint8Array(packet.length + inserted);
  out.set(packet.subarray(0, 40));
  out[6] = first;
  writeU16(out, 4, readU16(packet, 4) + inserted);
  let at = 40;
  for (const extension of extensions) {
    out.set(extension, at);
    at += extension.length;
  }
  out.set(packet.subarray(40), at);
  return out;
}

describe('fields', () => {
  it('are big-endian and come back as they were written', () => {
    const bytes = new Uint8Array(8);
    writeU16(bytes, 0, 0xfedc);
    writeU32(bytes, 2, 0xfedc_ba98);
    assert.deepEqual([...bytes], [0xfe, 0xdc, 0xfe, 0xdc, 0xba, 0x98, 0, 0]);
    assert.equal(readU16(bytes, 0), 0xfedc);
    assert.equal(readU32(bytes, 2), 0xfedc_ba98);
    assert.equal(readI32(bytes, 2), 0xfedc_ba98 | 0);
  });

  it('past the end read as 0', () => assert.equal(readU32(new Uint8Array(2), 1), 0));
});

describe('an IPv4 packet', () => {
  const packet = packetOf({ ...TEMPLATE, flags: ACK | PSH, seq: 0xffff_fff0, text: textOf('hello') });

  it('gives its fields', () => {
    const header = parse(packet);
    assert.equal(header.version, 4);
    assert.equal(header.addressOffset, 12);
    assert.equal(header.transportOffset, 20);
    assert.equal(header.payloadOffset, 40);
    assert.equal(header.payloadBytes, 5);
    assert.equal(header.payloadBytesPresent, 5);
    assert.equal(header.sourcePort, 40_000);
    assert.equal(header.destinationPort, 80);
    assert.equal(header.seq, -16);
    assert.equal(header.flags, ACK | PSH);
    assert.equal(header.window, 65_535);
  });

  it('is found at an offset among other bytes', () => {
    const bytes = new Uint8Array(packet.length + 20).fill(0xaa);
    bytes.set(packet, 7);
    const header = new PacketHeader();
    assert.equal(parsePacket(bytes, 7, packet.length, packet.length, header), 'ok');
    assert.equal(header.payloadOffset, 47);
  });

  it('may have IP options', () => {
    const bytes = new Uint8Array(packet.length + 8);
    bytes.set(packet.subarray(0, 20));
    bytes.set(packet.subarray(20), 28);
    bytes[0] = 0x47;
    writeU16(bytes, 2, bytes.length);
    const header = parse(bytes);
    assert.equal(header.transportOffset, 28);
    assert.equal(header.payloadBytes, 5);
  });

  it('is not longer than its length field says: Ethernet pads', () => {
    const padded = new Uint8Array(60);
    padded.set(packet);
    const header = parse(padded);
    assert.equal(header.payloadBytes, 5);
    assert.equal(header.payloadBytesPresent, 5);
  });

  it('that the capture cut keeps its length and says what is present', () => {
    const header = parse(packet, packet.length - 3);
    assert.equal(header.payloadBytes, 5);
    assert.equal(header.payloadBytesPresent, 2);
  });

  it('with length 0 has the length that it had on the wire (super-packets)', () => {
    const big = packet.slice();
    writeU16(big, 2, 0);
    const header = new PacketHeader();
    assert.equal(parsePacket(big, 0, big.length, 70_000, header), 'ok');
    assert.equal(header.payloadBytes, 70_000 - 40);
  });

  it('too short for its headers is refused at every length', () => {
    for (let length = 0; length < 40; length += 1) {
      assert.notEqual(verdictOf(packet.slice(0, length)), 'ok', `${length} octets`);
    }
    assert.equal(
      parsePacket(packet, 10, packet.length, packet.length, new PacketHeader()),
      'tooShort',
      'past the bytes',
    );
  });

  it('that is a fragment is refused, the first one too', () => {
    for (const field of [0x2000, 0x0001, 0x1fff]) {
      const fragment = packet.slice();
      writeU16(fragment, 6, field);
      assert.equal(verdictOf(fragment), 'fragment');
    }
    const whole = packet.slice();
    writeU16(whole, 6, 0x4000);
    assert.equal(verdictOf(whole), 'ok', 'DF is no fragment');
  });

  it('of another protocol or version is refused', () => {
    const udp = packet.slice();
    udp[9] = 17;
    assert.equal(verdictOf(udp), 'otherProtocol');
    for (const version of [0, 5, 7, 15]) {
      const other = packet.slice();
      other[0] = (version << 4) | 5;
      assert.equal(verdictOf(other), 'notIp');
    }
  });

  it('with header lengths that cannot be is refused', () => {
    const ihl = packet.slice();
    ihl[0] = 0x44;
    assert.equal(verdictOf(ihl), 'badHeader');
    const dataOffset = packet.slice();
    dataOffset[32] = 0x40;
    assert.equal(verdictOf(dataOffset), 'badHeader');
    const beyond = packet.slice();
    beyond[32] = 0xf0;
    assert.equal(verdictOf(beyond), 'tooShort');
    const totalLength = packet.slice();
    writeU16(totalLength, 2, 39);
    assert.equal(verdictOf(totalLength), 'badHeader');
  });
});

describe('an IPv6 packet', () => {
  const packet = packetOf({ ...TEMPLATE, ...V6, text: textOf('hello') });
  const hopByHop = (next: number): Uint8Array => Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
  const routing = (next: number): Uint8Array => Uint8Array.of(next, 2, ...new Uint8Array(22));
  const authentication = (next: number): Uint8Array => Uint8Array.of(next, 4, ...new Uint8Array(22));

  it('gives its fields', () => {
    const header = parse(packet);
    assert.equal(header.version, 6);
    assert.equal(header.addressOffset, 8);
    assert.equal(header.addressBytes, 16);
    assert.equal(header.transportOffset, 40);
    assert.equal(header.payloadBytes, 5);
  });

  it('may have extension headers (RFC 8200 4.1, RFC 4302 2.2)', () => {
    const chain = withExtensions(packet, 0, hopByHop(60), hopByHop(43), routing(51), authentication(6));
    const header = parse(chain);
    assert.equal(header.transportOffset, 40 + 8 + 8 + 24 + 24);
    assert.equal(header.payloadBytes, 5);
    assert.deepEqual(chain.slice(header.payloadOffset), textOf('hello'));
  });

  it('with a chain that has no end is refused', () => {
    const chain = Array.from({ length: 9 }, (_, index) => hopByHop(index === 8 ? 6 : 60));
    assert.equal(verdictOf(withExtensions(packet, 60, ...chain)), 'badHeader');
    assert.equal(verdictOf(withExtensions(packet, 60, ...chain.slice(1))), 'ok');
  });

  it('with an extension that leads past the packet is refused', () => {
    const chain = withExtensions(packet, 60, Uint8Array.of(6, 255, 0, 0, 0, 0, 0, 0));
    assert.equal(verdictOf(chain), 'tooShort');
    assert.equal(verdictOf(chain, 41), 'tooShort');
  });

  it('that is a fragment or of another protocol is refused', () => {
    assert.equal(verdictOf(withExtensions(packet, 44, hopByHop(6))), 'fragment');
    assert.equal(verdictOf(withExtensions(packet, 60, hopByHop(17))), 'otherProtocol');
    assert.equal(verdictOf(withExtensions(packet, 59)), 'otherProtocol');
  });

  it('too short for its headers is refused at every length', () => {
    for (let length = 0; length < 60; length += 1) {
      assert.notEqual(verdictOf(packet.slice(0, length)), 'ok', `${length} octets`);
    }
  });
});

describe('TCP options', () => {
  const options = (...bytes: number[]): TcpOptions => {
    const out = new TcpOptions();
    parseTcpOptions(Uint8Array.from(bytes), 0, bytes.length, out);
    return out;
  };

  it('are read in any order and alignment', () => {
    const out = options(4, 2, 1, 3, 3, 7, 8, 10, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 9, 2, 4, 5, 0xb4, 0);
    assert.equal(out.sackPermitted, true);
    assert.equal(out.windowScale, 7);
    assert.equal(out.tsVal, 0xffff_fffe);
    assert.equal(out.tsEcr, 9);
    assert.equal(out.mss, 1460);
  });

  it('that are absent are reset from the segment before', () => {
    const out = options(2, 4, 5, 0xb4, 3, 3, 7);
    parseTcpOptions(new Uint8Array(0), 0, 0, out);
    assert.deepEqual({ ...out }, { ...new TcpOptions() });
  });

  it('that are unknown are skipped', () => assert.equal(options(254, 6, 1, 2, 3, 4, 2, 4, 5, 0xb4).mss, 1460));

  it('of a wrong length are skipped', () => {
    assert.equal(options(2, 3, 5, 3, 3, 7).mss, 0);
    assert.equal(options(2, 3, 5, 3, 3, 7).windowScale, 7);
  });

  it('end at END', () => assert.equal(options(0, 2, 4, 5, 0xb4).mss, 0));

  it('that are malformed end the list, what stood before counts', () => {
    for (const tail of [[3], [3, 0], [3, 1, 7], [3, 200, 7], [8, 10, 1, 2]]) {
      const out = options(2, 4, 5, 0xb4, ...tail);
      assert.equal(out.mss, 1460, `${tail}`);
      assert.equal(out.windowScale, -1);
      assert.equal(out.hasTimestamps, false);
    }
  });

  it('with a window scale above 14 give 14 (RFC 7323 2.3)', () => assert.equal(options(3, 3, 200).windowScale, 14));

  it('that we write are read back', () => {
    const bytes = new Uint8Array(24);
    writeMss(bytes, 0, 1400);
    writeWindowScale(bytes, 4, 9);
    writeTimestamps(bytes, 8, 0xdead_beef, 7);
    writeExperiment(bytes, 20);
    const out = options(...bytes);
    assert.equal(out.mss, 1400);
    assert.equal(out.windowScale, 9);
    assert.equal(out.tsVal, 0xdead_beef);
    assert.equal(out.tsEcr, 7);
    assert.deepEqual([...bytes.subarray(20)], [253, 4, 0x74, 0x63]);
  });
});

describe('checksums', () => {
  it('of a known header are what they should be', () => {
    // 127.0.0.1 to itself, 40 octets, identification 1, DF: the sum of the words is 0xc332.
    const packet = Uint8Array.from(
      Buffer.from(
        '45000028000140004006' + '0000' + '7f0000017f000001' + 'b600005000000000000000005002ffff' + '0000' + '0000',
        'hex',
      ),
    );
    const header = parse(packet);
    writeChecksums(packet, 0, header);
    assert.equal(readU16(packet, 10), 0x3ccd);
    assert.ok(tcpChecksumIsRight(packet, header));
    packet[13] = packet[13]! ^ 1;
    assert.equal(tcpChecksumIsRight(packet, header), false);
  });

  it('of odd lengths and both versions are right after writing', () => {
    for (const addresses of [{}, V6]) {
      for (let length = 0; length < 20; length += 1) {
        const packet = packetOf({ ...TEMPLATE, ...addresses, flags: SYN, text: new Uint8Array(length).fill(0xff) });
        const header = parse(packet);
        writeChecksums(packet, 0, header);
        assert.ok(tcpChecksumIsRight(packet, header), `${length} octets`);
      }
    }
  });
});

describe('IP addresses', () => {
  it('are read in the forms of RFC 4291 2.2 and written in that of RFC 5952 4', () => {
    const pairs: [string, string][] = [
      ['10.1.2.3', '10.1.2.3'],
      ['255.255.255.255', '255.255.255.255'],
      ['::', '::'],
      ['::1', '::1'],
      ['2001:DB8:0:0:8:800:200C:417A', '2001:db8::8:800:200c:417a'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['fe80::', 'fe80::'],
      ['::ffff:192.0.2.128', '::ffff:c000:280'],
      ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ];
    for (const [text, canonical] of pairs) {
      const address = parseIpAddress(text);
      assert.ok(address !== undefined, text);
      assert.equal(formatIpAddress(address), canonical);
    }
  });

  it('that are none are refused', () => {
    const texts = ['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.x', ' 1.2.3.4', '-1.2.3.4', '1e1.2.3.4'];
    texts.push(
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      'g::',
      '12345::',
      '1:2:3:4:5:6:7::8',
      'fe80::1%eth0',
    );
    texts.push('1.2.3.4::', '::1.2.3', '::1.2.3.4:5', ':1', '1:');
    for (const text of texts) assert.equal(parseIpAddress(text), undefined, `«${text}»`);
  });

  it('are compared in place', () => {
    const bytes = Uint8Array.of(9, 10, 0, 0, 1, 10, 0, 0, 2);
    assert.ok(ipAddressesEqual(bytes, 1, Uint8Array.of(10, 0, 0, 1), 0, 4));
    assert.equal(ipAddressesEqual(bytes, 5, Uint8Array.of(10, 0, 0, 1), 0, 4), false);
    assert.equal(formatIpAddress(bytes, 5, 4), '10.0.0.2');
  });
});
