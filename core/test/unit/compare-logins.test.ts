/** Answers of servers with other passwords, side by side: what a protocol module says itself is not compared, what clients ask is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Credential } from '../../src/protocol/credential.js';
import { MYSQL } from '../../src/protocol/mysql/mysql.js';
import { POSTGRESQL } from '../../src/protocol/postgresql/postgresql.js';
import type { Protocol } from '../../src/protocol/protocol.js';
import { REDIS } from '../../src/protocol/redis/redis.js';
import type { TargetBehaviour } from '../kit/bench-target.js';
import { COMPARE, ComparedClient } from '../kit/compare-rig.js';
import { DIGESTS } from '../kit/digests.js';
import { MysqlServer, type MysqlServerOptions, packet } from '../kit/mysql-server.js';
import { message, PostgresqlServer } from '../kit/postgresql-server.js';
import { Rig } from '../kit/rig.js';

type Server = NonNullable<TargetBehaviour['server']>;

const SHOP: Credential = { user: 'shop', targetUser: 'shop', password: 'target', database: '', collation: 0 };

/** One client, and two servers that answer it for themselves: online as the capture sees it, and the target. */
class Twins {
  readonly rig: Rig;
  readonly client: ComparedClient;
  readonly #online: Server;
  /** Of the online server. */
  readonly #connection = {} as Parameters<Server['greet']>[0];

  constructor(protocol: Protocol, online: Server, target: Server, isRunning = false) {
    const byPort = new Map([[80, { protocol, credentials: [SHOP] }]]);
    const protocols = { byPort, digests: DIGESTS, nonceKey: new Uint8Array(32) };
    this.rig = new Rig({ protocols, compare: COMPARE }, { server: target });
    this.client = new ComparedClient(this.rig, 40_000, undefined, isRunning);
    this.#online = online;
    const greeting = online.greet(this.#connection);
    if (greeting.length > 0 && !isRunning) this.client.answer(greeting);
  }

  /** The client asks, and online answers. */
  ask(request: Uint8Array | string): this {
    const text = Buffer.from(request as string);
    this.rig.capture(this.client.send(text));
    this.client.answer(this.#online.reply(this.#connection, text));
    return this;
  }

  /** What is not captured, of a connection that is older. */
  askBefore(request: Uint8Array | string): this {
    this.#online.reply(this.#connection, Buffer.from(request as string));
    return this;
  }

  loseTarget(): this {
    const { target } = this.rig;
    target.reset(target.connections[target.connections.length - 1]!);
    this.rig.settle();
    return this;
  }

  end(): this {
    this.client.end();
    this.rig.checkEnd();
    assert.equal(this.rig.engine.comparison!.answersInUse, 0);
    return this;
  }

  get sums(): Record<string, number> {
    const { equal, different, incomparable } = this.rig.engine.comparison!.report;
    const reasons = Object.fromEntries(Object.entries(incomparable).filter(([, count]) => count > 0));
    return { equal, different, ...reasons };
  }

  /** What differs: beginnings of online's answers, and of the target's. */
  get differences(): string[][] {
    return this.rig.engine
      .comparison!.report.takeDifferences()
      .map(({ online, targets }) => [online, targets[0]!].map(({ bytes }) => Buffer.from(bytes).toString('latin1')));
  }
}

describe('Redis', () => {
  const command = (...words: string[]): string =>
    `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

  /** Understands AUTH, and GET, to which it says the key, or `odd` for the key «odd». */
  const server = (password: string, odd = 'odd'): Server => ({
    greet: () => new Uint8Array(0),
    reply: (_, text) => {
      const words = Buffer.from(text).toString().split('\r\n');
      const [name, value = ''] = [words[2], words.at(-2)];
      if (name === 'AUTH') return Buffer.from(value === password ? `+OK ${password}\r\n` : '-WRONGPASS\r\n');
      return Buffer.from(`+${value === 'odd' ? odd : value}\r\n`);
    },
  });

  it('the login is not compared, and what follows it is, octet for octet', () => {
    const twins = new Twins(REDIS, server('online'), server('target', 'other'));
    twins
      .ask(command('AUTH', 'shop', 'online'))
      .ask(command('GET', 'one'))
      .ask(command('GET', 'odd'))
      .ask(command('GET', 'two'))
      .end();
    assert.deepEqual(twins.sums, { equal: 2, different: 1, ownAnswer: 1 });
    assert.deepEqual(twins.differences, [['+odd\r\n', '+other\r\n']]);
  });

  it('a target connection that is logged in by itself answers with what comes behind that', () => {
    const twins = new Twins(REDIS, server('online'), server('target', 'other'), true);
    twins.ask(command('GET', 'before')).ask(command('GET', 'one')).ask(command('GET', 'odd'));
    twins.loseTarget().ask(command('GET', 'two')).ask(command('GET', 'odd')).end();
    assert.deepEqual(twins.sums, { equal: 2, different: 2 });
    assert.deepEqual(twins.differences, [
      ['+odd\r\n', '+other\r\n'],
      ['+odd\r\n', '+other\r\n'],
    ]);
    assert.equal(twins.rig.target.connections.length, 2);
  });
});

describe('MySQL', () => {
  const LOGIN = Buffer.alloc(32);
  LOGIN.writeUInt32LE(0x00ffa285, 0);
  const login = packet(
    1,
    Buffer.concat([LOGIN, Buffer.from('shop\0\x14'), Buffer.alloc(20, 7), Buffer.from('mysql_native_password\0')]),
  );
  const command = (code: number, text: string): Uint8Array => packet(0, Buffer.from(String.fromCharCode(code) + text));
  const query = (text: string): Uint8Array => command(3, text);
  const prepare = (text: string): Uint8Array => command(22, text);
  const execute = (number: number): Uint8Array => command(23, `${String.fromCharCode(number)}\0\0\0rest`);
  const server = (options: Partial<MysqlServerOptions> = {}): MysqlServer =>
    new MysqlServer({ users: { shop: 'target' }, ...options });
  /** Lets everybody in: the client's proof is for nobody. */
  const online = (options: Partial<MysqlServerOptions> = {}): Server => {
    const real = server({ users: { shop: '' }, ...options });
    return {
      greet: (connection) => real.greet(connection),
      reply: (connection, text) => {
        if (text[3] !== 1) return real.reply(connection, text);
        const bare = Buffer.concat([LOGIN, Buffer.from('shop\0\0'), Buffer.from('mysql_native_password\0')]);
        return real.reply(connection, packet(1, bare));
      },
    };
  };

  it('login and switch of its method are not compared; statements with the same numbers are', () => {
    const twins = new Twins(MYSQL, online(), server({ method: 'caching_sha2_password', isCached: true }));
    twins.ask(login).ask(query('SELECT 1')).ask(prepare('SELECT ?')).ask(execute(1)).ask(prepare('WRONG')).end();
    assert.deepEqual(twins.sums, { equal: 4, different: 0, ownAnswer: 1 });
  });

  it('a statement that a target cannot prepare is a difference', () => {
    const real = server();
    const picky: Server = {
      greet: (connection) => real.greet(connection),
      reply: (connection, text) =>
        real.reply(connection, Buffer.from(Buffer.from(text).toString('latin1').replace('SELECT', 'WRONG '), 'latin1')),
    };
    const twins = new Twins(MYSQL, online(), picky);
    twins.ask(login).ask(prepare('SELECT ?')).end();
    assert.deepEqual(twins.sums, { equal: 0, different: 1, ownAnswer: 1 });
  });

  it('a statement with another number at the target: the answer that says it is not compared, and what it gives is', () => {
    const twins = new Twins(MYSQL, online(), server({ firstStatement: 5 }));
    twins.ask(login).ask(prepare('SELECT ?')).ask(execute(1)).end();
    assert.deepEqual(twins.sums, { equal: 1, different: 0, ownAnswer: 2 });
  });

  it('joined: how answers look depends on a login that was not seen, so none is compared', () => {
    const twins = new Twins(MYSQL, online(), server(), true);
    twins.askBefore(login).askBefore(prepare('SELECT old')).ask(query('before'));
    twins.ask(query('SELECT 1')).ask(prepare('SELECT ?')).ask(execute(2)).end();
    assert.deepEqual(twins.sums, { equal: 0, different: 0, ownAnswer: 3 });
  });
});

it('PostgreSQL: refused TLS, start and password are not compared; statements are', () => {
  const start = message('', Buffer.from('\0\x03\0\0user\0shop\0database\0orders\0\0', 'latin1'));
  const query = (text: string): Buffer => message('Q', `${text}\0`);
  const real = new PostgresqlServer({ users: { shop: 'online' }, method: 'password' });
  const online: Server = {
    greet: (connection) => real.greet(connection),
    reply: (connection, text) => (text.length === 8 ? Buffer.from('N') : real.reply(connection, text)),
  };
  const target = new PostgresqlServer({ users: { shop: 'target' }, method: 'scram-sha-256' });
  const twins = new Twins(POSTGRESQL, online, target);
  twins.ask(Buffer.from('0000000804d2162f', 'hex')).ask(start).ask(message('p', 'online\0'));
  twins.ask(query('SELECT 1'));
  twins.ask(Buffer.concat([message('P', 's\0SELECT 1\0\0\0'), message('B', '\0s\0\0\0\0\0\0\0'), message('S', '')]));
  twins.loseTarget().ask(query('SELECT 2')).end();
  assert.deepEqual(twins.sums, { equal: 3, different: 0, ownAnswer: 3 });
});
