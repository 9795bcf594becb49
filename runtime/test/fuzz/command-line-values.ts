/** Values of flags: each is refused as a ValueProblem, or read as something whose text is read as the same. */
import assert from 'node:assert/strict';
import { formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import {
  addressRangeValue,
  choiceValue,
  durationValue,
  formatDuration,
  formatSocketAddress,
  integerValue,
  ipAddressValue,
  megabytesValue,
  pathValue,
  percentValue,
  socketAddressValue,
  ValueProblem,
  type ValueType,
} from '../../src/index.js';

interface Kind {
  readonly value: ValueType<unknown>;
  /** The text of a value that was read. */
  readonly format?: (value: never) => string;
  readonly example: string;
}

const address = (value: Uint8Array): string => formatIpAddress(value);
const DAY_MS = 86_400_000;

/** The first octet of an input chooses. */
const KINDS: readonly Kind[] = [
  {
    value: addressRangeValue,
    format: (range: { address: Uint8Array; prefixBits: number }) => `${address(range.address)}/${range.prefixBits}`,
    example: '10.16.0.0/16',
  },
  { value: addressRangeValue, example: 'fd00::/64' },
  { value: ipAddressValue, format: address, example: '[fd00::1.2.3.4]' },
  { value: durationValue(1, 7 * DAY_MS), format: formatDuration, example: '1.5h' },
  { value: integerValue(1, 1023), format: String, example: '1023' },
  { value: megabytesValue(1, 65_536), format: (octets: number) => String(octets / 2 ** 20), example: '64' },
  { value: percentValue, example: '0.5' },
  { value: choiceValue(['tunnel', 'direct']), format: String, example: 'direct' },
  { value: pathValue, format: String, example: '/var/lib/trafficcopy' },
  { value: socketAddressValue('', { defaultPort: 36524 }), format: formatSocketAddress, example: '[fd00::1]:36524' },
  { value: socketAddressValue('', { defaultHost: '127.0.0.1' }), format: formatSocketAddress, example: ':9100' },
];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const target: FuzzTarget = {
  seeds: KINDS.map(({ example }, index) => Uint8Array.of(index, ...encoder.encode(example))),
  words: ['::', '/', '.', '[', ']', ':', '65535', '65536', '0', 'ms', 'd', '1e9', '-', '\n', 'ffff', '٣'],
  bytesMax: 400,
  run: (input) => {
    const kind = (input[0] ?? 0) % KINDS.length;
    const { value, format } = KINDS[kind]!;
    const text = decoder.decode(input.subarray(1));
    let read: unknown;
    try {
      read = value.parse(text);
    } catch (error) {
      assert.ok(error instanceof ValueProblem, `${String(error)} for ${JSON.stringify(text)}`);
      return kind;
    }
    if (format !== undefined) assert.deepEqual(value.parse(format(read as never)), read, JSON.stringify(text));
    const canonical = parseIpAddress(text);
    if (canonical !== undefined) assert.deepEqual(parseIpAddress(address(canonical)), canonical);
    return 16 + kind * 512 + text.length;
  },
};
export default target;
