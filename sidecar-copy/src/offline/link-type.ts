import type { LinkType } from '../capture/link-header.js';

/** libpcap's numbers (https://www.tcpdump.org/linktypes.html; raw IP has another one on some systems). */
const LINK_TYPES: ReadonlyMap<number, LinkType> = new Map([
  [0, 'NULL'],
  [1, 'ETHERNET'],
  [9, 'PPP'],
  [12, 'RAW'],
  [14, 'RAW'],
  [50, 'PPP'],
  [101, 'RAW'],
  [104, 'C_HDLC'],
  [108, 'NULL'],
  [113, 'LINKTYPE_LINUX_SLL'],
  [228, 'RAW'],
  [229, 'RAW'],
  [276, 'LINUX_SLL2'],
]);

/** For messages. */
export const LINK_TYPES_READ = 'Ethernet, Linux cooked (SLL, SLL2), raw IP, BSD loopback, PPP, Cisco HDLC';

/** How frames of this DLT_… number begin; undefined when no IP packet is found in them here. */
export function linkTypeOf(number: number): LinkType | undefined {
  return LINK_TYPES.get(number);
}
