/** `-x` and settings of an operator: each is refused, or becomes mappings that an engine takes. */
import assert from 'node:assert/strict';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { ValueProblem } from '@trafficcopy/runtime';
import { formatEndpoint, type MappingText, mappingValue } from '../../src/config/mapping-value.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function textOf({ onlineAddress, onlinePort, targets }: MappingText): string {
  const online = onlineAddress === undefined ? String(onlinePort) : formatEndpoint(onlineAddress, onlinePort);
  return `${online}-${targets.map(({ address, port }) => formatEndpoint(address, port)).join('+')}`;
}

const target: FuzzTarget = {
  seeds: ['80-10.16.12.11:8080', '10.1.2.3:80-10.16.12.11:8080+10.16.12.12:81', '[fd00::1]:80-[fd00::11]:80'].map(
    (text) => encoder.encode(text),
  ),
  words: [
    '-',
    '+',
    ':',
    '[',
    ']',
    '::',
    '65536',
    '0',
    '127.0.0.1',
    '224.0.0.1',
    'ff02::1',
    '::ffff:1.2.3.4',
    ' ',
    '\n',
  ],
  bytesMax: 300,
  run: (input) => {
    const text = decoder.decode(input);
    let mapping: MappingText;
    try {
      mapping = mappingValue.parse(text);
    } catch (error) {
      assert.ok(error instanceof ValueProblem, `${String(error)} for ${JSON.stringify(text)}`);
      return error.message.length;
    }
    assert.deepEqual(mappingValue.parse(textOf(mapping)), mapping, JSON.stringify(text));
    for (const { address, port } of mapping.targets)
      assert.ok(port >= 1 && port <= 65_535 && address.some((octet) => octet !== 0));
    return 1024 + mapping.targets.length * 16 + (mapping.onlineAddress?.length ?? 0);
  },
};
export default target;
