/**
 * What it costs to compare the answers to one request, in the three cases that there are: equal to the octet, equal but for a date, and
 * with an id of their own in each body.
 *
 *     node core/dist/bench/comparing.js [--targets N] [--bytes N]
 */
import { parseArgs } from 'node:util';
import { Answer } from '../src/compare/answer.js';
import { compareAnswers } from '../src/compare/answer-verdict.js';

const { values } = parseArgs({ options: { targets: { type: 'string' }, bytes: { type: 'string' } } });
const targets = Number(values.targets ?? 2);
const bodyBytes = Number(values.bytes ?? 1000);
const ROUNDS = 20_000;
const IGNORED = new Set(['date']);

function answer(date: string, id: string): Answer {
  const items = '{"name":"kettle","price":1250},'.repeat(Math.ceil(bodyBytes / 31)).slice(0, bodyBytes);
  const text = `HTTP/1.1 200 OK\r\nDate: ${date}\r\nContent-Type: application/json\r\nVary: accept\r\nContent-Length: ${items.length + id.length}\r\n\r\n${id}${items}`;
  const octets = new TextEncoder().encode(text);
  const made = new Answer(16_384);
  made.take(0, octets, 0, octets.length, octets.length, 0);
  return made;
}

function measure(name: string, make: (party: number) => Answer): void {
  const [online, ...others] = Array.from({ length: targets + 1 }, (_, party) => make(party));
  const runs = (): number => {
    const start = process.threadCpuUsage();
    for (let round = 0; round < ROUNDS; round += 1) compareAnswers(online!, others, IGNORED);
    const { user, system } = process.threadCpuUsage(start);
    return (user + system) / ROUNDS;
  };
  runs();
  console.log(`${name.padEnd(28)} ${runs().toFixed(1)} us for a request`);
}

console.log(`${targets} targets, bodies of ${bodyBytes} octets`);
measure('equal', () => answer('now', ''));
measure('equal but for a header', (party) => answer(`now ${party}`, ''));
measure('an id of their own', (party) => answer(`now ${party}`, `{"id":${1000 + party}}`));
