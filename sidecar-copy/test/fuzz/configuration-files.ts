/** Configuration files: YAML, keys and structures. Refused with a UsageError that names file and line, whatever is in them. */
import assert from 'node:assert/strict';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { UsageError } from '@trafficcopy/runtime';
import { readConfigText } from '@trafficcopy/runtime/config-file';
import { COPY_COMMAND } from '../../src/config.js';

const SEEDS = [
  'map: 80-10.16.12.11:8080\npercent: 10\nmax-held: 64\nnoWait: true\njoin: tc1.abc\n',
  'targets:\n- address: 10.16.12.11\n  intercept: 10.16.12.11:36524\n  ports: [{source: 80, target: 81}]\n',
  'sample: {percent: 10, by: Client, seed: 7}\nlimits: {sessions: 5, memory: 64Mi}\nclientAddress: {cidrs: [10.99.0.0/24]}\n',
  'map: &a [80-10.0.0.1:80, "443-[fd00::1]:443"]\nintercept: *a\n? {b: c}\n: !!binary aGk=\n<<: {port: 1}\n',
];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const target: FuzzTarget = {
  seeds: SEEDS.map((text) => encoder.encode(text)),
  words: [
    'targets',
    'ports',
    'source',
    'sample',
    'limits',
    'map',
    ': ',
    '- ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    ']',
    '&a',
    '*a',
    '!!',
    '<<',
    '|\n',
    '"',
    '---',
  ],
  bytesMax: 2000,
  run: (input) => {
    try {
      const { texts, secretPlace } = readConfigText(decoder.decode(input), 'F', COPY_COMMAND);
      for (const [name, values] of texts) {
        assert.ok(Object.hasOwn(COPY_COMMAND.flags, name), name);
        for (const { text, place } of values) assert.ok(typeof text === 'string' && place.startsWith('F:'), place);
      }
      return texts.size * 2 + (secretPlace === undefined ? 0 : 1);
    } catch (error) {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, /^F:\d+: /);
      // One feature for each kind of refusal, whatever line it is in.
      return 64 + error.message.replace(/^F:\d+/, '').length;
    }
  },
};
export default target;
