/** Every byte that online received reaches the target, on the same connection: both deliveries, both IP versions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopySummary } from '../../src/index.js';
import { CopyLab, type CopyLabOptions, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

const VARIANTS: readonly (CopyLabOptions & { readonly name: string })[] = [
  { name: 'Tunnel, IPv4', delivery: 'tunnel', family: 4 },
  { name: 'Tunnel, IPv6, packets as on a wire', delivery: 'tunnel', family: 6, lab: { wire: 'segments' } },
  { name: 'Direct, IPv4, packets as on a wire', delivery: 'direct', family: 4, lab: { wire: 'segments' } },
  { name: 'Direct, IPv6', delivery: 'direct', family: 6 },
];

const LOADS = {
  'keep-alive connections': { connections: 20, requests: 100, 'connections-total': 20 },
  'a connection per request': { connections: 8, requests: 1, 'connections-total': 400 },
  'pipelined requests': { connections: 4, requests: 60, 'connections-total': 8, pipeline: 6 },
  'uploads of 10 MB': { connections: 2, requests: 2, 'connections-total': 4, 'body-bytes': 10_000_000 },
} as const;

for (const variant of VARIANTS) {
  for (const [loadName, load] of Object.entries(LOADS)) {
    test(`${variant.name}: ${loadName} arrive byte for byte, on the same connections`, async () => {
      await CopyLab.with(variant, async (copyLab) => {
        const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT, 'response-bytes': 2_000 });
        const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, 'response-bytes': 3_100 });
        await copyLab.start();
        const report = await copyLab.load(load);
        const summary: CopySummary = await copyLab.finish();
        expectSameStreams(await streamsOf(online), await streamsOf(target));
        assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
        assert.equal(summary.turns.captured, summary.turns.delivered);
        assert.equal(summary.engine.sessionsStarted, report.connections);
        assert.equal(summary.engine.terminal['copied'], report.connections, JSON.stringify(summary.engine.terminal));
      });
    });
  }
}
