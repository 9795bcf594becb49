import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ACK, PacketHeader } from '@trafficcopy/core';
import { isPlainPacket } from '../../src/injector/packet-check.js';
import { craftPacket } from '../kit/crafted-packet.js';
import { TEMPLATE } from '../kit/pipeline-rig.js';

const packet = craftPacket({ ...TEMPLATE, flags: ACK, payload: 'data' });
const packet6 = craftPacket({
  ...TEMPLATE,
  source: '2001:db8::1',
  destination: 'fd00::3',
  flags: ACK,
  payload: 'data',
});

function isPlain(bytes: Uint8Array): boolean {
  return isPlainPacket(bytes, 0, bytes.length, new PacketHeader());
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = value;
  return copy;
}

it('whole packets are plain', () => {
  assert.ok(isPlain(packet));
  assert.ok(isPlain(packet6));
});

for (const [what, bytes] of [
  ['one octet missing', packet.subarray(0, packet.length - 1)],
  ['one octet left over', Uint8Array.from([...packet, 0])],
  ['IPv6, one octet left over', Uint8Array.from([...packet6, 0])],
  ['IP options', changed(packet, 0, 0x46)],
  ['a fragment', changed(packet, 6, 0x20)],
  ['another protocol', changed(packet, 9, 17)],
  ['a total length of 0', changed(changed(packet, 2, 0), 3, 0)],
  ['an IPv6 payload length of 0', changed(changed(packet6, 4, 0), 5, 0)],
  ['an IPv6 routing header', changed(packet6, 6, 43)],
  ['a TCP header longer than the packet', changed(packet, 32, 0xf0)],
  ['another version', changed(packet, 0, 0x55)],
  ['nothing', new Uint8Array(0)],
] as const) {
  it(`${what} is not`, () => assert.equal(isPlain(bytes), false));
}
