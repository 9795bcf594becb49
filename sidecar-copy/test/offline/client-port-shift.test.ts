import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readU16 } from '@trafficcopy/core';
import { shiftClientPort, shiftedPort } from '../../src/offline/client-port-shift.js';

describe('the client ports of further runs', () => {
  it('are one to one within a run, and a connection has another one in each', () => {
    for (const run of [0, 1, 2, 63]) {
      const ports = new Set(Array.from({ length: 65_536 }, (_, port) => shiftedPort(port, run)));
      assert.equal(ports.size, 65_536, `run ${run}`);
    }
    const ofOne = new Set(Array.from({ length: 64_512 }, (_, run) => shiftedPort(40_000, run)));
    assert.equal(ofOne.size, 64_512);
    assert.equal(shiftedPort(40_000, 0), 40_000);
    assert.equal(shiftedPort(80, 5), 80);
  });

  it('are written into the packet, wherever its TCP header is', () => {
    const packet = new Uint8Array(100);
    const start = 10;
    packet.set([0x46, 0, 0, 44, 0, 0, 0, 0, 64, 6], start);
    packet.set([0x9c, 0x40, 0, 80], start + 24);
    packet[start + 24 + 12] = 0x50;
    shiftClientPort(packet, start, 44, 44, 3);
    assert.equal(readU16(packet, start + 24), shiftedPort(40_000, 3));
    const before = packet.slice();
    shiftClientPort(packet, start, 30, 44, 3);
    assert.deepEqual(packet, before, 'no whole header: left alone');
  });
});
