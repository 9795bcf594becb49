/** What a router says of a packet that its next link does not carry. */
import { writeU16, writeU32 } from '../../src/wire/bytes.js';

const QUOTED_V4_BYTES = 28;
const QUOTED_V6_BYTES = 1232;

/** «Fragmentation needed» (RFC 1191 4) or «packet too big» (RFC 4443 3.2) to the sender of `packet`. */
export function icmpTooBig(packet: Uint8Array, mtuBytes: number): Uint8Array {
  const isV6 = packet[0]! >> 4 === 6;
  const quoted = packet.subarray(0, isV6 ? QUOTED_V6_BYTES : QUOTED_V4_BYTES);
  const ipBytes = isV6 ? 40 : 20;
  const bytes = new Uint8Array(ipBytes + 8 + quoted.length);
  if (isV6) {
    bytes[0] = 0x60;
    writeU16(bytes, 4, 8 + quoted.length);
    bytes[6] = 58;
    bytes[7] = 64;
    bytes.set(packet.subarray(24, 40), 8);
    bytes.set(packet.subarray(8, 24), 24);
    bytes[ipBytes] = 2;
    writeU32(bytes, ipBytes + 4, mtuBytes);
  } else {
    bytes[0] = 0x45;
    writeU16(bytes, 2, bytes.length);
    bytes[8] = 64;
    bytes[9] = 1;
    bytes.set(packet.subarray(16, 20), 12);
    bytes.set(packet.subarray(12, 16), 16);
    bytes[ipBytes] = 3;
    bytes[ipBytes + 1] = 4;
    writeU16(bytes, ipBytes + 6, mtuBytes);
  }
  bytes.set(quoted, ipBytes + 8);
  return bytes;
}
