import { readU16 } from '@trafficcopy/core';

/** Link types that a capture may have, by the names that libpcap's users know. */
export const LINK_TYPES = ['ETHERNET', 'LINKTYPE_LINUX_SLL', 'RAW', 'NULL'] as const;
/** Those of files only, besides. */
export type LinkType = (typeof LINK_TYPES)[number] | 'LINUX_SLL2' | 'PPP' | 'C_HDLC';

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1Q and 802.1ad tags: 2 octets of tag, then the type of what follows. */
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_SERVICE_VLAN = 0x88a8;
const VLAN_TAG_BYTES = 4;
const VLAN_TAGS_MAX = 2;
/** RFC 2516 4: version, code, session, length; then the PPP protocol. */
const ETHERTYPE_PPPOE_SESSION = 0x8864;
const PPPOE_HEADER_BYTES = 6;

const ETHERNET_TYPE_OFFSET = 12;
const SLL_TYPE_OFFSET = 14;
/** The type comes first, the payload after index, ARPHRD, packet type and address. */
const SLL2_HEADER_BYTES = 20;
const C_HDLC_TYPE_OFFSET = 2;
/** BSD loopback: the address family in the host's byte order. */
const NULL_HEADER_BYTES = 4;

/** RFC 1661 2 and RFC 1662 3.1: address and control may stand before the protocol, whose upper octet may be left out. */
const PPP_ADDRESS = 0xff;
const PPP_CONTROL = 0x03;
const PPP_IPV4 = 0x21;
const PPP_IPV6 = 0x57;

/** Where the IP header starts in the frame of `frameBytes` octets at `start`, counted from there; -1 when it carries no IP packet. */
export function ipOffset(linkType: LinkType, frame: Uint8Array, frameBytes: number, start = 0): number {
  const end = start + frameBytes;
  const at = ipStart(linkType, frame, start, end);
  return at < 0 ? -1 : at - start;
}

function ipStart(linkType: LinkType, frame: Uint8Array, start: number, end: number): number {
  switch (linkType) {
    case 'RAW':
      return end > start ? start : -1;
    case 'NULL':
      return end > start + NULL_HEADER_BYTES ? start + NULL_HEADER_BYTES : -1;
    case 'ETHERNET':
      return afterType(frame, start + ETHERNET_TYPE_OFFSET, start + ETHERNET_TYPE_OFFSET + 2, end);
    case 'LINKTYPE_LINUX_SLL':
      return afterType(frame, start + SLL_TYPE_OFFSET, start + SLL_TYPE_OFFSET + 2, end);
    case 'LINUX_SLL2':
      return afterType(frame, start, start + SLL2_HEADER_BYTES, end);
    case 'C_HDLC':
      return afterType(frame, start + C_HDLC_TYPE_OFFSET, start + C_HDLC_TYPE_OFFSET + 2, end);
    case 'PPP':
      return afterPpp(frame, start, end);
  }
}

/** The type at `typeAt` says what is at `payloadAt`. */
function afterType(frame: Uint8Array, typeAt: number, payloadAt: number, end: number): number {
  for (let tags = 0; tags <= VLAN_TAGS_MAX && payloadAt < end; tags += 1) {
    const type = readU16(frame, typeAt);
    if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) return payloadAt;
    if (type === ETHERTYPE_PPPOE_SESSION) return afterPpp(frame, payloadAt + PPPOE_HEADER_BYTES, end);
    if (type !== ETHERTYPE_VLAN && type !== ETHERTYPE_SERVICE_VLAN) return -1;
    typeAt = payloadAt + 2;
    payloadAt += VLAN_TAG_BYTES;
  }
  return -1;
}

function afterPpp(frame: Uint8Array, start: number, end: number): number {
  let at = start;
  if (at + 1 < end && frame[at] === PPP_ADDRESS && frame[at + 1] === PPP_CONTROL) at += 2;
  // An odd octet is a protocol's last (RFC 1661 2).
  if (at + 1 < end && frame[at] === 0) at += 1;
  if (at + 1 >= end) return -1;
  return frame[at] === PPP_IPV4 || frame[at] === PPP_IPV6 ? at + 1 : -1;
}
