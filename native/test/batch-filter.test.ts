import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENTRY_CAPTURED_BYTES, ENTRY_OFFSET, ENTRY_WIRE_BYTES, PACKET_ENTRY_FIELDS } from '@trafficcopy/core';
import { BatchFilter, FilterError } from '../lib/index.js';
import { packet } from './kit/packet-list.js';

const PACKETS = [
  packet({ source: '10.0.0.1', destination: '10.0.0.2', destinationPort: 80 }),
  packet({ source: '10.0.0.1', destination: '10.0.0.2', destinationPort: 81 }),
  packet({ source: 'fd00::1', destination: 'fd00::2', destinationPort: 80 }),
  packet({ source: '10.0.0.2', destination: '10.0.0.1', sourcePort: 80, destinationPort: 4000 }),
];

function select(expression: string): { ports: number[]; times: number[] } {
  const bytes = Buffer.concat(PACKETS);
  const entries = new Uint32Array(PACKETS.length * PACKET_ENTRY_FIELDS);
  const times = Float64Array.from(PACKETS, (_, index) => index);
  let offset = 0;
  for (const [index, { length }] of PACKETS.entries()) {
    entries[index * PACKET_ENTRY_FIELDS + ENTRY_OFFSET] = offset;
    entries[index * PACKET_ENTRY_FIELDS + ENTRY_CAPTURED_BYTES] = length;
    entries[index * PACKET_ENTRY_FIELDS + ENTRY_WIRE_BYTES] = length;
    offset += length;
  }
  const count = new BatchFilter(expression).select(bytes, entries, times, PACKETS.length);
  const ports = Array.from({ length: count }, (_, index) => {
    const at = entries[index * PACKET_ENTRY_FIELDS + ENTRY_OFFSET]!;
    return bytes.readUInt16BE(at + (bytes[at]! >> 4 === 4 ? 20 : 40) + 2);
  });
  return { ports, times: [...times.subarray(0, count)] };
}

describe('BatchFilter', () => {
  it('moves what fits to the front, in order, with the times', () => {
    assert.deepEqual(select('tcp dst port 80'), { ports: [80, 80], times: [0, 2] });
    assert.deepEqual(select('ip and dst host 10.0.0.2'), { ports: [80, 81], times: [0, 1] });
    assert.deepEqual(select(''), { ports: [80, 81, 80, 4000], times: [0, 1, 2, 3] });
    assert.deepEqual(select('udp'), { ports: [], times: [] });
  });

  it('refuses what libpcap does not understand, with its words', () => {
    assert.throws(
      () => new BatchFilter('tcp port eighty'),
      (error: unknown) => {
        assert.ok(error instanceof FilterError);
        assert.match(error.message, /eighty/);
        return true;
      },
    );
  });

  it('entries beyond the octets that there are fit nothing', () => {
    const entries = Uint32Array.of(0, 40, 40, 0, 0xffff_fff0, 40, 40, 0, 10, 0xffff_ffff, 40, 0);
    assert.equal(new BatchFilter('').select(PACKETS[0]!, entries, new Float64Array(3), 3), 1);
    assert.equal(new BatchFilter('').select(PACKETS[0]!, entries, new Float64Array(0), 3), 0);
  });
});
