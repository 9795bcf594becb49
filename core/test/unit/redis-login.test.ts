/** Redis sessions at a target with other passwords than online. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Credential } from '../../src/protocol/credential.js';
import { REDIS } from '../../src/protocol/redis/redis.js';
import { LoginBench } from '../kit/login-bench.js';

const credential = (user: string, password: string, rest: Partial<Credential> = {}): Credential => ({
  ...{ user, targetUser: user, password, database: '', collation: 0 },
  ...rest,
});
const CREDENTIALS = [
  credential('default', 'target', { database: '3' }),
  credential('shop', 'pw', { targetUser: 'shop2' }),
];

/** A command as clients send it. */
function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/** Understands arrays and lines of words; a login has to be right before anything else. */
class RedisServer {
  readonly log: string[] = [];
  readonly #pending = new Map<object, string>();
  readonly #in = new Set<object>();

  greet(): Uint8Array {
    return new Uint8Array(0);
  }

  reply(connection: object, text: Uint8Array): Uint8Array {
    let rest = (this.#pending.get(connection) ?? '') + Buffer.from(text).toString('latin1');
    let answer = '';
    for (;;) {
      const [words, length] = take(rest);
      if (words === undefined) break;
      rest = rest.slice(length);
      answer += this.#answer(connection, words);
    }
    this.#pending.set(connection, rest);
    return Buffer.from(answer);
  }

  #answer(connection: object, words: readonly string[]): string {
    this.log.push(words.join(' '));
    const text = words.join(' ').toUpperCase();
    const isLogin = text.startsWith('AUTH') || text.includes(' AUTH ');
    if (isLogin && /AUTH (DEFAULT )?TARGET|AUTH SHOP2 PW/.test(text)) this.#in.add(connection);
    else if (isLogin) return '-WRONGPASS invalid username-password pair\r\n';
    if (!this.#in.has(connection)) return '-NOAUTH Authentication required.\r\n';
    return text.startsWith('HELLO') ? '%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n' : '+OK\r\n';
  }
}

function take(text: string): readonly [readonly string[] | undefined, number] {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) {
    const line = /^([^*].*?)\r?\n/.exec(text);
    return line === null ? [undefined, 0] : [line[1]!.split(' '), line[0].length];
  }
  const words: string[] = [];
  let at = head[0].length;
  for (let index = 0; index < Number(head[1]); index += 1) {
    const bulk = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (bulk === null) return [undefined, 0];
    const start = at + bulk[0].length;
    at = start + Number(bulk[1]) + 2;
    if (at > text.length) return [undefined, 0];
    words.push(text.slice(start, at - 2));
  }
  return [words, at];
}

function bench(credentials: readonly Credential[] = CREDENTIALS): {
  readonly server: RedisServer;
  readonly login: LoginBench;
} {
  const server = new RedisServer();
  return { server, login: new LoginBench(REDIS, credentials, server) };
}

describe('logins', () => {
  for (const [what, said, heard] of [
    ['AUTH with a password', command('AUTH', 'online'), 'AUTH target'],
    ['AUTH with a user', command('auth', 'shop', 'online'), 'AUTH shop2 pw'],
    ['AUTH in a line', 'AUTH online\r\n', 'AUTH target'],
    [
      'HELLO with AUTH',
      command('HELLO', '3', 'AUTH', 'shop', 'online', 'SETNAME', 'me'),
      'HELLO 3 AUTH shop2 pw SETNAME me',
    ],
    [
      'HELLO with AUTH of the default user',
      command('HELLO', '3', 'AUTH', 'default', 'online'),
      'HELLO 3 AUTH default target',
    ],
  ] as const) {
    it(`${what} gets the target's user and password`, () => {
      const { server, login } = bench();
      login
        .open(said)
        .say(command('SET', 'a', 'b'), 5)
        .say(command('GET', 'a'), 5);
      assert.deepEqual(server.log, [heard, 'SET a b', 'GET a']);
      login.end();
      assert.deepEqual(login.rig.terminals(), { copied: 1 });
      assert.deepEqual(login.rig.lost(), {});
    });
  }

  it('with what follows in one piece wait for the target first', () => {
    const { server, login } = bench();
    login.open(command('AUTH', 'online') + command('SELECT', '5') + command('INCR', 'n'));
    assert.deepEqual(server.log, ['AUTH target', 'SELECT 5', 'INCR n']);
  });

  it('that the target refuses are said, and nothing behind them is sent', () => {
    const { server, login } = bench([credential('default', 'wrong')]);
    login.open(command('AUTH', 'online') + command('SET', 'a', 'b')).say(command('GET', 'a'), 5);
    assert.deepEqual(server.log, ['AUTH wrong']);
    const problem = 'Redis: the target does not let "default" in: WRONGPASS invalid username-password pair';
    assert.deepEqual(login.problems, [problem]);
    assert.deepEqual(login.rig.lost(), { loginRefused: 2 });
  });

  it('of users that have no credential are said by name', () => {
    const { login } = bench([credential('shop', 'pw')]);
    login.open(command('AUTH', 'stranger', 'x'));
    assert.deepEqual(login.problems, ['Redis: user "stranger" has no credential']);
  });

  it('of a user without a name stand for all', () => {
    const { server, login } = bench([credential('', 'target')]);
    login.open(command('AUTH', 'anything')).say(command('PING'), 5);
    assert.deepEqual(server.log, ['AUTH target', 'PING']);
  });

  it('are left out where the target has no password', () => {
    const { login } = bench([credential('default', '')]);
    login.open(command('AUTH', 'online') + command('PING'));
    assert.equal(Buffer.from(login.rig.target.connections[0]!.received).toString(), command('PING'));
  });
});

describe('what is no login', () => {
  it('passes as it is: text that looks like one, binary, empty strings, lines', () => {
    const { login } = bench([credential('default', '')]);
    const text = [
      command('SET', 'AUTH', command('AUTH', 'x')),
      command('SET', '', '\r\n*2\r\n$4\r\nAUTH'),
      command('EVAL', 'return 1', '0'),
      '\r\nPING\r\n',
      command('HELLO', '3'),
      command('A'.repeat(40), 'b'.repeat(70_000)),
      '$$$ no RESP\r\n',
      command('QUIT'),
    ].join('');
    login.open(text.slice(0, 100));
    for (let at = 100; at < text.length; at += 9000) login.rig.capture(login.client.send(text.slice(at, at + 9000)));
    login.rig.wait(500);
    const sent = Buffer.from(login.rig.target.connections[0]!.received).toString();
    assert.ok(sent === text, `${sent.length} octets like ${JSON.stringify(sent.slice(0, 200))}`);
  });

  it('in single octets as well', () => {
    const { server, login } = bench();
    login.open('*');
    const text = command('AUTH', 'online') + command('SET', 'key', 'value') + command('GET', 'key');
    for (const octet of text.slice(1)) login.rig.capture(login.client.send(octet));
    login.rig.wait(50);
    assert.deepEqual(server.log, ['AUTH target', 'SET key value', 'GET key']);
  });
});

it('a joined connection is let in as the first user, in its database', () => {
  const { server, login } = bench();
  login.join(command('PING'), command('GET', 'a')).say(command('GET', 'b'), 5);
  assert.deepEqual(server.log, ['AUTH target', 'SELECT 3', 'GET a', 'GET b']);
  login.end();
  assert.deepEqual(login.rig.lost(), {});
});

it('a target that loses the connection is logged in to again, with protocol and database of then', () => {
  const { server, login } = bench();
  login
    .open(command('HELLO', '3', 'AUTH', 'shop', 'online'))
    .say(command('SELECT', '7'), 9)
    .say(command('GET', 'a'), 5);
  login.lose().say(command('GET', 'b'), 5);
  assert.deepEqual(server.log.slice(3), ['AUTH shop2 pw', 'HELLO 3', 'SELECT 7', 'GET b']);
  assert.deepEqual(login.rig.lost(), {});
});
