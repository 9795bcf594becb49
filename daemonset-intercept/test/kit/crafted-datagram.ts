import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  UDP_HEADER_BYTES,
} from '@trafficcopy/core';
import { datagram } from '@trafficcopy/core/kit/datagram.js';

export interface DatagramTemplate {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: string;
}

const QUOTED_BYTES_MAX = 60;

/** A whole datagram, checksums 0 as a copy sends them. */
export function craftDatagram(template: DatagramTemplate): Uint8Array {
  const { source: from, destination: to, sourcePort: fromPort, destinationPort: toPort, payload } = template;
  return datagram({ from, to, fromPort, toPort, payload });
}

/** What the kernel of a datagram's destination says of it, with the first octets of it. */
export function craftIcmp(about: DatagramTemplate, type: number, code: number): Uint8Array {
  const payload = craftDatagram(about).subarray(0, QUOTED_BYTES_MAX);
  const bytes = datagram({ from: about.destination, to: about.source, payload });
  const isV4 = bytes[0]! >> 4 === 4;
  bytes[isV4 ? 9 : 6] = isV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  // ICMP's header stands where UDP's was, and is as long.
  const at = isV4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  bytes.fill(0, at, at + UDP_HEADER_BYTES);
  bytes[at] = type;
  bytes[at + 1] = code;
  return bytes;
}
