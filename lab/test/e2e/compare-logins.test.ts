/** --compare with --credentials: logins are not compared, what clients ask behind them is. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CopySummary, Postgresql } from '../../src/index.js';
import { CopyLab } from './kit/copy-lab.js';
import { replayAsNobody } from './kit/nobody.js';
import { otherMariadb, otherPostgresql } from './kit/other-logins.js';

interface Line {
  readonly kind: string;
  readonly request: string;
  readonly targets: readonly { readonly differs: readonly string[] }[];
}

function comparisonOf(summary: CopySummary): Record<string, unknown> {
  const { turns, equal, different, noise, incomparable } = (
    summary as unknown as { readonly comparison: Readonly<Record<string, unknown>> }
  ).comparison;
  return { turns, equal, different, noise, incomparable };
}

function differencesIn(file: string): Line[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Line).filter(({ kind }) => kind === 'difference');
}

test('MariaDB: of 20 clients, half of them joined and not compared, exactly the answers are named that a row of the target makes different', () =>
  CopyLab.with({ onlinePort: 3306, targetPort: 3306 }, async (copyLab) => {
    const { port, target, credentials } = await otherMariadb(copyLab);
    await target.query("INSERT INTO shop.client_13 VALUES (1000000, 'only here', 7)");
    const login = { host: copyLab.online.ipv4, port, user: 'closed', password: 'secret' };
    const clients = await copyLab.client.program('mysql-clients', login);
    assert.equal(await clients.ask('open', 10), 10);
    assert.equal(await clients.ask('ask'), 10);
    const logins = join(copyLab.online.directory, 'credentials.yaml');
    writeFileSync(logins, credentials, { mode: 0o600 });
    const differences = join(copyLab.online.directory, 'compare.jsonl');
    await copyLab.listenForLeaks();
    await copyLab.startIntercept();
    await copyLab.startCopy({ flags: ['--credentials', logins, `--compare=${differences}`] });
    assert.equal(await clients.ask('say'), 10);
    assert.equal(await clients.ask('open', 10), 20);
    assert.equal(await clients.ask('run', 50, 60_000), 1000);
    await clients.ask('close');
    const summary = await copyLab.finish();
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    const comparison = comparisonOf(summary);
    // Each client asks for 50 statements, prepares eight of them, and quits, which nothing answers.
    assert.deepEqual(comparison['incomparable'], { ownAnswer: 10 + 10 * (50 + 8 + 1), onlineSilent: 10 });
    assert.equal(comparison['noise'], 0);
    const sums = differencesIn(differences);
    assert.deepEqual(
      sums.map(({ request, targets }) => [request.slice(request.indexOf('SELECT')), targets[0]!.differs]),
      Array.from({ length: 5 }, () => ['SELECT COUNT(*), SUM(amount) FROM client_13', ['body']]),
    );
    assert.equal(comparison['different'], 5);
    assert.equal(comparison['equal'], 10 * (50 + 8) - 5);
  }));

test('PostgreSQL: a recording over ordinary connections, with three methods: exactly the answer that the target gives otherwise is named', () =>
  CopyLab.with({ onlinePort: 5432, targetPort: 5432 }, async (copyLab) => {
    const { port, online, target, credentials } = await otherPostgresql(copyLab);
    for (const [server, word] of [
      [online, 'same'],
      [target, 'other'],
    ] as const) {
      const rows = `INSERT INTO orders SELECT id, CASE id WHEN 7 THEN '${word}' ELSE 'item ' || id END FROM generate_series(1, 20) id`;
      await server.query(`${rows}; GRANT SELECT ON orders TO public`);
    }
    const script = join(copyLab.client.directory, 'select.sql');
    const selects = Array.from({ length: 20 }, (_, index) => `SELECT item FROM orders WHERE id = ${index + 1};`);
    writeFileSync(script, `${selects.join('\n')}\n`);
    const sniffer = await copyLab.online.sniff(`tcp port ${port}`, { isWhole: true });
    for (const [name, protocol] of [
      ['scram', 'simple'],
      ['md5', 'extended'],
      ['plain', 'prepared'],
    ] as const) {
      const words = ['-h', copyLab.online.ipv4, '-p', String(port), '-U', `${name}_user`];
      const load = ['-n', '-f', script, '-M', protocol, '-c', '1', '-t', '3', 'postgres'];
      await copyLab.client.expect(Postgresql.program('pgbench'), [...words, ...load], {
        env: { PGPASSWORD: 'of online' },
      });
    }
    await sniffer.stop();
    const differences = join(copyLab.online.directory, 'nobody', 'compare.jsonl');
    const flags = ['-a', 'max', `--compare=${differences}`];
    const summary = await replayAsNobody(copyLab, sniffer.file, { port, credentials, flags });
    assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
    const comparison = comparisonOf(summary);
    assert.equal(comparison['noise'], 0);
    assert.equal(comparison['different'], 9, JSON.stringify(comparison));
    for (const { targets } of differencesIn(differences)) assert.deepEqual(targets[0]!.differs, ['body']);
    assert.ok(Number(comparison['equal']) >= 9 * 19, JSON.stringify(comparison));
    const incomparable = comparison['incomparable'] as Readonly<Record<string, number>>;
    assert.deepEqual(Object.keys(incomparable).sort(), ['onlineSilent', 'ownAnswer']);
    await Promise.all([online.stop(), target.stop()]);
  }));
