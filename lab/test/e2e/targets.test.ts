/**
 * Targets that do not do what online did: each is named in the ledger, clients notice nothing, and a well-behaved target beside it
 * receives everything at once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CopySummary, LabProcess } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, expectStreamsTimes, streamsOf } from './kit/streams.js';

const RUDE_PORT = 8081;
const RUDE_ONLINE_PORT = 81;
const CONNECTIONS = 10;
const REQUESTS = 5;

interface Outcome {
  readonly summary: CopySummary;
  readonly rudeOnline: LabProcess;
  readonly rude: LabProcess | undefined;
}

/** Copies two ports of online: one to a good target, one to a target with the given manner (none: nothing listens). */
async function besideGoodTarget(
  manner: string | undefined,
  check: (outcome: Outcome) => Promise<void>,
  copyFlags: readonly string[] = [],
): Promise<void> {
  await CopyLab.with({ copyFlags }, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const rudeOnline = await copyLab.online.program('recording-server', { port: RUDE_ONLINE_PORT });
    const good = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    const rude =
      manner === undefined ? undefined : await copyLab.target.program('recording-server', { port: RUDE_PORT, manner });
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({
      map: `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)},${RUDE_ONLINE_PORT}-${copyLab.targetEndpoint(RUDE_PORT)}`,
    });
    const load = { connections: CONNECTIONS, requests: REQUESTS, 'connections-total': CONNECTIONS };
    await Promise.all([
      copyLab.load({ ...load, port: ONLINE_PORT }),
      copyLab.load({ ...load, port: RUDE_ONLINE_PORT }),
    ]);
    const summary = await copyLab.finish();
    expectSameStreams(await streamsOf(online), await streamsOf(good));
    await check({ summary, rudeOnline, rude });
    const { terminal } = summary.engine;
    assert.ok((terminal['copied'] ?? 0) >= CONNECTIONS, JSON.stringify(terminal));
    const ended = Object.values(terminal).reduce((sum, count) => sum + count, 0);
    assert.equal(ended, 2 * CONNECTIONS, `every connection has one end: ${JSON.stringify(terminal)}`);
    const { captured, delivered, lost, pending } = summary.turns;
    assert.equal(captured, delivered + lost + pending);
  });
}

test('a target that refuses connections is named, with all its turns', async () => {
  await besideGoodTarget(undefined, async ({ summary }) => {
    assert.equal(summary.engine.terminal['targetRefused'], CONNECTIONS);
    assert.equal(summary.turns.lostByReason['targetRefused'], CONNECTIONS * REQUESTS);
    assert.equal(summary.turns.lost, CONNECTIONS * REQUESTS);
  });
});

test('a target that resets at the first octets is named, and no turn is sent to it twice', async () => {
  await besideGoodTarget('reset', async ({ summary, rude, rudeOnline }) => {
    const arrived = await streamsOf(rude!);
    const requests = (await streamsOf(rudeOnline)).length * REQUESTS;
    assert.ok(arrived.length <= requests, `${arrived.length} streams of ${requests} requests`);
    assert.ok(
      (summary.engine.terminal['targetReset'] ?? 0) + (summary.engine.terminal['copied'] ?? 0) === 2 * CONNECTIONS,
    );
    assert.equal(summary.turns.lost, summary.turns.lostByReason['targetReset']);
  });
});

test('a target that never answers costs its own sessions only, and the timeout names it', async () => {
  await besideGoodTarget(
    'silent',
    async ({ summary }) => {
      assert.equal(summary.engine.terminal['noResponse'], CONNECTIONS, JSON.stringify(summary.engine.terminal));
      assert.equal(summary.turns.lost, summary.turns.lostByReason['noResponse']);
    },
    ['-t', '3s'],
  );
});

test('a target that answers with other lengths receives every turn', async () => {
  await besideGoodTarget('other', async ({ summary, rude, rudeOnline }) => {
    expectSameStreams(await streamsOf(rudeOnline), await streamsOf(rude!));
    assert.equal(summary.turns.lost, 0);
  });
});

test('a target that closes after each request receives each request once, on fresh connections', async () => {
  await besideGoodTarget('close', async ({ summary, rude }) => {
    const arrived = await streamsOf(rude!);
    assert.equal(
      arrived.reduce((sum, { requests }) => sum + requests, 0),
      CONNECTIONS * REQUESTS,
    );
    assert.equal(arrived.length, CONNECTIONS * REQUESTS);
    assert.equal(summary.turns.lost, 0);
  });
});

test('a server that speaks first is copied: the client waits for the greeting of the target', async () => {
  await CopyLab.with({}, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT, manner: 'greeting' });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, manner: 'greeting' });
    await copyLab.start();
    const dialogue = await copyLab.client.program('line-client', {
      host: copyLab.online.ipv4,
      port: ONLINE_PORT,
      lines: 20,
    });
    assert.equal(await dialogue.ask('run'), 20);
    const summary = await copyLab.finish();
    const [atOnline, atTarget] = [await streamsOf(online), await streamsOf(target)];
    expectSameStreams(atOnline, atTarget);
    expectStreamsTimes(atOnline, atTarget, 1);
    assert.equal(summary.turns.lost, 0);
    assert.equal(summary.turns.delivered, 20);
  });
});
