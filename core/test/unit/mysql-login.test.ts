/** MySQL and MariaDB sessions at a target with other salts, passwords and statement numbers than online. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Credential } from '../../src/protocol/credential.js';
import { MYSQL } from '../../src/protocol/mysql/mysql.js';
import { scrambleFor } from '../../src/protocol/mysql/scramble.js';
import { Client } from '../kit/client.js';
import { DIGESTS } from '../kit/digests.js';
import { MysqlServer, type MysqlServerOptions, packet } from '../kit/mysql-server.js';
import { Rig } from '../kit/rig.js';

const SHOP: Credential = {
  user: 'shop',
  targetUser: 'shop',
  password: 'of the target',
  database: 'orders',
  collation: 0,
};
const GREETING_BYTES = 81;
const ANSWER_BYTES = 11;

/** A login as the client sends it to online: proof of another password for another salt. */
function login(user = 'shop', { database = '', proof = Buffer.alloc(20, 0xee) } = {}): Uint8Array {
  const fixed = Buffer.alloc(32);
  fixed.writeUInt32LE(0x00ffa285 | (database === '' ? 0 : 8), 0);
  fixed.writeUInt32LE(1 << 24, 4);
  fixed[8] = 33;
  const attributes = Buffer.from('\x06\x02os\x02Li', 'latin1');
  const parts = [fixed, Buffer.from(`${user}\0`), Buffer.from([proof.length]), proof];
  if (database !== '') parts.push(Buffer.from(`${database}\0`));
  return packet(1, Buffer.concat([...parts, Buffer.from('mysql_native_password\0'), attributes]));
}

const command = (code: number, text: string | Buffer): Uint8Array =>
  packet(0, Buffer.concat([Buffer.from([code]), Buffer.from(text)]));
const query = (text: string): Uint8Array => command(3, text);
const prepare = (text: string): Uint8Array => command(22, text);
const numbered = (code: number, number: number, rest = 'rest'): Uint8Array => {
  const id = Buffer.alloc(4);
  id.writeUInt32LE(number);
  return command(code, Buffer.concat([id, Buffer.from(rest)]));
};
const execute = (number: number): Uint8Array => numbered(23, number);
const close = (number: number): Uint8Array => numbered(25, number, '');

class Bench {
  readonly server: MysqlServer;
  readonly rig: Rig;
  readonly client: Client;

  constructor(options: Partial<MysqlServerOptions> = {}, credentials: readonly Credential[] = [SHOP]) {
    this.server = new MysqlServer({ users: { shop: 'of the target' }, ...options });
    const byPort = new Map([[80, { protocol: MYSQL, credentials }]]);
    const protocols = { byPort, digests: DIGESTS, nonceKey: new Uint8Array(32) };
    this.rig = new Rig({ protocols }, { server: this.server });
    this.client = new Client();
  }

  get log(): readonly string[] {
    return this.server.log;
  }

  /** A connection whose login was seen: SYN, greeting heard, login. */
  open(text: Uint8Array = login()): this {
    const { rig, client } = this;
    rig.capture(client.syn(), client.acknowledge());
    client.hear(GREETING_BYTES);
    return this.say(text);
  }

  /** The client says something after it heard `heard` octets of online. */
  say(text: Uint8Array, heard = 0): this {
    this.client.hear(heard);
    this.rig.capture(this.client.send(text));
    this.rig.wait(50);
    return this;
  }

  /** What follows an answer of online. */
  next(text: Uint8Array): this {
    return this.say(text, ANSWER_BYTES);
  }

  /** A connection that ran before the capture, joined with `text`. */
  join(text: Uint8Array): this {
    this.say(query('SELECT before'));
    return this.next(text);
  }

  end(): this {
    this.next(command(1, ''));
    this.rig.capture(this.client.fin());
    this.rig.wait(1000);
    this.rig.checkEnd();
    return this;
  }
}

describe('proofs of a password', () => {
  const salt = Uint8Array.from(Buffer.from('0123456789abcdefghij'));

  it('mysql_native_password', () => {
    const proof = scrambleFor('mysql_native_password', DIGESTS, 'secret', salt);
    assert.equal(Buffer.from(proof!).toString('hex'), 'f5cac3f3b3df2133feb57db682c71e6ed433a988');
  });

  it('caching_sha2_password', () => {
    const proof = scrambleFor('caching_sha2_password', DIGESTS, 'secret', salt);
    assert.equal(
      Buffer.from(proof!).toString('hex'),
      '7e4adda2f2d5ef09b4147518becb0cee2939376203650a8c2bb2815959364bd0',
    );
  });

  it('an empty password has none, another method is not known', () => {
    assert.equal(scrambleFor('mysql_native_password', DIGESTS, '', salt)?.length, 0);
    assert.equal(scrambleFor('client_ed25519', DIGESTS, 'secret', salt), undefined);
  });
});

for (const [what, options] of [
  ['mysql_native_password', {}],
  ['caching_sha2_password with a proof that is remembered', { proposes: 'caching_sha2_password', isCached: true }],
  ['caching_sha2_password that wants the password under its key', { proposes: 'caching_sha2_password' }],
  ['a switch to mysql_native_password', { proposes: 'caching_sha2_password', method: 'mysql_native_password' }],
  ['a switch to caching_sha2_password', { method: 'caching_sha2_password', isCached: true }],
] as const satisfies readonly (readonly [string, Partial<MysqlServerOptions>])[]) {
  it(`a target with ${what} lets the client in and gets its statements`, () => {
    const bench = new Bench(options)
      .open(login('shop', { database: 'orders' }))
      .next(query('SELECT 1'))
      .next(query('SELECT 2'));
    assert.deepEqual(bench.log, ['database orders', 'login shop', 'query SELECT 1', 'query SELECT 2']);
    bench.end();
    assert.deepEqual(bench.rig.terminals(), { copied: 1 });
    assert.deepEqual(bench.rig.lost(), {});
    assert.equal(bench.rig.engine.counters.turnsDelivered, 4);
  });
}

it('what the client answers to another method of online is not sent to the target', () => {
  const bench = new Bench()
    .open()
    .say(packet(3, Buffer.alloc(20, 0xdd)), 44)
    .next(query('SELECT 1'));
  assert.deepEqual(bench.log, ['login shop', 'query SELECT 1']);
  bench.end();
  assert.equal(bench.rig.engine.counters.turnsDelivered, 4);
});

it('a login in single octets is the same', () => {
  const bench = new Bench();
  bench.rig.capture(bench.client.syn(), bench.client.acknowledge());
  bench.client.hear(GREETING_BYTES);
  for (const octet of login()) bench.rig.capture(bench.client.send(Uint8Array.of(octet)));
  bench.rig.wait(50);
  bench.next(query('SELECT 1'));
  assert.deepEqual(bench.log, ['login shop', 'query SELECT 1']);
});

it('a refused login ends nothing but is said, and no more is tried for a minute', () => {
  const bench = new Bench({ users: { shop: 'something else' } }).open().next(query('SELECT 1'));
  assert.deepEqual(bench.log, ['denied shop']);
  const problem = 'MySQL: login of user "shop" at the target: error 1045, Access denied for user \'shop\'';
  assert.deepEqual([...bench.rig.engine.loginProblems], [[problem, 1]]);
  assert.deepEqual(bench.rig.lost(), { loginRefused: 2 });
  bench.rig.wait(30_000);
  bench.next(query('SELECT 2'));
  assert.equal(bench.log.length, 1);
  bench.rig.wait(31_000);
  bench.next(query('SELECT 3'));
  assert.equal(bench.log.length, 2);
  bench.end();
  assert.deepEqual(bench.rig.terminals(), { loginRefused: 1 });
});

it('a user without credential is said by name; one without password needs none', () => {
  const bench = new Bench({ users: { guest: '' } }).open(login('stranger'));
  assert.deepEqual([...bench.rig.engine.loginProblems.keys()], ['MySQL: user "stranger" has no credential']);
  assert.deepEqual(bench.rig.lost(), { loginRefused: 1 });
  const guest = new Bench({ users: { guest: '' } })
    .open(login('guest', { proof: Buffer.alloc(0) }))
    .next(query('SELECT 1'));
  assert.deepEqual(guest.log, ['login guest', 'query SELECT 1']);
});

it('a request for TLS ends the session as encrypted', () => {
  const bench = new Bench();
  const request = Buffer.alloc(32);
  request.writeUInt32LE(0x00ffaa85, 0);
  bench.open(packet(1, request));
  assert.deepEqual(bench.rig.terminals(), { encrypted: 1 });
  assert.deepEqual([...bench.rig.engine.encryptedByPort], [[80, 1]]);
  assert.equal(bench.log.length, 0);
});

describe('prepared statements', () => {
  it('get the number that the target has for them', () => {
    const bench = new Bench({ firstStatement: 700 }).open();
    bench.next(prepare('INSERT a')).next(execute(1)).next(prepare('INSERT b')).next(execute(2)).next(execute(1));
    assert.deepEqual(bench.log.slice(1), [
      'prepare INSERT a',
      'execute INSERT a',
      'prepare INSERT b',
      'execute INSERT b',
      'execute INSERT a',
    ]);
    bench.next(Buffer.concat([close(1), query('SELECT 1')])).end();
    assert.deepEqual(bench.log.slice(6), ['close INSERT a', 'query SELECT 1', 'quit']);
    assert.deepEqual(bench.rig.lost(), {});
  });

  it('that SQL prepares count as well', () => {
    const bench = new Bench({ firstStatement: 700 }).open();
    bench.next(query("PREPARE s FROM 'SELECT 1'")).next(prepare('INSERT a')).next(execute(2));
    assert.equal(bench.log.at(-1), 'execute INSERT a');
  });

  it('of a joined connection are known from the first that is used right after it was prepared', () => {
    const bench = new Bench({ firstStatement: 700 }).join(query('SELECT 1'));
    assert.deepEqual(bench.log, ['database orders', 'login shop', 'query SELECT 1']);
    bench
      .next(prepare('INSERT a'))
      .next(execute(9))
      .next(prepare('INSERT b'))
      .next(prepare('INSERT c'))
      .next(execute(11))
      .next(execute(9));
    assert.deepEqual(bench.log.slice(3), [
      'prepare INSERT a',
      'execute INSERT a',
      'prepare INSERT b',
      'prepare INSERT c',
      'execute INSERT c',
      'execute INSERT a',
    ]);
    bench.end();
    assert.deepEqual(bench.rig.lost(), {});
  });

  it('of before the join are not executed: their turns are lost, and those behind them are not', () => {
    const bench = new Bench({ firstStatement: 3 }).join(execute(3));
    bench.next(query('SELECT 1')).next(prepare('DELETE a')).next(execute(3)).next(execute(4)).next(query('SELECT 2'));
    assert.deepEqual(bench.log.slice(2), ['query SELECT 1', 'prepare DELETE a', 'query SELECT 2']);
    assert.deepEqual(bench.rig.lost(), { stateUnknown: 3 });
    bench.end();
    assert.deepEqual(bench.rig.terminals(), { stateUnknown: 1 });
  });

  it('that the target cannot prepare are lost where they are executed', () => {
    const bench = new Bench().open().next(prepare('WRONG')).next(execute(1)).next(query('SELECT 1'));
    assert.deepEqual(bench.log, ['login shop', 'query SELECT 1']);
    assert.deepEqual(bench.rig.lost(), { stateUnknown: 1 });
  });

  it('that are large pass, and are executed', () => {
    const large = `INSERT ${'x'.repeat(50_000)}`;
    const bench = new Bench({ firstStatement: 5 }).open().next(prepare(large)).next(execute(1));
    assert.deepEqual(bench.log.slice(1), [`prepare ${large}`, `execute ${large}`]);
  });
});

it('a target that loses the connection is logged in to again, in the database of then, with the statements of then', () => {
  const bench = new Bench({ firstStatement: 50 }).open(login('shop', { database: 'orders' }));
  bench.next(prepare('INSERT a')).next(execute(1)).next(command(2, 'archive'));
  const { rig } = bench;
  rig.target.reset(rig.target.connections[0]!);
  rig.settle();
  bench.next(execute(1)).next(query('SELECT 1'));
  assert.deepEqual(bench.log.slice(5), [
    'database archive',
    'login shop',
    'prepare INSERT a',
    'execute INSERT a',
    'query SELECT 1',
  ]);
  bench.end();
  assert.deepEqual(rig.lost(), {});
  assert.equal(rig.engine.counters.sessionsResumed, 1);
});

it('a change of user proves the other user to the target', () => {
  const other: Credential = { ...SHOP, user: 'other', targetUser: 'another', password: 'p' };
  const bench = new Bench({}, [SHOP, other]).open();
  const request = Buffer.concat([
    Buffer.from('other\0'),
    Buffer.from([20]),
    Buffer.alloc(20, 1),
    Buffer.from('db\0'),
    Buffer.from([45, 0]),
  ]);
  bench.next(command(17, request));
  assert.equal(bench.log.at(-1), 'command 17');
  const sent = Buffer.from(bench.rig.target.connections[0]!.received);
  assert.ok(sent.includes('another\0'), 'the target hears its own name of the user');
  assert.ok(!sent.includes(Buffer.alloc(20, 1)), 'and no proof for online');
});

it('octets that were never captured cost the turn that they belong to', () => {
  const bench = new Bench().open().next(query('SELECT 1'));
  const { rig, client } = bench;
  client.hear(ANSWER_BYTES);
  client.send(query('SELECT lost'));
  client.hear(ANSWER_BYTES * 60);
  rig.capture(client.send(query('SELECT 2')));
  bench.next(query('SELECT 3'));
  rig.wait(12_000);
  bench.end();
  assert.deepEqual(
    bench.log.filter((line) => line.startsWith('query')),
    ['query SELECT 1', 'query SELECT 2', 'query SELECT 3'],
  );
  assert.deepEqual(rig.lost(), { captureGap: 1 });
});

it('a word of the target that never came to us, in the midst of a login, costs a fresh connection', () => {
  const bench = new Bench();
  const { rig, client } = bench;
  rig.capture(client.syn(), client.acknowledge());
  client.hear(GREETING_BYTES);
  // Its kernel has sent and dropped octets of which no record came.
  rig.target.connections[0]!.sndNxt += 5;
  bench.say(login()).next(query('SELECT 1'));
  assert.deepEqual(bench.log, ['login shop', 'login shop', 'query SELECT 1']);
  bench.end();
  assert.deepEqual(rig.lost(), {});
  assert.equal(rig.engine.counters.sessionsResumed, 1);
});
