/** Servers whose target has other users and passwords than online: logins are rewritten, and connections that ran before are logged in. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Postgresql } from '../../src/index.js';
import { CopyLab } from './kit/copy-lab.js';
import { otherMariadb, otherPostgresql, otherRedis } from './kit/other-logins.js';
import { TypingClient } from './kit/typing-client.js';

/** Writes a file for --credentials beside the copy. */
function credentialsFile(copyLab: CopyLab, text: string): string {
  const file = join(copyLab.online.directory, 'credentials.yaml');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

for (const [delivery, statements, each, threads] of [
  ['tunnel', '10,000', 200, 1],
  ['direct', '1,000', 20, 2],
] as const) {
  test(`MariaDB, ${delivery}: ${statements} statements of 50 clients, half of them joined while they ran, arrive at a target with another password`, async () => {
    const port = 3306;
    await CopyLab.with({ onlinePort: port, targetPort: port, delivery }, async (copyLab) => {
      const { online, target, credentials } = await otherMariadb(copyLab);
      const clients = await copyLab.client.program('mysql-clients', {
        host: copyLab.online.ipv4,
        port,
        user: 'closed',
        password: 'secret',
      });
      assert.equal(await clients.ask('open', 25), 25);
      assert.equal(await clients.ask('ask'), 25);
      const file = credentialsFile(copyLab, credentials);
      await copyLab.listenForLeaks();
      await copyLab.startIntercept();
      await copyLab.startCopy({ flags: ['--credentials', file, '--threads', String(threads)] });
      // What a running connection says first may be the middle of something: it is joined with what comes next.
      assert.equal(await clients.ask('say'), 25);
      assert.equal(await clients.ask('open', 25), 50);
      assert.equal(await clients.ask('run', each, 120_000), each * 50);
      await clients.ask('close');
      const summary = await copyLab.finish();
      assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
      assert.equal(summary.turns.beforeJoin, 25);
      assert.equal(await target.status('Access_denied_errors'), 0);
      const expected = await online.dump();
      assert.ok(expected.includes(`item ${each - 8} of client 49`), 'online has the last rows');
      assert.equal(await target.dump(), expected);
    });
  });
}

test('PostgreSQL: users of three methods, and one that was logged in before, arrive at a target with other passwords', async () => {
  const port = 5432;
  await CopyLab.with({ onlinePort: port, targetPort: port }, async (copyLab) => {
    const { online, target, credentials } = await otherPostgresql(copyLab);
    const psql = Postgresql.program('psql');
    const env = { PGPASSWORD: 'of online' };
    const login = (user: string): string[] => ['-h', copyLab.online.ipv4, '-p', String(port), '-U', user];
    const earlier = await TypingClient.start(
      copyLab.client,
      psql,
      [...login('scram_user'), '-d', 'postgres', '-XAtq', '-v', 'ON_ERROR_STOP=1'],
      env,
    );
    await earlier.type("SELECT 'before the copy';", /^before the copy$/);
    const file = credentialsFile(copyLab, credentials);
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({ flags: ['--credentials', file] });
    await earlier.type("SELECT 'after its start';", /^after its start$/);
    for (let row = 0; row < 5; row += 1) {
      const insert = `INSERT INTO orders VALUES (${row}, 'of a client that was there before') RETURNING 'row ' || ${row};`;
      await earlier.type(insert, new RegExp(`^row ${row}$`));
    }
    await earlier.end();
    const script = join(copyLab.client.directory, 'insert.sql');
    writeFileSync(
      script,
      "\\set id random(1, 1000000)\nINSERT INTO orders VALUES (:id, 'from a client');\nSELECT item FROM orders WHERE id = :id;\n",
    );
    for (const [name, protocol] of [
      ['scram', 'simple'],
      ['md5', 'extended'],
      ['plain', 'prepared'],
    ] as const) {
      const load = ['-n', '-f', script, '-M', protocol, '-c', '4', '-t', '25', 'postgres'];
      await copyLab.client.expect(Postgresql.program('pgbench'), [...login(`${name}_user`), ...load], { env });
    }
    const summary = await copyLab.finish();
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    assert.equal(summary.turns.beforeJoin, 1);
    const content = "SELECT count(*), md5(string_agg(id || item, ',' ORDER BY id, item)) FROM orders";
    const expected = await online.query(content);
    assert.match(expected, /^305\|/);
    assert.equal(await target.query(content), expected);
    await Promise.all([online.stop(), target.stop()]);
  });
});

test('Redis: AUTH and HELLO, and a client that was there before, arrive at a target with other passwords', async () => {
  const port = 6379;
  await CopyLab.with({ onlinePort: port, targetPort: port }, async (copyLab) => {
    const { online, target, credentials } = await otherRedis(copyLab);
    const login = ['-h', copyLab.online.ipv4, '-p', String(port), '--no-auth-warning'];
    const earlier = await TypingClient.start(copyLab.client, 'redis-cli', [...login, '-a', 'of-online', '-n', '3']);
    await earlier.type('ECHO before', /^before$/);
    const file = credentialsFile(copyLab, credentials);
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({ flags: ['--credentials', file] });
    await earlier.type('ECHO after', /^after$/);
    await earlier.type('SET there before', /^OK$/);
    await earlier.type('APPEND there -and-now', /^14$/);
    await earlier.end();
    const benchmark = ['-h', copyLab.online.ipv4, '-p', String(port), '-q', '-r', '500', '-n', '2000', '-c', '10'];
    await copyLab.client.expect('redis-benchmark', [...benchmark, '-a', 'of-online', '-t', 'set,incr', '-P', '8']);
    const user = [...login, '--user', 'shop', '--pass', 'shop-of-online'];
    assert.equal((await copyLab.client.expect('redis-cli', [...user, 'SET', 'by', 'AUTH'])).trim(), 'OK');
    assert.equal((await copyLab.client.expect('redis-cli', [...user, '-3', 'SET', 'by-hello', 'HELLO'])).trim(), 'OK');
    const summary = await copyLab.finish();
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    assert.equal(await target.command('-n', '3', 'GET', 'there'), 'before-and-now');
    assert.equal(await target.command('GET', 'by-hello'), 'HELLO');
    assert.equal((await target.calls())['set'], 2003);
    assert.equal(await target.digest(), await online.digest());
  });
});

test('caching_sha2_password: a target that wants the password under its RSA key, and later only a proof, lets clients in', async () => {
  const port = 3306;
  await CopyLab.with({ onlinePort: port, targetPort: port }, async (copyLab) => {
    const online = await copyLab.online.program('sha2-server', { port, user: 'shop', password: 'of online' });
    const target = await copyLab.target.program('sha2-server', { port, user: 'tester', password: 'of the target' });
    const file = credentialsFile(
      copyLab,
      `- {protocol: mysql, port: ${port}, users: [{name: shop, targetName: tester, password: of the target}]}\n`,
    );
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({ flags: ['--credentials', file] });
    const host = copyLab.online.ipv4;
    const clients = await copyLab.client.program('mysql-clients', { host, port, user: 'shop', password: 'of online' });
    for (const round of [1, 2, 3]) {
      await clients.ask('open', 1);
      await clients.ask('each', `ROUND ${round} OF CLIENT`);
      // The target remembers who has logged in: the next one comes after that.
      await copyLab.copy.quiet();
    }
    await clients.ask('close');
    const summary = await copyLab.finish();
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    assert.deepEqual(await target.ask('logins'), { short: 2, whole: 1, refused: 0 });
    const expected = (await online.ask<string[]>('statements')).sort();
    assert.equal(expected.length, 12);
    assert.deepEqual((await target.ask<string[]>('statements')).sort(), expected);
  });
});
