/** Wrong use and hostile neighbours: a clear message, the right exit code, and nothing else harmed. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandResult, eventually, expectCommand, Lab, type LabHost, TRAFFIC_COPY } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

const MAP = `${ONLINE_PORT}-10.77.0.3:${TARGET_PORT}`;

function trafficCopy(host: LabHost, ...words: string[]): Promise<CommandResult> {
  return host.run(TRAFFIC_COPY, words, { timeoutMs: 30_000 });
}

test('bad command lines are refused by name, with what was expected, before anything is touched', async () => {
  await Lab.with({}, async (lab) => {
    const cases: readonly [readonly string[], RegExp][] = [
      [['copy', '-x', '80'], /-x.*"80"/s],
      [['copy', '-x', '80-10.77.0.3:99999'], /99999/],
      [['copy', '-x', '80-nowhere:80'], /nowhere/],
      [['copy'], /-x/],
      [['copy', '-x', MAP, '--percnt', '3'], /--percnt/],
      [['copy', '-x', MAP, '-r', '300'], /-r.*300/s],
      [['copy', '-x', MAP, '-n', '0'], /-n.*0/s],
      [['copy', '-x', MAP, '--delivery', 'pigeon'], /pigeon.*tunnel/s],
      [['intercept', '-p', '0'], /-p.*0/s],
      [['intercept', '--queue', 'none'], /none.*native/s],
      [['sniff'], /sniff/],
    ];
    for (const [words, message] of cases) {
      const { status, stderr } = await trafficCopy(lab.online, ...words);
      assert.equal(status, 2, `${words.join(' ')}: ${stderr}`);
      assert.match(stderr, message, words.join(' '));
    }
    assert.equal((await lab.online.expect('sh', ['-c', 'iptables-save; ip6tables-save'])).includes('NFQUEUE'), false);
  });
});

test('without the capabilities both programs say which one is missing, and leave nothing behind', async () => {
  await Lab.with({}, async (lab) => {
    const state = join(lab.directory, 'state');
    mkdirSync(state, { mode: 0o777 });
    const without = [
      'setpriv',
      '--bounding-set',
      '-net_raw,-net_admin',
      '--inh-caps',
      '-net_raw,-net_admin',
      TRAFFIC_COPY,
    ];
    for (const words of [
      ['copy', '-x', MAP, '--insecure', '--state', state],
      ['intercept', '--insecure', '--state', state],
    ]) {
      const { status, stderr, stdout } = await lab.online.run('env', [...without, ...words], { timeoutMs: 20_000 });
      assert.notEqual(status, 0, words.join(' '));
      assert.notEqual(status, -1, `${words.join(' ')} did not end: ${stderr}`);
      assert.match(stderr + stdout, /CAP_NET_(RAW|ADMIN)/, words.join(' '));
    }
  });
});

test('a port that is in use is named, and no rule stays', async () => {
  await Lab.with({}, async (lab) => {
    await lab.target.program('recording-server', { port: 36_524 });
    const { status, stderr } = await trafficCopy(lab.target, 'intercept', '--state', join(lab.directory, 'state'));
    assert.equal(status, 1, stderr);
    assert.match(stderr, /36524/);
    assert.match(stderr, /in use|EADDRINUSE/);
    assert.equal((await lab.target.expect('iptables-save')).includes('NFQUEUE'), false);
  });
});

test('an intercept that cannot be reached is named while the copy keeps trying, and its clients notice nothing', async () => {
  await CopyLab.with({}, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const copy = await copyLab.startCopy({ join: 'insecure', waitReady: false });
    await copy.process.waitForLine(/10\.77\.0\.3:36524/);
    await copyLab.load({ connections: 2, requests: 20, 'connections-total': 4 });
    assert.equal(copy.process.isRunning, true);
    const summary = (await copy.stop()) as unknown as { turns: { delivered: number } };
    assert.equal(summary.turns.delivered, 0);
  });
});

test('a wrong token and a used token end the copy with a clear message; the intercept serves on', async () => {
  await CopyLab.with({}, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.listenForLeaks();
    const intercept = await copyLab.startIntercept();
    const token = await intercept.joinToken();
    const parts = token.split('.');
    const forged = [parts[0], 'A'.repeat(parts[1]?.length ?? 10), ...parts.slice(2)].join('.');
    const attempt = (state: string, word: string): Promise<CommandResult> =>
      trafficCopy(
        copyLab.online,
        ...[
          'copy',
          '-x',
          MAP,
          '--delivery',
          'tunnel',
          '--join',
          word,
          '--state',
          join(copyLab.online.directory, state),
        ],
      );
    const wrong = await attempt('wrong', forged);
    assert.equal(wrong.status, 1, wrong.stderr);
    assert.match(wrong.stderr, /token/i);
    await copyLab.startCopy({ join: token });
    const used = await attempt('used', token);
    assert.equal(used.status, 1, used.stderr);
    assert.match(used.stderr, /token/i);
    await copyLab.load({ connections: 2, requests: 20, 'connections-total': 4 });
    const summary = await copyLab.finish();
    assert.equal(summary.turns.delivered, 80);
  });
});

test('a copy with the certificate of another authority is refused, and so is a server that is not the pinned one', async () => {
  await CopyLab.with({}, async (copyLab) => {
    await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.listenForLeaks();
    const first = await copyLab.startIntercept();
    await copyLab.startCopy();
    await copyLab.copy.stop();
    await first.stop();
    // Another authority at the same place: the copy's certificate means nothing to it, and its own is not the pinned one.
    const second = await copyLab.startIntercept({ name: 'stranger' });
    const copy = await copyLab.startCopy({ join: undefined, waitReady: false });
    const end = await copy.process.expectEnd(30_000, [1]);
    assert.equal(end.status, 1);
    assert.match(copy.process.tail(), /certificate|identity|authority|pin/i);
    assert.equal(second.process.isRunning, true);
    await second.stop();
    await copyLab.expectNoLeaks();
  });
});

test('strangers on 36524 that say nothing, garbage, half a handshake or a plain HELLO harm nobody', async () => {
  await CopyLab.with({}, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
    await copyLab.start();
    const strangers = await copyLab.client.program('stranger', { host: copyLab.target.ipv4, port: 36_524, each: 20 });
    await Promise.all([strangers.ask('run'), copyLab.load({ connections: 5, requests: 100, 'connections-total': 5 })]);
    await copyLab.copy.quiet();
    await strangers.stop();
    const summary = await copyLab.copy.stop();
    assert.equal((summary as unknown as { turns: { lost: number } }).turns.lost, 0);
    await copyLab.intercept.stop();
    expectSameStreams(await streamsOf(online), await streamsOf(target));
  });
});

test('--record writes what Wireshark reads, and a full disk ends the record but not the copy, which ends with 1', async () => {
  await CopyLab.with({}, async (copyLab) => {
    const small = join(copyLab.lab.directory, 'small');
    mkdirSync(small);
    await expectCommand('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
    try {
      const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
      const target = await copyLab.target.program('recording-server', { port: TARGET_PORT });
      const record = join(copyLab.lab.directory, 'record.pcapng');
      await copyLab.listenForLeaks();
      await copyLab.startIntercept();
      await copyLab.startCopy({ flags: ['--record', record] });
      await copyLab.load({ connections: 2, requests: 5, 'connections-total': 4 });
      await copyLab.copy.quiet();
      await copyLab.copy.stop();
      const requests = await expectCommand('tshark', [
        '-n',
        '-r',
        record,
        '-Y',
        'http.request',
        '-d',
        `tcp.port==${TARGET_PORT},http`,
      ]);
      assert.equal(requests.trim().split('\n').length, 20);

      await copyLab.startCopy({
        join: undefined,
        name: 'copy-full',
        stateOf: 'copy',
        flags: ['--record', join(small, 'r.pcapng')],
      });
      await copyLab.load({ connections: 4, requests: 500, 'connections-total': 4 });
      await copyLab.copy.process.waitForLine(/record.*(ENOSPC|full)|(ENOSPC|full).*record/i);
      const summary = await copyLab.finish({ status: 1 });
      assert.match(copyLab.copy.process.tail(), /not all that was asked for is there: --record/);
      assert.equal(summary.turns.lost, 0);
      expectSameStreams(await streamsOf(online), await streamsOf(target));
    } finally {
      await expectCommand('umount', ['-l', small]);
    }
    assert.ok(existsSync(small));
  });
});

for (const words of [
  ['copy', '-x', MAP, '--threads', '3', '--insecure'],
  ['intercept', '--threads', '3', '--insecure'],
]) {
  test(`${words[0]}: a signal to all its processes while workers start ends it in order`, () =>
    Lab.with({}, async (lab) => {
      const state = ['--state', join(lab.directory, 'state')];
      const started = await lab.target.start('interrupted', 'setsid', [TRAFFIC_COPY, ...words, ...state]);
      const { pid } = started;
      // Its launcher has children, too, before it becomes the program.
      await eventually('a worker', 20_000, () => {
        const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
        return children.some((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('-worker.js'));
      });
      process.kill(-pid, 'SIGTERM');
      await started.expectEnd(20_000, [0]);
      assert.match(started.tail(), /"reason":"SIGTERM"/);
      assert.doesNotMatch(started.tail(), /fault of the program/);
      assert.equal((await lab.target.expect('iptables-save')).includes('NFQUEUE'), false);
    }));
}

test('intercept: a summary that cannot be written is told, and its exit code is 1', () =>
  Lab.with({}, async (lab) => {
    const state = join(lab.directory, 'state');
    const files = ['--state', state, '--summary', '/dev/full', '-l', join(lab.directory, 'log')];
    const { status, stderr } = await trafficCopy(lab.target, 'intercept', '--insecure', '--duration', '1', ...files);
    assert.equal(status, 1);
    assert.match(stderr, /^trafficcopy intercept: not all that was asked for is there: --summary \/dev\/full .*\n$/);
  }));
