import { writeU16, writeU32 } from '../../src/wire/bytes.js';
import { IPPROTO_TCP, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES } from '../../src/wire/ip-header.js';
import { TCP_HEADER_BYTES } from '../../src/wire/tcp.js';

/** What goes into one TCP segment over IPv4 or IPv6. */
export interface PlainPacket {
  /** 4 or 16 octets, both the same. */
  readonly source: ArrayLike<number>;
  readonly destination: ArrayLike<number>;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** 65,535 by default. */
  readonly window?: number;
  /** TCP options with their padding: a multiple of 4 octets. */
  readonly options?: Uint8Array;
  readonly payload?: Uint8Array;
}

const NONE = new Uint8Array(0);

/** The bytes of the packet. Its checksums are 0, as in what the engine makes. */
export function plainPacket(packet: PlainPacket): Uint8Array {
  const { source, destination, options = NONE, payload = NONE } = packet;
  const isV4 = source.length === 4;
  const tcp = isV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const headerBytes = TCP_HEADER_BYTES + options.length;
  const bytes = new Uint8Array(tcp + headerBytes + payload.length);
  if (isV4) {
    bytes[0] = 0x45;
    writeU16(bytes, 2, bytes.length);
    bytes[8] = 64;
    bytes[9] = IPPROTO_TCP;
  } else {
    bytes[0] = 0x60;
    writeU16(bytes, 4, bytes.length - tcp);
    bytes[6] = IPPROTO_TCP;
    bytes[7] = 64;
  }
  const addressAt = isV4 ? 12 : 8;
  bytes.set(source, addressAt);
  bytes.set(destination, addressAt + source.length);
  writeU16(bytes, tcp, packet.sourcePort);
  writeU16(bytes, tcp + 2, packet.destinationPort);
  writeU32(bytes, tcp + 4, packet.seq);
  writeU32(bytes, tcp + 8, packet.ack);
  bytes[tcp + 12] = (headerBytes >> 2) << 4;
  bytes[tcp + 13] = packet.flags;
  writeU16(bytes, tcp + 14, packet.window ?? 65_535);
  bytes.set(options, tcp + TCP_HEADER_BYTES);
  bytes.set(payload, tcp + headerBytes);
  return bytes;
}
