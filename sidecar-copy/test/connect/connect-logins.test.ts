/** Capture files over ordinary connections to servers with other passwords (--connect --credentials). */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { type ArrivedStream, replayConnected, StandTarget } from '../kit/connect-stand.js';
import { RecordedConversations } from '../kit/recorded-conversations.js';

const directory = mkdtempSync(join(tmpdir(), 'connect-logins-'));
after(() => rmSync(directory, { recursive: true }));

/** Writes recording and credentials; returns the words of the command line. */
function wordsFor(recorded: RecordedConversations, credentials: string, port: number): string {
  const [file, logins] = [join(directory, `${port}.pcap`), join(directory, `${port}.yaml`)];
  writeFileSync(file, recorded.file());
  writeFileSync(logins, credentials, { mode: 0o600 });
  return `-x 80-127.0.0.1:${port} -i ${file} --connect --credentials ${logins}`;
}

function message(type: string, body: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), head, Buffer.from(body, 'latin1')]);
}

const START = message('', '\0\x03\0\0user\0shop\0database\0orders\0\0');
const query = (text: string): Buffer => message('Q', `${text}\0`);
const READY = message('Z', 'I');

/** Wants a password in plain words; what it says of itself when that is right has `greetingBytes`. */
function postgresql(greetingBytes: number): (stream: ArrivedStream) => void {
  const seen = new WeakMap<ArrivedStream, number>();
  return (stream) => {
    const answers: Buffer[] = [];
    let at = seen.get(stream) ?? 0;
    for (;;) {
      const head = at === 0 ? 0 : 1;
      const rest = Buffer.from(stream.text.slice(at), 'latin1');
      if (rest.length < head + 4 || rest.length < head + rest.readUInt32BE(head)) break;
      const text = rest.toString('latin1', head + 4, head + rest.readUInt32BE(head));
      if (at === 0) answers.push(message('R', '\0\0\0\x03'));
      else if (rest[0] === 0x51) answers.push(message('C', 'SELECT 1\0'), READY);
      else if (text === 'of the target\0') {
        answers.push(message('R', '\0\0\0\0'), message('N', `${'notice'.repeat(greetingBytes / 6)}\0`), READY);
      } else answers.push(message('E', 'SFATAL\0C28P01\0Mwrong\0\0'));
      at += head + rest.readUInt32BE(head);
    }
    seen.set(stream, at);
    if (answers.length > 0) stream.socket.write(Buffer.concat(answers));
  };
}

const CREDENTIALS =
  '- {protocol: postgresql, port: 80, users: [{name: shop, targetName: shop2, password: of the target, database: joined}]}\n';

/** What the target is sent when client `shop` asks for `words`. */
function arrived(database: string, ...words: readonly string[]): string {
  const start = message('', `\0\x03\0\0user\0shop2\0database\0${database}\0\0`);
  return Buffer.concat([start, message('p', 'of the target\0'), ...words.map(query)]).toString('latin1');
}

for (const greetingBytes of [6, 9000]) {
  it(`a login whose answer has ${greetingBytes} octets lets the client in, with the target's name and password`, async () => {
    const recorded = new RecordedConversations();
    for (let index = 0; index < 10; index += 1) {
      const one = recorded
        .open({ clientPort: 30_000 + index })
        .says(START)
        .hears(9);
      one
        .says(message('p', 'of online\0'))
        .hears(300)
        .says(query(`first ${index}`))
        .hears(20);
      one
        .says(query(`second ${index}`))
        .hears(20)
        .closes();
    }
    const target = await StandTarget.listen(postgresql(greetingBytes));
    const { figures } = await replayConnected(wordsFor(recorded, CREDENTIALS, target.port));
    await target.close();
    const expected = Array.from({ length: 10 }, (_, index) => arrived('orders', `first ${index}`, `second ${index}`));
    assert.deepEqual(target.texts, expected);
    assert.equal(figures.engine.turnsDelivered, 40);
    assert.equal(figures.engine.terminal.copied, 10);
  });
}

it('a connection that ran before the recording is logged in as the first user', async () => {
  const recorded = new RecordedConversations();
  const running = recorded.open({ clientPort: 30_000, isRunning: true });
  running.says(query('before')).hears(20).says(query('one')).hears(20).says(query('two')).hears(20).closes();
  const target = await StandTarget.listen(postgresql(6));
  const { figures } = await replayConnected(wordsFor(recorded, CREDENTIALS, target.port));
  await target.close();
  assert.deepEqual(target.texts, [arrived('joined', 'one', 'two')]);
  assert.equal(figures.engine.turnsBeforeJoin, 1);
});

it('a target that does not let the user in is named, and gets nothing of what the client asked', async () => {
  const recorded = new RecordedConversations();
  const one = recorded.open({ clientPort: 30_000 }).says(START).hears(9).says(message('p', 'of online\0')).hears(300);
  one.says(query('secret')).hears(20).closes();
  const target = await StandTarget.listen(postgresql(6));
  const credentials = CREDENTIALS.replace('of the target', 'wrong');
  const { figures, logged } = await replayConnected(wordsFor(recorded, credentials, target.port));
  await target.close();
  assert.ok(target.texts.every((text) => !text.includes('secret')));
  assert.equal(figures.engine.turnsLost.loginRefused, 3);
  assert.ok(
    logged.some((line) => line.includes('login of user \\"shop2\\" at the target: 28P01 wrong')),
    logged.join('\n'),
  );
});
