import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ipOffset, LINK_TYPES, type LinkType } from '../../src/capture/link-header.js';

const MAC_ADDRESSES = new Array<number>(12).fill(2);
const SLL_BEFORE_TYPE = new Array<number>(14).fill(0);
const SLL2_BEHIND_TYPE = new Array<number>(18).fill(0);
const IPV4 = [0x45, 0, 0, 40];
const IPV6 = [0x60, 0, 0, 0];

const CASES: readonly (readonly [string, LinkType, readonly number[], number])[] = [
  ['Ethernet with IPv4', 'ETHERNET', [...MAC_ADDRESSES, 0x08, 0x00, ...IPV4], 14],
  ['Ethernet with IPv6', 'ETHERNET', [...MAC_ADDRESSES, 0x86, 0xdd, ...IPV6], 14],
  ['Ethernet with a VLAN tag', 'ETHERNET', [...MAC_ADDRESSES, 0x81, 0x00, 0, 5, 0x08, 0x00, ...IPV4], 18],
  [
    'Ethernet with two VLAN tags',
    'ETHERNET',
    [...MAC_ADDRESSES, 0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x86, 0xdd, ...IPV6],
    22,
  ],
  [
    'Ethernet with three VLAN tags is left out',
    'ETHERNET',
    [...MAC_ADDRESSES, 0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7, 0x08, 0x00, ...IPV4],
    -1,
  ],
  ['Ethernet with ARP is left out', 'ETHERNET', [...MAC_ADDRESSES, 0x08, 0x06, 0, 1], -1],
  ['Ethernet that ends in its header is left out', 'ETHERNET', [...MAC_ADDRESSES, 0x08, 0x00], -1],
  ['Ethernet that ends in a VLAN tag is left out', 'ETHERNET', [...MAC_ADDRESSES, 0x81, 0x00, 0], -1],
  ['Linux cooked capture', 'LINKTYPE_LINUX_SLL', [...SLL_BEFORE_TYPE, 0x08, 0x00, ...IPV4], 16],
  ['Linux cooked capture of something else', 'LINKTYPE_LINUX_SLL', [...SLL_BEFORE_TYPE, 0x00, 0x04, 1, 2], -1],
  ['Linux cooked capture, second version', 'LINUX_SLL2', [0x08, 0x00, ...SLL2_BEHIND_TYPE, ...IPV4], 20],
  [
    'Linux cooked capture, second version, with a VLAN tag',
    'LINUX_SLL2',
    [0x81, 0x00, ...SLL2_BEHIND_TYPE, 0, 5, 0x86, 0xdd, ...IPV6],
    24,
  ],
  ['PPPoE', 'ETHERNET', [...MAC_ADDRESSES, 0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21, ...IPV4], 22],
  ['PPPoE that ends in its header is left out', 'ETHERNET', [...MAC_ADDRESSES, 0x88, 0x64, 0x11, 0, 0], -1],
  ['PPP with address and control', 'PPP', [0xff, 3, 0, 0x57, ...IPV6], 4],
  ['PPP with a compressed protocol', 'PPP', [0x21, ...IPV4], 1],
  ['PPP with something else is left out', 'PPP', [0xff, 3, 0xc0, 0x21, 1, 1], -1],
  ['Cisco HDLC', 'C_HDLC', [0x0f, 0, 0x08, 0x00, ...IPV4], 4],
  ['raw IP', 'RAW', IPV6, 0],
  ['BSD loopback', 'NULL', [2, 0, 0, 0, ...IPV4], 4],
];

describe('ipOffset', () => {
  for (const [name, linkType, frame, expected] of CASES) {
    it(name, () => assert.equal(ipOffset(linkType, Uint8Array.from(frame), frame.length), expected));
  }

  it('a frame amid others is looked at from its own start', () => {
    for (const [name, linkType, frame, expected] of CASES) {
      const amid = Uint8Array.from([...frame, ...frame, ...frame]);
      assert.equal(ipOffset(linkType, amid, frame.length, frame.length), expected, name);
    }
  });

  it('an empty frame carries nothing, whatever its type', () => {
    for (const linkType of LINK_TYPES) assert.equal(ipOffset(linkType, new Uint8Array(64), 0), -1);
  });
});
