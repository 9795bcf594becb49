import assert from 'node:assert/strict';
import type { LabProcess, StreamRecord } from '../../../src/index.js';

/** The streams that a recording server received, those of probes without a single octet left out. */
export async function streamsOf(server: LabProcess): Promise<StreamRecord[]> {
  return (await server.ask<StreamRecord[]>('report')).filter((stream) => stream.bytes > 0);
}

/** What the streams of each client's address and port were, in the order of the connections. */
function byClient(streams: readonly StreamRecord[]): Map<string, string[]> {
  const clients = new Map<string, string[]>();
  for (const { client, bytes, sha256 } of streams) {
    const list = clients.get(client) ?? [];
    list.push(`${bytes} bytes, SHA-256 ${sha256}`);
    clients.set(client, list);
  }
  return clients;
}

/** Expects that both servers received the same bytes on the same connections: same clients, same order, nothing else. */
export function expectSameStreams(online: readonly StreamRecord[], target: readonly StreamRecord[]): void {
  const [expected, actual] = [byClient(online), byClient(target)];
  const differences: string[] = [];
  for (const [client, streams] of expected) {
    const arrived = actual.get(client) ?? [];
    if (JSON.stringify(arrived) !== JSON.stringify(streams)) {
      const from = streams.findIndex((stream, index) => stream !== arrived[index]);
      const show = (list: readonly string[]): string => list.slice(Math.max(from, 0)).slice(0, 3).join('; ');
      const counts = `${streams.length} and ${arrived.length} streams, from number ${from + 1} on`;
      differences.push(`${client}: ${counts}: online received [${show(streams)}], the target [${show(arrived)}]`);
    }
  }
  for (const client of actual.keys()) {
    if (!expected.has(client)) differences.push(`${client}: only at the target`);
  }
  assert.equal(
    differences.length,
    0,
    `${differences.length} of ${expected.size} clients differ:\n${differences.slice(0, 10).join('\n')}`,
  );
}

/** Expects that the target received each stream of online exactly `times`, from whatever ports. */
export function expectStreamsTimes(
  online: readonly StreamRecord[],
  target: readonly StreamRecord[],
  times: number,
): void {
  const counts = (streams: readonly StreamRecord[]): Map<string, number> => {
    const counted = new Map<string, number>();
    for (const { sha256 } of streams) counted.set(sha256, (counted.get(sha256) ?? 0) + 1);
    return counted;
  };
  const [expected, actual] = [counts(online), counts(target)];
  for (const [sha256, count] of expected) expected.set(sha256, count * times);
  assert.deepEqual(new Map([...actual].sort()), new Map([...expected].sort()));
}
