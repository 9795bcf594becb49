/**
 * Our copy works with an intercept of the C programs (--wire). Stand-ins of 0.9.6 and 1.x that were written from the description of the
 * protocol run in every run; with INTERCEPT_BIN the real program does what they do.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopySummary } from '../../src/index.js';
import { CIntercept } from './kit/c-intercept.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

/** Two servers, a C intercept, and our copy; every turn that is captured arrives, and nothing leaks. */
async function copied(
  intercept: CIntercept,
  closeAfter: number,
  work: (copyLab: CopyLab) => Promise<void>,
  copyFlags: readonly string[] = [],
): Promise<void> {
  const { extraHosts } = intercept;
  // What is routed away from the target leaves it by its interface, to another host.
  const allowed = extraHosts.length > 0 ? `tcp src port ${TARGET_PORT}` : undefined;
  await CopyLab.with({ delivery: 'direct', lab: { extraHosts }, allowed }, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, 'close-after': closeAfter });
    await copyLab.listenForLeaks();
    const running = await intercept.start(copyLab);
    const flags = ['--wire', intercept.version, ...copyFlags];
    await copyLab.startCopy({ join: 'insecure', intercept: running.address, flags });
    await work(copyLab);
    await copyLab.copy.quiet(60_000);
    await copyLab.copy.idle(60_000);
    const summary = (await copyLab.copy.stop()) as unknown as CopySummary;
    await running.stop();
    await copyLab.expectNoLeaks();
    if (closeAfter === 0) expectSameStreams(await streamsOf(online), await streamsOf(target));
    else {
      const requests = (await streamsOf(target)).reduce((sum, stream) => sum + stream.requests, 0);
      assert.equal(
        requests,
        (await streamsOf(online)).reduce((sum, stream) => sum + stream.requests, 0),
      );
    }
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
  });
}

const LOADS = [
  { connections: 1, requests: 1, 'connections-total': 1 },
  { connections: 20, requests: 50, 'connections-total': 20 },
  { connections: 2, requests: 1, 'connections-total': 3, 'body-bytes': 1_000_000 },
] as const;

for (const intercept of await CIntercept.all()) {
  test(`copy --wire with ${intercept.name}: a GET, kept connections and uploads arrive byte for byte, nothing twice`, async () => {
    await copied(intercept, 0, async (copyLab) => {
      for (const load of LOADS) await copyLab.load(load);
    });
  });

  test(`copy --wire with ${intercept.name}: a target that closes after five requests receives each of 200 once`, async () => {
    await copied(intercept, 5, async (copyLab) => {
      await copyLab.load({ connections: 5, requests: 40, 'connections-total': 5 });
    });
  });
}

test('copy --wire with two workers: each has a tunnel of its own and hears of its own clients', async () => {
  const [intercept] = await CIntercept.all();
  await copied(
    intercept!,
    0,
    async (copyLab) => {
      await copyLab.load({ connections: 20, requests: 20, 'connections-total': 20 });
    },
    ['--threads', '2'],
  );
});

test('copy --wire goes on when its tunnel is cut: open flows are registered again, and nothing is lost', async () => {
  const [intercept] = await CIntercept.all();
  await copied(intercept!, 0, async (copyLab) => {
    const load = copyLab.load({ connections: 4, requests: 40, 'connections-total': 4, 'pause-ms': 50 });
    await copyLab.copy.waitForMetric('trafficcopy_copy_turns_delivered_total', 20);
    await copyLab.online.expect('ss', ['-K', 'dport = :36524']);
    await load;
  });
});
