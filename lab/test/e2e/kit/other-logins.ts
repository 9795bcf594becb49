/** Twins of a server of which the target has other passwords, with the file of --credentials that says so. */
import { Mariadb, Postgresql, Redis } from '../../../src/index.js';
import type { CopyLab } from './copy-lab.js';

export interface OtherLogins<Server> {
  readonly port: number;
  readonly online: Server;
  readonly target: Server;
  /** What the file of --credentials has. */
  readonly credentials: string;
}

/** User `closed` has «secret» at online; tables `client_0` to `client_49`. */
export async function otherMariadb(copyLab: CopyLab): Promise<OtherLogins<Mariadb>> {
  const port = 3306;
  const [online, target] = await Mariadb.startTwins([copyLab.online, copyLab.target], port);
  for (const server of [online!, target!]) {
    const tables = Array.from({ length: 50 }, (_, number) => {
      return `CREATE TABLE shop.client_${number} (id INT PRIMARY KEY, item TEXT, amount BIGINT)`;
    });
    await server.query(tables.join(';'));
  }
  await target!.query('ALTER USER closed IDENTIFIED BY "of the target"');
  const credentials = `- {protocol: mysql, port: ${port}, users: [{name: closed, password: of the target, database: shop}]}\n`;
  return { port, online: online!, target: target!, credentials };
}

/** Roles `scram_user`, `md5_user` and `plain_user` have «of online» at online, and are asked in another way at the target; a table `orders`. */
export async function otherPostgresql(copyLab: CopyLab): Promise<OtherLogins<Postgresql>> {
  const port = 5432;
  const [online, target] = await Postgresql.startTwins([copyLab.online, copyLab.target], port);
  for (const [server, password] of [
    [online!, 'of online'],
    [target!, 'of the target'],
  ] as const) {
    await server.query('CREATE TABLE orders (id int, item text); GRANT ALL ON orders TO public');
    for (const [role, stored] of Object.entries({ scram: 'scram-sha-256', md5: 'md5', plain: 'scram-sha-256' })) {
      await server.query(
        `SET password_encryption = '${stored}'; CREATE ROLE ${role}_user LOGIN PASSWORD '${password}'`,
      );
    }
  }
  await online!.requireLogins({ scram_user: 'md5', md5_user: 'password', plain_user: 'scram-sha-256' });
  await target!.requireLogins({ scram_user: 'scram-sha-256', md5_user: 'md5', plain_user: 'password' });
  const user = (name: string): string => `{name: ${name}_user, password: of the target, database: postgres}`;
  const users = ['scram', 'md5', 'plain'].map(user).join(', ');
  return {
    ...{ port, online: online!, target: target! },
    credentials: `- {protocol: postgresql, port: ${port}, users: [${users}]}\n`,
  };
}

/** The default user has «of-online» at online, user `shop` «shop-of-online». */
export async function otherRedis(copyLab: CopyLab): Promise<OtherLogins<Redis>> {
  const port = 6379;
  const [online, target] = [await Redis.start(copyLab.online, port), await Redis.start(copyLab.target, port)];
  for (const [server, password] of [
    [online, 'of-online'],
    [target, 'of-the-target'],
  ] as const) {
    await server.command('ACL', 'SETUSER', 'shop', 'on', `>shop-${password}`, '~*', '&*', '+@all');
    await server.requirePassword(password);
  }
  const credentials = `- protocol: redis
  port: ${port}
  users:
    - {name: default, password: of-the-target, database: 3}
    - {name: shop, password: shop-of-the-target}
`;
  return { port, online, target, credentials };
}
