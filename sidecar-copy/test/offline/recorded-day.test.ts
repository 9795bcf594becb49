/** A share of the benchmark's recorded day: sessions of all kinds beside each other, at recorded times and as fast as possible. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecordedTraffic } from '../kit/recorded-traffic.js';
import { replayFiles } from '../kit/replay-stand.js';

test('2,000 recorded sessions of mixed kinds: every turn is accounted for, every octet arrives', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'recorded-day-'));
  try {
    const traffic = new RecordedTraffic({ sessions: 2000 });
    const path = join(directory, 'day.pcap');
    writeFileSync(path, traffic.whole());
    for (const speed of [1, 10, Number.POSITIVE_INFINITY]) {
      const { counters, figures, seen } = await replayFiles([path], { plan: { speed } });
      assert.equal(counters.turnsDelivered, counters.turnsCaptured);
      assert.equal(counters.turnsBeforeJoin, traffic.expected.turnsBeforeJoin);
      assert.equal(counters.connectionsSeen, traffic.expected.connections);
      assert.equal(counters.terminal.copied, traffic.expected.connections);
      assert.equal(seen.payloadBytes, traffic.expected.payloadBytes);
      assert.equal(figures.frames, traffic.expected.frames);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
