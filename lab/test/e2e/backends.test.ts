/** The second backends give the same results as the native ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

const BACKENDS = [
  { copyFlags: ['--capture=cap'], interceptFlags: [] },
  { copyFlags: [], interceptFlags: ['--queue=nfqueue'] },
  { copyFlags: ['--capture=cap'], interceptFlags: ['--queue=nfqueue'] },
];

for (const { copyFlags, interceptFlags } of BACKENDS) {
  for (const [delivery, family] of [
    ['tunnel', 4],
    ['direct', 6],
  ] as const) {
    const name = [...copyFlags, ...interceptFlags].join(' ');
    test(`${name}, ${delivery}, IPv${family}: the same streams arrive as with the native backends`, async () => {
      await CopyLab.with({ delivery, family, copyFlags, interceptFlags }, async (copyLab) => {
        const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
        const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, 'response-bytes': 5_000 });
        await copyLab.start();
        await copyLab.load({ connections: 5, requests: 40, 'connections-total': 20, rate: 1_000 });
        const summary = await copyLab.finish();
        expectSameStreams(await streamsOf(online), await streamsOf(target));
        assert.equal(summary.turns.lost, 0);
        assert.equal(summary.turns.delivered, 800);
      });
    });
  }
}
