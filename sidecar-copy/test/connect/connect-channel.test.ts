/** Capture files over ordinary connections (--connect), to servers on this host. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type ArrivedStream, type ConnectOutcome, replayConnected, StandTarget } from '../kit/connect-stand.js';
import { RecordedConversations } from '../kit/recorded-conversations.js';

const directory = mkdtempSync(join(tmpdir(), 'connect-'));
after(() => rmSync(directory, { recursive: true }));
let serial = 0;

function write(recorded: RecordedConversations): string {
  serial += 1;
  const path = join(directory, `${serial}.pcap`);
  writeFileSync(path, recorded.file());
  return path;
}

/** Answers each line with 100 octets. */
function answerLines(stream: ArrivedStream): void {
  const lines = stream.text.split('\n').length - 1;
  const answered = stream.socket.bytesWritten / 100;
  for (let line = answered; line < lines; line += 1) stream.socket.write('a'.repeat(100));
}

function lost({ figures }: ConnectOutcome): Record<string, number> {
  return Object.fromEntries(Object.entries(figures.engine.turnsLost).filter(([, count]) => count > 0));
}

function terminals({ figures }: ConnectOutcome): Record<string, number> {
  return Object.fromEntries(Object.entries(figures.engine.terminal).filter(([, count]) => count > 0));
}

/** The sums of the ledger, whatever happened. */
function expectAccount({ figures }: ConnectOutcome): void {
  const { turnsCaptured, turnsDelivered, turnsLost, turnsPending } = figures.engine;
  assert.equal(turnsPending, 0);
  assert.equal(turnsCaptured, turnsDelivered + Object.values(turnsLost).reduce((sum, count) => sum + count, 0));
}

describe('a recording over ordinary connections', () => {
  for (const family of [4, 6] as const) {
    it(`IPv${family}: each connection arrives once as it was, and once more for each copy and run`, async () => {
      const recorded = new RecordedConversations();
      const expected: string[] = [];
      for (let index = 0; index < 20; index += 1) {
        const one = recorded.open({ clientPort: 30_000 + index, family });
        const turns = [`GET ${index}\n`, `POST ${'x'.repeat(5000)}${index}\n`];
        for (const turn of turns) one.says(turn).hears(100);
        one.closes();
        expected.push(...Array<string>(4).fill(turns.join('')));
      }
      const host = family === 4 ? '127.0.0.1' : '::1';
      const target = await StandTarget.listen(answerLines, { host });
      const endpoint = family === 4 ? host : `[${host}]`;
      const words = `-x 80-${endpoint}:${target.port} -i ${write(recorded)} --connect -a max -n 2 -T 2`;
      const outcome = await replayConnected(words);
      await target.close();
      assert.deepEqual(target.texts, expected.sort());
      assert.ok(target.streams.every(({ end }) => end === 'fin'));
      assert.deepEqual(lost(outcome), {});
      assert.deepEqual(terminals(outcome), { copied: 80 });
      assert.equal(outcome.figures.engine.turnsDelivered, 160);
      assert.equal(outcome.figures.engine.turnsAnswered, 160);
      expectAccount(outcome);
    });
  }

  it('clients on the loopback are replayed too: no target sees their addresses', async () => {
    const recorded = new RecordedConversations();
    recorded.open({ clientPort: 30_000, client: '127.0.0.1' }).says('one\n').hears(100).closes();
    const target = await StandTarget.listen(answerLines);
    const outcome = await replayConnected(`-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect`);
    await target.close();
    assert.deepEqual(target.texts, ['one\n']);
    assert.deepEqual(terminals(outcome), { copied: 1 });
  });

  it('a turn waits until the target has answered the one before, however slow it is', async () => {
    const recorded = new RecordedConversations();
    const one = recorded.open({ clientPort: 30_000 });
    for (const text of ['one\n', 'two\n', 'three\n']) one.says(text).hears(100);
    one.closes();
    const seen: string[] = [];
    const target = await StandTarget.listen((stream) => {
      if (stream.end !== 'open') return;
      seen.push(stream.text);
      setTimeout(() => {
        assert.equal(stream.text, seen.at(-1), 'nothing came before the answer');
        stream.socket.write('a'.repeat(100));
      }, 150);
    });
    const outcome = await replayConnected(`-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect`);
    await target.close();
    assert.deepEqual(seen, ['one\n', 'one\ntwo\n', 'one\ntwo\nthree\n']);
    assert.deepEqual(lost(outcome), {});
  });

  it('a server that speaks first is waited for', async () => {
    const recorded = new RecordedConversations();
    recorded.open({ clientPort: 30_000 }).hears(20).says('login\n').hears(100).closes();
    let before = '';
    const target = await StandTarget.listen(answerLines, {
      onOpen: (stream) => {
        setTimeout(() => {
          before = stream.text;
          stream.socket.write('g'.repeat(20));
        }, 100);
      },
    });
    const outcome = await replayConnected(`-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect`);
    await target.close();
    assert.equal(before, '');
    assert.deepEqual(target.texts, ['login\n']);
    assert.deepEqual(lost(outcome), {});
  });

  it('a client that closes its side first gets its answer; one that resets resets', async () => {
    const recorded = new RecordedConversations();
    recorded.open({ clientPort: 30_000 }).says('whole').closes().hears(100);
    recorded.open({ clientPort: 30_001 }).says('line\n').hears(100).resets();
    const target = await StandTarget.listen((stream) => {
      if (stream.text === 'whole' && stream.end === 'fin') stream.socket.end('a'.repeat(100));
      else answerLines(stream);
    });
    const outcome = await replayConnected(`-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect`);
    await eventually(() => target.streams.every(({ end }) => end !== 'open'));
    await target.close();
    const ends = Object.fromEntries(target.streams.map(({ text, end }) => [text, end]));
    assert.deepEqual(ends, { whole: 'fin', 'line\n': 'reset' });
    assert.deepEqual(terminals(outcome), { copied: 2 });
  });

  it('a target that refuses, and one that resets, are named, and nothing is sent twice', async () => {
    const recorded = new RecordedConversations();
    const one = recorded.open({ clientPort: 30_000 }).says('one\n').hears(100);
    one.says('two\n').hears(100).closes();
    const file = write(recorded);
    const gone = await StandTarget.listen(() => {});
    const { port } = gone;
    await gone.close();
    const refused = await replayConnected(`-x 80-127.0.0.1:${port} -i ${file} --connect -a max`);
    assert.deepEqual(lost(refused), { targetRefused: 2 });
    assert.deepEqual(terminals(refused), { targetRefused: 1 });
    const resetting = await StandTarget.listen((stream) => void stream.socket.resetAndDestroy());
    const reset = await replayConnected(`-x 80-127.0.0.1:${resetting.port} -i ${file} --connect -a max`);
    await resetting.close();
    // What its host had acknowledged before the reset counts as delivered.
    assert.equal(reset.figures.engine.turnsDelivered + (lost(reset)['targetReset'] ?? 0), 2);
    assert.deepEqual(terminals(reset), { targetReset: 1 });
    assert.deepEqual(resetting.texts, ['one\n', 'two\n']);
    for (const outcome of [refused, reset]) expectAccount(outcome);
  });

  it('a target that closes after each answer gets each turn once, on fresh connections', async () => {
    const recorded = new RecordedConversations();
    const one = recorded.open({ clientPort: 30_000 });
    const turns = ['one\n', 'two\n', 'three\n', 'four\n', 'five\n'];
    for (const turn of turns) one.says(turn).hears(100);
    one.closes();
    const target = await StandTarget.listen((stream) => {
      const { socket } = stream;
      // Both directions, as a server does.
      if (stream.end === 'open') socket.end('a'.repeat(100), () => socket.destroy());
    });
    const outcome = await replayConnected(`-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect`);
    await target.close();
    assert.deepEqual(
      target.streams.map(({ text }) => text).filter((text) => text !== ''),
      turns,
    );
    assert.deepEqual(lost(outcome), {});
    assert.ok(outcome.figures.engine.sessionsResumed >= 4);
  });

  it('a target that reads nothing for a while gets all of an upload, and little waits meanwhile', async () => {
    const upload = Buffer.alloc(6_000_000, 'u');
    const recorded = new RecordedConversations();
    recorded.open({ clientPort: 30_000 }).says(upload).hears(100).closes();
    const target = await StandTarget.listen(
      ({ socket, bytes, end }) => {
        if (bytes === upload.length && end === 'open') socket.write('a'.repeat(100));
      },
      {
        onOpen: ({ socket }) => {
          socket.pause();
          setTimeout(() => socket.resume(), 400);
        },
      },
    );
    const words = `-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect -a max`;
    const outcome = await replayConnected(words);
    await target.close();
    assert.deepEqual(
      target.streams.map(({ bytes, end }) => [bytes, end]),
      [[upload.length, 'fin']],
    );
    assert.ok(outcome.queuedBytesMax <= 400_000, `${outcome.queuedBytesMax}`);
    // It read slowly; nothing was wrong with the path.
    assert.equal(outcome.figures.engine.pathsNarrowed, 0);
    assert.deepEqual(terminals(outcome), { copied: 1 });
  });

  it('beyond the sockets that it may have, connections are shed, counted and told', async () => {
    const recorded = new RecordedConversations();
    const all = Array.from({ length: 6 }, (_, index) => recorded.open({ clientPort: 30_000 + index }));
    for (const one of all) one.says('one\n').hears(100);
    recorded.pause(300);
    for (const one of all) one.closes();
    const target = await StandTarget.listen(answerLines);
    const words = `-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect`;
    const outcome = await replayConnected(words, { socketsMax: 2 });
    await target.close();
    assert.deepEqual(terminals(outcome), { copied: 2, shed: 4 });
    assert.deepEqual(lost(outcome), { shed: 4 });
    assert.equal(outcome.logged.filter((line) => line.includes('ulimit -n')).length, 1);
    expectAccount(outcome);
  });

  it('with sessions for no more connections than sockets, a file waits and nothing is shed', async () => {
    const recorded = new RecordedConversations();
    for (let index = 0; index < 8; index += 1) {
      recorded
        .open({ clientPort: 30_000 + index })
        .says('one\n')
        .hears(100)
        .closes();
    }
    const target = await StandTarget.listen(answerLines);
    const words = `-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect -a max`;
    const outcome = await replayConnected(words, { socketsMax: 10, limits: { sessionsMax: 4 } });
    await target.close();
    assert.deepEqual(terminals(outcome), { copied: 8 });
    assert.equal(target.streams.length, 8);
  });

  it('a target that does not answer is given up after -t', async () => {
    const recorded = new RecordedConversations();
    recorded.open({ clientPort: 30_000 }).says('one\n').hears(100).says('two\n').hears(100).closes();
    const target = await StandTarget.listen(() => {});
    const words = `-x 80-127.0.0.1:${target.port} -i ${write(recorded)} --connect -a max -t 500ms`;
    const outcome = await replayConnected(words);
    await target.close();
    assert.deepEqual(lost(outcome), { noResponse: 1 });
    assert.deepEqual(target.texts, ['one\n']);
    expectAccount(outcome);
  });
});

async function eventually(isThere: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!isThere()) {
    assert.ok(performance.now() < deadlineMs, 'it did not come to that');
    await delay(10);
  }
}
