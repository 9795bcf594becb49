/** `--max-cpu`: a copy that would use more copies less, and all of it again when there is room; clients of online notice nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { streamsOf } from './kit/streams.js';

/** Percent of a core: less than any machine needs to copy as fast as it can, and more than a copy needs that has nothing to do. */
const CPU_PERCENT = 2;
const LOADS_MAX = 60;
/** Ports of the clients that come when there is room again: no others have them. */
const LAST_PORT = 20_000;

test('a copy with a tiny budget samples down under load, says so, and copies everything again when the load has ended', async () => {
  await CopyLab.with({ copyFlags: ['--max-cpu', String(CPU_PERCENT)] }, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.start();
    let isBeyond = false;
    const beyond = copyLab.copy.process
      .waitForLine(/beyond the safety budget: fewer new connections/, 120_000)
      .then(() => {
        isBeyond = true;
      });
    let loads = 0;
    for (; !isBeyond && loads < LOADS_MAX; loads += 1) {
      await copyLab.load({ connections: 20, requests: 1, 'connections-total': 2_000 });
    }
    await beyond;
    await copyLab.load({ connections: 20, requests: 1, 'connections-total': 2_000 });
    await copyLab.copy.process.waitForLine(/within the safety budget again: all is copied/, 120_000);
    // Nothing looks at the copy meanwhile: to serve metrics costs more than the budget.
    await copyLab.load({ connections: 5, requests: 10, 'connections-total': 5, 'client-port-start': LAST_PORT });
    await copyLab.copy.quiet();
    const copied = (await streamsOf(target)).map(({ client }) => Number(client.replace(/.*[: ]/, '')));
    assert.deepEqual(
      copied.filter((port) => port < LAST_PORT + 5 && port >= LAST_PORT).length,
      5,
      'all of the last are copied',
    );
    const { turns, engine } = await copyLab.finish();
    assert.ok(engine.terminal['overBudget']! > 0, 'what was left out is counted as overBudget');
    assert.equal(engine.terminal['sampledOut'], 0);
    assert.equal(
      turns.lost,
      turns.lostByReason['overBudget'],
      'nothing is lost but by sessions that were ended for the budget',
    );
    const ended = Object.values(engine.terminal).reduce((sum, count) => sum + count, 0);
    assert.equal(ended, engine.connectionsSeen);
    assert.equal(engine.connectionsSeen, 2_000 * (loads + 1) + 5);
  });
});
