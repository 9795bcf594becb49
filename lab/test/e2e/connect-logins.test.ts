/** Recordings of databases over ordinary connections (--connect --credentials): by a user without rights, to targets with other passwords. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CopySummary, Postgresql } from '../../src/index.js';
import { CopyLab } from './kit/copy-lab.js';
import { replayAsNobody } from './kit/nobody.js';
import { type OtherLogins, otherMariadb, otherPostgresql, otherRedis } from './kit/other-logins.js';

/** Records what clients do meanwhile, and replays it as fast as the target answers. */
async function recordAndReplay<Server>(
  copyLab: CopyLab,
  { port, credentials }: OtherLogins<Server>,
  clients: () => Promise<void>,
): Promise<CopySummary> {
  const sniffer = await copyLab.online.sniff(`tcp port ${port}`, { isWhole: true });
  await clients();
  await sniffer.stop();
  const summary = await replayAsNobody(copyLab, sniffer.file, { port, credentials, flags: ['-a', 'max'] });
  assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
  return summary;
}

const ports = (port: number): { onlinePort: number; targetPort: number } => ({ onlinePort: port, targetPort: port });

test('MariaDB: 2,000 statements of 20 clients, half of them older than the recording, are done at a target with another password', () =>
  CopyLab.with(ports(3306), async (copyLab) => {
    const logins = await otherMariadb(copyLab);
    const { port, online, target } = logins;
    const login = { host: copyLab.online.ipv4, port, user: 'closed', password: 'secret' };
    const clients = await copyLab.client.program('mysql-clients', login);
    assert.equal(await clients.ask('open', 10), 10);
    assert.equal(await clients.ask('ask'), 10);
    const summary = await recordAndReplay(copyLab, logins, async () => {
      assert.equal(await clients.ask('say'), 10);
      assert.equal(await clients.ask('open', 10), 20);
      assert.equal(await clients.ask('run', 100, 60_000), 2000);
      await clients.ask('close');
    });
    assert.equal(summary.turns.beforeJoin, 10);
    assert.equal(summary.engine.terminal['copied'], 20);
    assert.equal(await target.status('Access_denied_errors'), 0);
    const expected = await online.dump();
    assert.ok(expected.includes('item 92 of client 19'), 'online has the last rows');
    assert.equal(await target.dump(), expected);
  }));

test('PostgreSQL: users of three methods are let in by a target with other passwords', () =>
  CopyLab.with(ports(5432), async (copyLab) => {
    const logins = await otherPostgresql(copyLab);
    const { port, online, target } = logins;
    const script = join(copyLab.client.directory, 'insert.sql');
    writeFileSync(script, "\\set id random(1, 1000000)\nINSERT INTO orders VALUES (:id, 'from a client');\n");
    await recordAndReplay(copyLab, logins, async () => {
      for (const [name, protocol] of [
        ['scram', 'simple'],
        ['md5', 'extended'],
        ['plain', 'prepared'],
      ] as const) {
        const words = ['-h', copyLab.online.ipv4, '-p', String(port), '-U', `${name}_user`];
        const load = ['-n', '-f', script, '-M', protocol, '-c', '4', '-t', '25', 'postgres'];
        const env = { PGPASSWORD: 'of online' };
        await copyLab.client.expect(Postgresql.program('pgbench'), [...words, ...load], { env });
      }
    });
    const content = "SELECT count(*), md5(string_agg(id || item, ',' ORDER BY id, item)) FROM orders";
    const expected = await online.query(content);
    assert.match(expected, /^300\|/);
    assert.equal(await target.query(content), expected);
    await Promise.all([online.stop(), target.stop()]);
  }));

test('Redis: AUTH and HELLO get the passwords of the target', () =>
  CopyLab.with(ports(6379), async (copyLab) => {
    const logins = await otherRedis(copyLab);
    const { port, online, target } = logins;
    await recordAndReplay(copyLab, logins, async () => {
      const to = ['-h', copyLab.online.ipv4, '-p', String(port)];
      const load = [...to, '-q', '-r', '500', '-n', '2000', '-c', '10', '-a', 'of-online', '-t', 'set,incr', '-P', '8'];
      await copyLab.client.expect('redis-benchmark', load);
      const user = [...to, '--no-auth-warning', '--user', 'shop', '--pass', 'shop-of-online'];
      await copyLab.client.expect('redis-cli', [...user, 'SET', 'by', 'AUTH']);
      await copyLab.client.expect('redis-cli', [...user, '-3', 'SET', 'by-hello', 'HELLO']);
    });
    assert.equal(await target.command('GET', 'by-hello'), 'HELLO');
    assert.equal((await target.calls())['set'], 2002);
    assert.equal(await target.digest(), await online.digest());
  }));
