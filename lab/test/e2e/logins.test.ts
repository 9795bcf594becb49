/** Servers whose target has other users and passwords than online: logins are rewritten, and connections that ran before are logged in. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Mariadb } from '../../src/index.js';
import { CopyLab } from './kit/copy-lab.js';

/** Writes a file for --credentials beside the copy. */
function credentialsFile(copyLab: CopyLab, text: string): string {
  const file = join(copyLab.online.directory, 'credentials.yaml');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

for (const [delivery, statements, each] of [
  ['tunnel', '10,000', 200],
  ['direct', '1,000', 20],
] as const) {
  test(`MariaDB, ${delivery}: ${statements} statements of 50 clients, half of them joined while they ran, arrive at a target with another password`, async () => {
    const port = 3306;
    await CopyLab.with({ onlinePort: port, targetPort: port, delivery }, async (copyLab) => {
      const [online, target] = await Mariadb.startTwins([copyLab.online, copyLab.target], port);
      for (const server of [online!, target!]) {
        const tables = Array.from({ length: 50 }, (_, number) => {
          return `CREATE TABLE shop.client_${number} (id INT PRIMARY KEY, item TEXT, amount BIGINT)`;
        });
        await server.query(tables.join(';'));
      }
      await target!.query('ALTER USER closed IDENTIFIED BY "of the target"');
      const clients = await copyLab.client.program('mysql-clients', {
        host: copyLab.online.ipv4,
        port,
        user: 'closed',
        password: 'secret',
      });
      assert.equal(await clients.ask('open', 25), 25);
      assert.equal(await clients.ask('ask'), 25);
      const file = credentialsFile(
        copyLab,
        `- {protocol: mysql, port: ${port}, users: [{name: closed, password: of the target, database: shop}]}\n`,
      );
      await copyLab.listenForLeaks();
      await copyLab.startIntercept();
      await copyLab.startCopy({ flags: ['--credentials', file] });
      // What a running connection says first may be the middle of something: it is joined with what comes next.
      assert.equal(await clients.ask('say'), 25);
      assert.equal(await clients.ask('open', 25), 50);
      assert.equal(await clients.ask('run', each, 120_000), each * 50);
      await clients.ask('close');
      const summary = await copyLab.finish();
      assert.equal(summary.turns.lost, 0, JSON.stringify(summary.turns));
      assert.equal(summary.turns.beforeJoin, 25);
      assert.equal(await target!.status('Access_denied_errors'), 0);
      const expected = await online!.dump();
      assert.ok(expected.includes(`item ${each - 8} of client 49`), 'online has the last rows');
      assert.equal(await target!.dump(), expected);
    });
  });
}
