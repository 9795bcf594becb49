/** `trafficcopy trace` and `--trace`: what is seen of single sessions while they run. */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type LabHost, type LabProcess, TRAFFIC_COPY } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';

const PORT = 23_456;

/** Starts a trace, and returns when the copy has agreed. */
async function trace(copyLab: CopyLab, name: string, filter: string): Promise<LabProcess> {
  const { stateDirectory, process: copy } = copyLab.copy;
  const words = ['trace', filter, '--state', stateDirectory];
  const started = await copyLab.online.start(name, TRAFFIC_COPY, words);
  await copy.waitForLine(new RegExp(`"filter":"${filter}","msg":"a trace begins"`));
  return started;
}

/** What was said of the sessions of a client's port, without time and session. */
function eventsOf(lines: readonly string[], port: number): string[] {
  return lines
    .flatMap((line) => /^(?:\d+ {2})?\S+ {2}\S+?:(\d+) > \S+ > \S+ {2}(.*)$/.exec(line)?.slice(1) ?? [])
    .flatMap((part, index, parts) => {
      return index % 2 === 1 && Number(parts[index - 1]) === port ? [part] : [];
    });
}

async function runsOnlyFor(host: LabHost, path: string): Promise<void> {
  const outsider = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'test', '-r', path];
  assert.notEqual((await host.run('env', outsider)).status, 0, 'another user cannot open the socket');
}

for (const threads of [1, 2]) {
  test(`a running copy shows the sessions that fit, in the words of docs/session.md, and others nothing: --threads ${threads}`, async () => {
    await CopyLab.with({ copyFlags: ['--threads', String(threads)] }, async (copyLab) => {
      await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      await copyLab.target.program('recording-server', { port: TARGET_PORT });
      await copyLab.start();
      const { stateDirectory } = copyLab.copy;
      const sockets = readdirSync(stateDirectory).filter((name) => name.endsWith('.sock'));
      assert.equal(sockets.length, threads, 'one for each process that copies');
      for (const socket of sockets.map((name) => join(stateDirectory, name))) {
        assert.equal(statSync(socket).mode & 0o777, 0o600);
        await runsOnlyFor(copyLab.online, socket);
      }
      const [fitting, lost] = [
        await trace(copyLab, 'trace-port', `port=${PORT}`),
        await trace(copyLab, 'trace-lost', 'lost'),
      ];
      await copyLab.load({ connections: 1, requests: 2, 'connections-total': 1, 'client-port': PORT });
      await copyLab.load({ connections: 1, requests: 2, 'connections-total': 1, 'client-port': PORT + 1 });
      await fitting.waitForLine(/ended: copied/);
      const events = eventsOf(fitting.lines, PORT);
      const wanted = [
        /^session made$/,
        new RegExp(`^SYN sent, from port ${PORT}$`),
        /^ESTABLISHED/,
        /^gate opened for turn 0: online had answered nothing before it$/,
        /^sent \d+ octets from octet 0$/,
        /^turn 0 delivered$/,
        /^gate opened for turn 1: the answer before it is whole$/,
        /^turn 1 delivered$/,
        /^FIN sent$/,
        /^ended: copied$/,
      ];
      let at = 0;
      for (const pattern of wanted) {
        const found = events.findIndex((event, index) => index >= at && pattern.test(event));
        assert.ok(found >= 0, `${pattern} is not behind ${at} of:\n${events.join('\n')}`);
        at = found;
      }
      // Where these stand among the others depends on who is quicker.
      for (const text of ['turn 0 begun, at octet 0', 'turn 1 answered: first octets', 'client closed (FIN)']) {
        assert.ok(events.includes(text), `"${text}" is not among:\n${events.join('\n')}`);
      }
      assert.deepEqual(eventsOf(fitting.lines, PORT + 1), []);
      const end = await fitting.stop('SIGINT');
      assert.equal(end.status, 0);
      await copyLab.finish();
      assert.deepEqual(lost.lines, [], 'nothing was lost, so nothing was shown');
    });
  });
}

test('--trace lost logs the sessions that lose something, with why and what came before', async () => {
  await CopyLab.with({ copyFlags: ['--trace', 'lost'] }, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    await copyLab.start();
    await copyLab.load({ connections: 1, requests: 1, 'connections-total': 1, 'client-port': PORT });
    const { process: copy } = copyLab.copy;
    await copy.waitForLine(/"msg":"trace: ended: targetRefused"/);
    const told = copy.lines.flatMap((line) => /"msg":"trace: (.*)"/.exec(line)?.[1] ?? []);
    for (const text of [
      `SYN sent, from port ${PORT}`,
      'turn 0 begun, at octet 0',
      'target refused (RST to the SYN)',
      'turn 0 lost: targetRefused',
    ]) {
      assert.ok(told.includes(text), `"${text}" is not among:\n${told.join('\n')}`);
    }
    await copyLab.finish();
  });
});
