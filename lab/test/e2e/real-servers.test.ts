/** Real servers from Debian as online and target: what their clients say arrives at the target, byte for byte, and is understood there. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type CapturedStream,
  type CopySummary,
  capturedStreams,
  type LabHost,
  Mariadb,
  Nghttpd,
  Postgresql,
  Redis,
  type Sniffer,
} from '../../src/index.js';
import { CopyLab, type CopyLabOptions } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

/** Captures what clients send, at online and where it enters the target, to compare the streams themselves. */
class StreamWitness {
  readonly #online: Sniffer;
  readonly #target: Sniffer;
  readonly #port: number;

  private constructor(online: Sniffer, target: Sniffer, port: number) {
    this.#online = online;
    this.#target = target;
    this.#port = port;
  }

  static async start(copyLab: CopyLab, port: number): Promise<StreamWitness> {
    const device = copyLab.delivery === 'tunnel' ? 'lo' : 'eth0';
    const towards = (host: LabHost): string => `tcp dst port ${port} and dst host ${host.address(copyLab.family)}`;
    const [online, target] = await Promise.all([
      copyLab.online.sniff(towards(copyLab.online), { isWhole: true }),
      copyLab.target.sniff(towards(copyLab.target), { device, isWhole: true }),
    ]);
    return new StreamWitness(online, target, port);
  }

  async expectSame(): Promise<readonly CapturedStream[]> {
    await Promise.all([this.#online.stop(), this.#target.stop()]);
    const online = (await capturedStreams(this.#online.file, this.#port)).filter(({ bytes }) => bytes > 0);
    const target = (await capturedStreams(this.#target.file, this.#port)).filter(({ bytes }) => bytes > 0);
    assert.ok(online.length > 0, 'nothing was captured at online');
    const stream = ({ client, bytes, sha256, missingBytes }: CapturedStream): string =>
      `${client}: ${bytes} bytes, SHA-256 ${sha256}, ${missingBytes} missing`;
    assert.deepEqual(target.map(stream).sort(), online.map(stream).sort());
    return target;
  }
}

function samePort(port: number, options: CopyLabOptions = {}): CopyLabOptions {
  return { ...options, onlinePort: port, targetPort: port };
}

function expectNothingLost(summary: CopySummary): void {
  assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
  assert.equal(summary.turns.captured, summary.turns.delivered);
}

for (const [delivery, family] of [
  ['tunnel', 4],
  ['direct', 6],
] as const) {
  test(`Redis, ${delivery}, IPv${family}: inline and pipelined commands arrive, and the data is the same`, async () => {
    const port = 6379;
    await CopyLab.with(samePort(port, { delivery, family }), async (copyLab) => {
      const [online, target] = [await Redis.start(copyLab.online, port), await Redis.start(copyLab.target, port)];
      const witness = await StreamWitness.start(copyLab, port);
      await copyLab.start();
      const benchmark = ['-h', copyLab.online.address(family), '-p', String(port), '-q', '-r', '1000'];
      await copyLab.client.expect('redis-benchmark', [...benchmark, '-n', '2000', '-c', '10', '-t', 'ping_inline']);
      await copyLab.client.expect('redis-benchmark', [
        ...[...benchmark, '-n', '6000', '-c', '10', '-P', '16'],
        ...['-t', 'set,incr,get', '-d', '100'],
      ]);
      const summary = await copyLab.finish();
      expectNothingLost(summary);
      await witness.expectSame();
      const calls = await target.calls();
      assert.equal(calls['set'], 6_000);
      assert.deepEqual(calls, await online.calls());
      assert.equal(await target.digest(), await online.digest());
    });
  });
}

test('PostgreSQL: simple and extended queries, and a bulk load, arrive, and the tables are the same', async () => {
  const port = 5432;
  await CopyLab.with(samePort(port), async (copyLab) => {
    const [online, target] = await Postgresql.startTwins([copyLab.online, copyLab.target], port);
    const witness = await StreamWitness.start(copyLab, port);
    await copyLab.start();
    const login = ['-h', copyLab.online.ipv4, '-p', String(port), '-U', 'postgres'];
    const psql = Postgresql.program('psql');
    const rows = Array.from({ length: 20_000 }, (_, row) => `${row}\tloaded row number ${row}`).join('\n');
    const script = `CREATE TABLE orders (id int, item text);\nCOPY orders FROM STDIN;\n${rows}\n\\.\nSELECT count(*) FROM orders;\n`;
    await copyLab.client.expect(psql, [...login, '-d', 'postgres', '-XAtq', '-v', 'ON_ERROR_STOP=1'], {
      input: script,
    });
    // The target has to have the table before other connections use it: they are independent of the first one.
    await copyLab.copy.quiet();
    const insert = join(copyLab.client.directory, 'insert.sql');
    writeFileSync(
      insert,
      "\\set id random(1, 1000000)\nINSERT INTO orders VALUES (:id, 'from a client');\nSELECT item FROM orders WHERE id = :id;\n",
    );
    for (const protocol of ['simple', 'extended', 'prepared']) {
      await copyLab.client.expect(Postgresql.program('pgbench'), [
        ...[...login, '-n', '-f', insert, '-M', protocol, '-c', '4', '-t', '50', 'postgres'],
      ]);
    }
    const summary = await copyLab.finish();
    expectNothingLost(summary);
    await witness.expectSame();
    const content = "SELECT count(*), md5(string_agg(id || item, ',' ORDER BY id, item)) FROM orders";
    const expected = await online!.query(content);
    assert.match(expected, /^20600\|/);
    assert.equal(await target!.query(content), expected);
    await Promise.all([online!.stop(), target!.stop()]);
  });
});

test('MariaDB: after the greeting of the target, logins and statements arrive, and a refused login counts as delivered', async () => {
  const port = 3306;
  await CopyLab.with(samePort(port), async (copyLab) => {
    const [online, target] = await Mariadb.startTwins([copyLab.online, copyLab.target], port);
    await copyLab.start();
    const client = ['--no-defaults', '-h', copyLab.online.ipv4, '-P', String(port), 'shop', '-BN'];
    const witness = await StreamWitness.start(copyLab, port);
    for (let round = 0; round < 5; round += 1) {
      const values = Array.from({ length: 200 }, (_, row) => `(${round * 200 + row}, 'item ${row}')`).join(',');
      await copyLab.client.expect('mariadb', [
        ...client,
        ...['-uopen', '-e', `INSERT INTO orders VALUES ${values}; SELECT count(*) FROM orders; SELECT 1`],
      ]);
    }
    await copyLab.copy.quiet();
    await witness.expectSame();
    // The scramble that fits online's salt does not fit the target's.
    const refusedBefore = await target!.status('Access_denied_errors');
    await copyLab.client.expect('mariadb', [...client, '-uclosed', '-psecret', '-e', '']);
    const summary = await copyLab.finish();
    assert.equal(await target!.status('Access_denied_errors'), refusedBefore + 1);
    assert.equal(await online!.status('Access_denied_errors'), 0);
    expectNothingLost(summary);
    const content = 'SELECT COUNT(*), MD5(GROUP_CONCAT(id, item ORDER BY id)) FROM shop.orders';
    const expected = await online!.query(content);
    assert.match(expected, /^1000\t/);
    assert.equal(await target!.query(content), expected);
  });
});

for (const [delivery, family] of [
  ['tunnel', 6],
  ['direct', 4],
] as const) {
  test(`WebSocket, ${delivery}, IPv${family}: messages in both directions at once arrive byte for byte`, async () => {
    const port = 8090;
    await CopyLab.with(samePort(port, { delivery, family }), async (copyLab) => {
      const online = await copyLab.online.program('websocket-server', { port });
      const target = await copyLab.target.program('websocket-server', { port });
      await copyLab.start();
      const host = family === 6 ? `[${copyLab.online.ipv6}]` : copyLab.online.ipv4;
      const clients = await copyLab.client.program('websocket-client', {
        url: `ws://${host}:${port}/`,
        connections: 4,
        messages: 60,
      });
      assert.deepEqual(await clients.ask('run'), { sent: 240, echoed: 240 });
      const summary = await copyLab.finish();
      expectNothingLost(summary);
      assert.equal(await target.ask('messages'), 240);
      expectSameStreams(await streamsOf(online), await streamsOf(target));
    });
  });
}

test('HTTP/2 without TLS: multiplexed requests arrive byte for byte and are answered by the target', async () => {
  const port = 8443;
  await CopyLab.with(samePort(port), async (copyLab) => {
    const [online, target] = [await Nghttpd.start(copyLab.online, port), await Nghttpd.start(copyLab.target, port)];
    const witness = await StreamWitness.start(copyLab, port);
    await copyLab.start();
    const url = `http://${copyLab.online.ipv4}:${port}`;
    await copyLab.client.expect('h2load', ['-n', '300', '-c', '5', '-m', '10', `${url}/`, `${url}/large`]);
    const summary = await copyLab.finish();
    expectNothingLost(summary);
    await witness.expectSame();
    assert.equal(online.requests, 300);
    assert.equal(target.requests, 300);
  });
});
