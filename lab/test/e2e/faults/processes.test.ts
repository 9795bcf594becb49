/** Copy and intercept killed or stopped in full run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { FaultLab, type FaultLabOptions } from '../kit/fault-lab.js';

/** How long a program is stopped. */
const STOP_MS = 10_000;

test('copy killed: its successor joins the running connections', async (context) => {
  await FaultLab.run(context, { delivery: 'tunnel', isCopyReplaced: true }, async (lab) => {
    await lab.copy.process.stop('SIGKILL');
    await lab.served(0.5);
    await lab.startCopyAgain();
  });
});

test('intercept killed: the copy waits for its successor and loses nothing', async (context) => {
  await FaultLab.run(context, { delivery: 'direct' }, async (lab) => {
    await lab.intercept.process.stop('SIGKILL');
    await lab.served(0.5);
    await lab.startInterceptAgain();
  });
});

test('both killed at once: their successors go on', async (context) => {
  await FaultLab.run(context, { delivery: 'direct', isCopyReplaced: true }, async (lab) => {
    await Promise.all([lab.copy.process.stop('SIGKILL'), lab.intercept.process.stop('SIGKILL')]);
    await lab.served(0.5);
    await lab.startInterceptAgain();
    await lab.startCopyAgain();
  });
});

test('copy stopped for 10 s: what its capture buffer had no room for is lost and named, and it goes on', async (context) => {
  const options: FaultLabOptions = {
    delivery: 'direct',
    captureMegabytes: 64,
    // A gap may still be open when the copy is ended: what was captured behind it is lost as interrupted.
    mayLose: ['captureGap', 'interrupted'],
    // The connections outlive the stop: of one that ends in it, and of one that begins in it, nothing tells what it asked.
    requestsPerConnection: 10_000,
  };
  const summary = await FaultLab.run(context, options, async (lab) => {
    lab.copy.process.signal('SIGSTOP');
    await pause(STOP_MS);
    lab.copy.process.signal('SIGCONT');
  });
  assert.ok(summary.capture.drops > 0);
  assert.ok(summary.turns.lost > 0);
});

test('intercept stopped for 10 s: sessions wait and lose nothing', async (context) => {
  await FaultLab.run(context, { delivery: 'tunnel' }, async (lab) => {
    lab.intercept.process.signal('SIGSTOP');
    await pause(STOP_MS);
    lab.intercept.process.signal('SIGCONT');
  });
});
