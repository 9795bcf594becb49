import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_UDP,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  parseIpAddress,
  UDP_HEADER_BYTES,
  writeU16,
} from '@trafficcopy/core';

export interface DatagramTemplate {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: string;
}

/** A whole datagram, checksums 0 as a copy sends them. */
export function craftDatagram(template: DatagramTemplate): Uint8Array {
  const payload = new TextEncoder().encode(template.payload);
  const udp = new Uint8Array(UDP_HEADER_BYTES + payload.length);
  writeU16(udp, 0, template.sourcePort);
  writeU16(udp, 2, template.destinationPort);
  writeU16(udp, 4, udp.length);
  udp.set(payload, UDP_HEADER_BYTES);
  return withIpHeader(template.source, template.destination, [IPPROTO_UDP, IPPROTO_UDP], udp);
}

/** What the kernel of a datagram's destination says of it, with the first octets of it. */
export function craftIcmp(about: DatagramTemplate, type: number, code: number): Uint8Array {
  const icmp = new Uint8Array([type, code, 0, 0, 0, 0, 0, 0, ...craftDatagram(about).subarray(0, 60)]);
  return withIpHeader(about.destination, about.source, [IPPROTO_ICMP, IPPROTO_ICMPV6], icmp);
}

function withIpHeader(
  sourceText: string,
  destinationText: string,
  [protocolV4, protocolV6]: readonly [number, number],
  transport: Uint8Array,
): Uint8Array {
  const source = parseIpAddress(sourceText)!;
  const destination = parseIpAddress(destinationText)!;
  const isV4 = source.length === 4;
  const ipBytes = isV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  const bytes = new Uint8Array(ipBytes + transport.length);
  if (isV4) {
    bytes[0] = 0x45;
    writeU16(bytes, 2, bytes.length);
    bytes[8] = 64;
    bytes[9] = protocolV4;
  } else {
    bytes[0] = 0x60;
    writeU16(bytes, 4, transport.length);
    bytes[6] = protocolV6;
    bytes[7] = 64;
  }
  const addressAt = isV4 ? 12 : 8;
  bytes.set(source, addressAt);
  bytes.set(destination, addressAt + source.length);
  bytes.set(transport, ipBytes);
  return bytes;
}
