/** Nothing of the target reaches a client, and the target's own clients are served as ever, whatever happens to intercept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, type LabProcess, type LoadReport } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

/** Local ports of clients that speak with the target itself. */
const DIRECT_PORTS = { first: 20_000, last: 20_999 };
const UNMAPPED_PORT = 9_999;

const directOnly = `(tcp dst portrange ${DIRECT_PORTS.first}-${DIRECT_PORTS.last})`;

async function directLoad(copyLab: CopyLab): Promise<LoadReport> {
  const generator = await copyLab.client.program('load-generator', {
    host: copyLab.target.address(copyLab.family),
    port: TARGET_PORT,
    connections: 4,
    requests: 10,
    'connections-total': 200,
    'client-port-start': DIRECT_PORTS.first,
    close: 'reset',
  });
  return generator.ask<LoadReport>('run');
}

for (const [delivery, family] of [
  ['tunnel', 4],
  ['direct', 6],
] as const) {
  test(`${delivery}, IPv${family}: the target serves its own clients, of the very address that is copied, with unchanged results`, async () => {
    await CopyLab.with({ delivery, family, allowed: directOnly }, async (copyLab) => {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      const [, direct] = await Promise.all([
        copyLab.load({ connections: 10, requests: 200, 'connections-total': 10 }),
        directLoad(copyLab),
      ]);
      assert.deepEqual(direct.errors, {});
      assert.equal(direct.responses, 2_000);
      const summary = await copyLab.finish();
      assert.equal(summary.turns.lost, 0);
      const isDirect = (client: string): boolean => {
        const port = Number(client.slice(client.lastIndexOf(':') + 1));
        return port >= DIRECT_PORTS.first && port <= DIRECT_PORTS.last;
      };
      const atTarget = await streamsOf(target);
      assert.equal(atTarget.filter(({ client }) => isDirect(client)).length, 200);
      expectSameStreams(
        await streamsOf(online),
        atTarget.filter(({ client }) => !isDirect(client)),
      );
    });
  });
}

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: a port of the target that is not mapped gets no packet`, async () => {
    await CopyLab.with({ delivery }, async (copyLab) => {
      await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      await copyLab.online.program('recording-server', { port: 81 });
      await copyLab.target.program('recording-server', { port: TARGET_PORT });
      const unmapped = await copyLab.target.program('recording-server', { port: UNMAPPED_PORT });
      await copyLab.start();
      const sniffer = await copyLab.target.sniff(
        `tcp and not port ${TARGET_PORT} and not port 36524 and not host 127.0.0.1`,
        { device: 'any' },
      );
      await Promise.all([
        copyLab.load({ connections: 4, requests: 10, 'connections-total': 20 }),
        copyLab.load({ connections: 4, requests: 10, 'connections-total': 20, port: 81 }),
      ]);
      await copyLab.copy.quiet();
      const count = await sniffer.stop();
      assert.equal(count, 0, count > 0 ? await sniffer.packets() : '');
      const summary = await copyLab.finish();
      assert.equal(summary.engine.connectionsSeen, 20);
      assert.deepEqual(await unmapped.ask('totals'), { connections: 0, open: 0, bytes: 0 });
    });
  });
}

/** Load that goes on until it is stopped; the clients must not notice what happens meanwhile. */
async function endlessLoad(copyLab: CopyLab): Promise<{ stop(): Promise<LoadReport>; process: LabProcess }> {
  const generator = await copyLab.client.program('load-generator', {
    host: copyLab.online.address(copyLab.family),
    port: ONLINE_PORT,
    connections: 10,
    rate: 500,
    'duration-ms': 120_000,
  });
  const done = generator.ask<LoadReport>('run', undefined, 130_000);
  return {
    process: generator,
    async stop() {
      await generator.ask('stop');
      return done;
    },
  };
}

async function answeredMoreThan(process: LabProcess, count: number): Promise<void> {
  await eventually(
    `${count} answers`,
    20_000,
    async () => (await process.ask<LoadReport>('progress')).responses > count,
  );
}

for (const [delivery, signal] of [
  ['tunnel', 'SIGKILL'],
  ['direct', 'SIGKILL'],
  ['tunnel', 'SIGTERM'],
  ['direct', 'SIGTERM'],
] as const) {
  test(`${delivery}: intercept ended by ${signal} in full run leaks nothing, clients notice nothing, and its successor goes on`, async () => {
    await CopyLab.with({ delivery, allowed: directOnly }, async (copyLab) => {
      await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      const load = await endlessLoad(copyLab);
      await answeredMoreThan(load.process, 500);
      await copyLab.intercept.process.stop(signal);
      const { responses } = await load.process.ask<LoadReport>('progress');
      await answeredMoreThan(load.process, responses + 1_000);
      const direct = await directLoad(copyLab);
      assert.deepEqual(direct.errors, {}, 'the target serves its own clients without intercept');

      await copyLab.startIntercept({ name: 'intercept-again', stateOf: 'intercept' });
      await copyLab.copy.ready();
      const before = (await target.ask<{ bytes: number }>('totals')).bytes;
      await eventually('requests arrive again', 20_000, async () => {
        return (await target.ask<{ bytes: number }>('totals')).bytes > before + 10_000;
      });
      const report = await load.stop();
      assert.deepEqual(report.errors, {});
      assert.equal(report.responses, report.requests);
      await copyLab.finish();
    });
  });
}
