/**
 * MySQL clients that stay connected: --host --port --user --password --database. Each has a table of its own, `client_N`. Questions: open {count} -> connections;
 * ask -> a question of each that changes nothing; run {each} -> statements, so many of each client, prepared ones and others; each -> a
 * statement that nobody has to understand, of each client and once more prepared; close.
 */
import { type Connection, createConnection } from 'mysql2/promise';
import { ProgramControl } from './program-control.js';

const control = new ProgramControl(['host', 'port', 'user', 'password', 'database']);
const settings = {
  host: control.text('host', '127.0.0.1'),
  port: control.number('port', 3306),
  user: control.text('user', 'open'),
  password: control.text('password', ''),
  database: control.text('database', 'shop'),
};
const clients: Connection[] = [];

/** Statement number `index` of client `number`: of each ten, six are prepared ones. */
async function statement(client: Connection, number: number, index: number): Promise<void> {
  const table = `client_${number}`;
  const row = Math.floor(index / 10);
  switch (index % 10) {
    case 0:
    case 1:
    case 2:
      await client.execute(`INSERT INTO ${table} (id, item, amount) VALUES (?, ?, ?)`, [
        row * 3 + (index % 10),
        `item ${index} of client ${number} ${'x'.repeat(index % 300)}`,
        index,
      ]);
      return;
    case 3:
      await client.query(`UPDATE ${table} SET amount = amount + ${index} WHERE id <= ${row}`);
      return;
    case 4:
      await client.execute(`UPDATE ${table} SET amount = amount * 3 WHERE id = ?`, [row]);
      return;
    case 5:
      await client.execute(`SELECT item, amount FROM ${table} WHERE id < ?`, [row]);
      return;
    case 6:
      await client.query(`SELECT COUNT(*), SUM(amount) FROM ${table}`);
      return;
    case 7:
      // A statement of its own: prepared, executed once, closed.
      await client.execute(`DELETE FROM ${table} WHERE id = ? AND amount = ${index}`, [row]);
      client.unprepare(`DELETE FROM ${table} WHERE id = ? AND amount = ${index}`);
      return;
    case 8:
      await client.query(`REPLACE INTO ${table} (id, item, amount) VALUES (${100_000 + row}, 'replaced', ${index})`);
      return;
    default:
      await client.execute(`INSERT INTO ${table} (id, item, amount) VALUES (?, ?, ?)`, [200_000 + row, 'last', number]);
  }
}

control.on('open', async (count) => {
  const opened = await Promise.all(Array.from({ length: Number(count) }, () => createConnection(settings)));
  clients.push(...opened);
  return clients.length;
});
control.on('ask', async () => {
  // Prepared, so that numbers at online are ahead of those at a target that was joined later.
  await Promise.all(clients.map((client, number) => client.execute(`SELECT ${number} + ?`, [1])));
  return clients.length;
});
control.on('say', async () => {
  await Promise.all(clients.map((client) => client.query('SELECT 1')));
  return clients.length;
});
control.on('run', async (each) => {
  let statements = 0;
  await Promise.all(
    clients.map(async (client, number) => {
      for (let index = 0; index < Number(each); index += 1) {
        await statement(client, number, index);
        statements += 1;
      }
    }),
  );
  return statements;
});
control.on('each', async (statement) => {
  await Promise.all(clients.map((client, number) => client.query(`${statement} ${number}`)));
  await Promise.all(clients.map((client, number) => client.execute(`${statement} prepared by ${number}`)));
  return clients.length;
});
control.on('close', async () => {
  await Promise.all(clients.map((client) => client.end()));
  return clients.length;
});
control.ready();
