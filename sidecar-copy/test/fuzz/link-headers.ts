/** Captured frames with their link header: the IP packet begins inside the frame, or there is none. */
import assert from 'node:assert/strict';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { ipOffset, LINK_TYPES, type LinkType } from '../../src/capture/link-header.js';

const IPV4 = [0x08, 0x00, 0x45, 0, 0, 20];
const IPV6 = [0x86, 0xdd, 0x60, 0, 0, 0];
const VLAN = [0x81, 0x00, 0, 1];
const SERVICE_VLAN = [0x88, 0xa8, 0, 1];
/** Of captures, and of files. */
const ALL_TYPES: readonly LinkType[] = [...LINK_TYPES, 'LINUX_SLL2', 'PPP', 'C_HDLC'];
const MACS = new Array<number>(12).fill(2);

const target: FuzzTarget = {
  seeds: [
    Uint8Array.of(0, ...MACS, ...IPV4),
    Uint8Array.of(0, ...MACS, ...SERVICE_VLAN, ...VLAN, ...IPV6),
    Uint8Array.of(1, 0, 0, ...MACS, ...IPV4),
    Uint8Array.of(2, 0x45),
    Uint8Array.of(3, 2, 0, 0, 0, 0x45),
    Uint8Array.of(4, 0x08, 0, ...new Array<number>(18).fill(1), 0x45),
    Uint8Array.of(5, 0xff, 3, 0, 0x21, 0x45),
    Uint8Array.of(6, 0x0f, 0, ...IPV4),
    Uint8Array.of(0, ...MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 4, 0, 0x21, 0x45),
  ],
  bytesMax: 64,
  run: (input) => {
    const linkType = ALL_TYPES[(input[0] ?? 0) % ALL_TYPES.length]!;
    const frame = input.slice(1);
    // The buffer is longer than the frame, with what was captured before: nothing of that counts.
    const buffer = new Uint8Array(128).fill(8);
    buffer.set(frame);
    const at = ipOffset(linkType, buffer, frame.length);
    assert.ok(at === -1 || (at >= 0 && at < frame.length), `${at} of ${frame.length}`);
    // The same anywhere in a batch.
    const batch = new Uint8Array(128 + 9).fill(8);
    batch.set(frame, 9);
    assert.equal(ipOffset(linkType, batch, frame.length, 9), at);
    return ALL_TYPES.indexOf(linkType) * 64 + at + 1;
  },
};
export default target;
