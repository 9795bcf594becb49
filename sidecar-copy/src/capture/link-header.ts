import { readU16 } from '@trafficcopy/core';

/** Link types that a capture may have, by the names that libpcap's users know. */
export const LINK_TYPES = ['ETHERNET', 'LINKTYPE_LINUX_SLL', 'RAW', 'NULL'] as const;
export type LinkType = (typeof LINK_TYPES)[number];

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.1Q and 802.1ad tags: 2 octets of tag, then the type of what follows. */
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_SERVICE_VLAN = 0x88a8;
const VLAN_TAG_BYTES = 4;
const VLAN_TAGS_MAX = 2;

const ETHERNET_TYPE_OFFSET = 12;
const SLL_TYPE_OFFSET = 14;
/** BSD loopback: the address family in the host's byte order. */
const NULL_HEADER_BYTES = 4;

/** Where the IP header starts in a captured frame of `frameBytes` octets at 0; -1 when it carries no IP packet. */
export function ipOffset(linkType: LinkType, frame: Uint8Array, frameBytes: number): number {
  switch (linkType) {
    case 'RAW':
      return frameBytes > 0 ? 0 : -1;
    case 'NULL':
      return frameBytes > NULL_HEADER_BYTES ? NULL_HEADER_BYTES : -1;
    case 'ETHERNET':
      return afterType(frame, frameBytes, ETHERNET_TYPE_OFFSET);
    case 'LINKTYPE_LINUX_SLL':
      return afterType(frame, frameBytes, SLL_TYPE_OFFSET);
  }
}

function afterType(frame: Uint8Array, frameBytes: number, typeOffset: number): number {
  let at = typeOffset;
  for (let tags = 0; tags <= VLAN_TAGS_MAX && at + 2 < frameBytes; tags += 1) {
    const type = readU16(frame, at);
    if (type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6) return at + 2;
    if (type !== ETHERTYPE_VLAN && type !== ETHERTYPE_SERVICE_VLAN) return -1;
    at += VLAN_TAG_BYTES;
  }
  return -1;
}
