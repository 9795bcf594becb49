/** The parser of packets and TCP options alone: nothing that it says leads beyond the octets that are there. */
import assert from 'node:assert/strict';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { tcpChecksumIsRight, writeChecksums } from '../../src/wire/checksum.js';
import { IP_VERDICTS } from '../../src/wire/ip-header.js';
import { PacketHeader, parsePacket } from '../../src/wire/packet-header.js';
import { SYN } from '../../src/wire/tcp.js';
import { parseTcpOptions, TcpOptions } from '../../src/wire/tcp-options.js';
import { packetOf, TEMPLATE } from '../kit/segment.js';

const header = new PacketHeader();
const options = new TcpOptions();
/** Octets in front, so that offsets are not those of the packet. */
const OFFSET = 3;
const IPV6 = {
  clientAddress: [0xfd, ...new Array<number>(15).fill(1)],
  onlineAddress: [0xfd, ...new Array<number>(15).fill(2)],
};

function run(input: Uint8Array): number {
  const bytes = new Uint8Array(OFFSET + input.length);
  bytes.set(input, OFFSET);
  const length = input.length;
  const wireBytes = length + (input[0] ?? 0) * 300;
  const verdict = parsePacket(bytes, OFFSET, length, wireBytes, header);
  if (verdict !== 'ok') return IP_VERDICTS.indexOf(verdict);
  const end = OFFSET + length;
  const {
    addressOffset,
    addressBytes,
    transportOffset,
    optionsOffset,
    payloadOffset,
    payloadBytes,
    payloadBytesPresent,
  } = header;
  assert.ok(addressOffset >= OFFSET && addressOffset + 2 * addressBytes <= transportOffset);
  assert.ok(optionsOffset === transportOffset + 20 && optionsOffset <= payloadOffset && payloadOffset <= end);
  assert.ok(
    payloadBytesPresent >= 0 && payloadBytesPresent <= payloadBytes && payloadOffset + payloadBytesPresent <= end,
  );
  parseTcpOptions(bytes, optionsOffset, payloadOffset, options);
  assert.ok(options.windowScale >= -1 && options.windowScale <= 14 && options.mss >= 0 && options.mss <= 0xffff);
  assert.ok(options.hasTimestamps || (options.tsVal === 0 && options.tsEcr === 0));
  if (payloadBytesPresent === payloadBytes && payloadBytes <= 0xffff) {
    writeChecksums(bytes, OFFSET, header);
    assert.ok(tcpChecksumIsRight(bytes, header));
    assert.equal(parsePacket(bytes, OFFSET, length, wireBytes, header), 'ok', 'checksums change nothing else');
  }
  const seen = (options.mss > 0 ? 1 : 0) | (options.hasTimestamps ? 2 : 0) | (options.sackPermitted ? 4 : 0);
  const shape = (transportOffset - OFFSET) * 64 + (payloadOffset - transportOffset);
  return 16 + (shape << 8) + (seen << 5) + (header.flags & 31);
}

const target: FuzzTarget = {
  seeds: [
    packetOf(TEMPLATE),
    packetOf({ ...TEMPLATE, flags: SYN, mss: 1460, windowScale: 7, tsVal: 9, text: new Uint8Array(9) }),
    packetOf({ ...TEMPLATE, ...IPV6, text: new Uint8Array(40) }),
    // IPv6 with a hop-by-hop header and an authentication header before TCP.
    Uint8Array.of(
      0x60,
      0,
      0,
      0,
      0,
      48,
      0,
      64,
      ...new Array<number>(32).fill(7),
      51,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      6,
      4,
      ...new Array<number>(22).fill(0),
      0x50,
    ),
  ],
  bytesMax: 300,
  run,
};
export default target;
