/** PostgreSQL sessions at a target with other passwords and methods than online. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Credential } from '../../src/protocol/credential.js';
import { decodeBase64, encodeBase64 } from '../../src/protocol/postgresql/base64.js';
import { POSTGRESQL } from '../../src/protocol/postgresql/postgresql.js';
import { Scram } from '../../src/protocol/postgresql/scram.js';
import { DIGESTS } from '../kit/digests.js';
import { LoginBench } from '../kit/login-bench.js';
import { message, PostgresqlServer, type PostgresqlServerOptions } from '../kit/postgresql-server.js';

const SHOP: Credential = { user: 'shop', targetUser: 'shop2', password: 'pencil', database: 'orders', collation: 0 };

const start = (words: string): Buffer => message('', Buffer.concat([Buffer.from([0, 3, 0, 0]), Buffer.from(words)]));
const START = start('user\0shop\0database\0orders\0application_name\0psql\0\0');
const TLS_REQUEST = Buffer.from('0000000804d2162f', 'hex');
const query = (text: string): Buffer => message('Q', `${text}\0`);
const parse = (name: string): Buffer => message('P', `${name}\0SELECT 1\0\0\0`);
const bind = (name: string): Buffer => message('B', `\0${name}\0\0\0\0\0\0\0`);
const SYNC = message('S', '');
const PASSWORD = message('p', 'md5 of another salt\0');

function bench(options: Partial<PostgresqlServerOptions> = {}): {
  readonly server: PostgresqlServer;
  readonly login: LoginBench;
} {
  const server = new PostgresqlServer({ users: { shop2: 'pencil' }, method: 'scram-sha-256', ...options });
  return { server, login: new LoginBench(POSTGRESQL, [SHOP], server) };
}

describe('SCRAM-SHA-256', () => {
  it('is that of RFC 7677 3', () => {
    const scram = new Scram(DIGESTS, 'user', 'pencil', 'rOprNGfwEbeRWgbNEkqO');
    assert.equal(scram.clientFirst, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO');
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    assert.equal(
      scram.clientFinal(`r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`),
      `c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
    );
    assert.ok(scram.isServer('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='));
    assert.ok(!scram.isServer('v=AAriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='));
    assert.ok(!scram.isServer('e=other-error'));
  });

  for (const [what, first] of [
    ['a nonce of its own', 'r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    ['our nonce alone', 'r=ours,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
    ['a salt that is none', 'r=ours+more,s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096'],
    ['rounds for minutes', 'r=ours+more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=900000'],
    ['no rounds', 'r=ours+more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0'],
    ['an extension that must be known', 'm=x,r=ours+more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096'],
  ] as const) {
    it(`does not go on with a server that sends ${what}`, () => {
      assert.equal(new Scram(DIGESTS, '', 'pencil', 'ours').clientFinal(first), undefined);
    });
  }

  it('writes and reads Base64 as RFC 4648 10', () => {
    const pairs = {
      '': '',
      f: 'Zg==',
      fo: 'Zm8=',
      foo: 'Zm9v',
      foob: 'Zm9vYg==',
      fooba: 'Zm9vYmE=',
      foobar: 'Zm9vYmFy',
    };
    for (const [text, base64] of Object.entries(pairs)) {
      assert.equal(encodeBase64(Buffer.from(text)), base64);
      assert.deepEqual(Buffer.from(decodeBase64(base64)!).toString(), text);
    }
    assert.deepEqual(
      [decodeBase64('Zg='), decodeBase64('Z===x'), decodeBase64('Z!==')],
      [undefined, undefined, undefined],
    );
  });
});

for (const method of ['scram-sha-256', 'md5', 'password', 'trust'] as const) {
  it(`a target that asks by ${method} lets the client in and gets its queries`, () => {
    const { server, login } = bench({ method });
    login
      .open(START)
      .say(PASSWORD, 13)
      .say(query('SELECT 1'), 300)
      .say(query('SELECT 2'), 20)
      .say(message('X', ''), 20);
    const started = 'start user=shop2 database=orders application_name=psql';
    assert.deepEqual(server.log, [started, 'login shop2', 'query SELECT 1', 'query SELECT 2', 'end']);
    login.end();
    assert.deepEqual(login.rig.terminals(), { copied: 1 });
    assert.deepEqual(login.rig.lost(), {});
  });
}

it('a start without database means the one of the name that online knows', () => {
  const { server, login } = bench();
  login.open(start('user\0shop\0\0'));
  assert.equal(server.log[0], 'start user=shop2 database=shop');
});

it('a request for TLS that online declines is left out', () => {
  const { server, login } = bench();
  login.open(TLS_REQUEST).say(START, 1).say(query('SELECT 1'), 300);
  assert.deepEqual(server.log.slice(1), ['login shop2', 'query SELECT 1']);
  assert.deepEqual(login.rig.lost(), {});
});

it('one that online agrees to ends the session as encrypted', () => {
  const { server, login } = bench();
  login.open(TLS_REQUEST).say(Buffer.from('16030100f8010000f40303', 'hex'), 1);
  assert.deepEqual(server.log, []);
  assert.deepEqual(login.rig.terminals(), { encrypted: 1 });
});

it('a request to cancel, which names a session of online, is not sent', () => {
  const { server, login } = bench();
  login.open(Buffer.from('0000001004d2162e0000000700000008', 'hex')).end();
  assert.deepEqual(server.log, []);
  assert.equal(login.rig.target.connections[0]!.received.length, 0);
});

for (const [what, options, problem] of [
  ['has another password', { users: { shop2: 'x' } }, '28P01 password authentication failed for user "shop2"'],
  ['does not know the password itself', { isImpostor: true }, 'it does not know the password that it asks for'],
  ['asks by GSSAPI', { asksFor: 7 }, 'it wants a kind of login that is not supported (7)'],
] as const satisfies readonly (readonly [string, Partial<PostgresqlServerOptions>, string])[]) {
  it(`a target that ${what} lets nobody in, which is said`, () => {
    const { login } = bench(options);
    login.open(START).say(query('SELECT 1'), 300);
    assert.deepEqual(login.problems, [`PostgreSQL: login of user "shop2" at the target: ${problem}`]);
    assert.deepEqual(login.rig.lost(), { loginRefused: 2 });
  });
}

it('a user without credential is said by name', () => {
  const { login } = bench();
  login.open(start('user\0stranger\0\0'));
  assert.deepEqual(login.problems, ['PostgreSQL: user "stranger" has no credential']);
});

it('a joined session is logged in with the first user; statements that it had before are lost, later ones are not', () => {
  const { server, login } = bench();
  login.join(query('SELECT before'), query('SELECT 1'));
  assert.deepEqual(server.log, ['start user=shop2 database=orders', 'login shop2', 'query SELECT 1']);
  login.say(Buffer.concat([bind('old'), SYNC]), 20);
  login.say(Buffer.concat([parse('new'), SYNC]), 20).say(Buffer.concat([bind('new'), SYNC]), 20);
  assert.deepEqual(server.log.slice(3), ['parse new', 'bind new']);
  assert.deepEqual(login.rig.lost(), { stateUnknown: 1 });
  login.end();
});

it('a target that loses the connection is logged in to again, with the statements of then', () => {
  const { server, login } = bench();
  login
    .open(START)
    .say(PASSWORD, 13)
    .say(Buffer.concat([parse('s1'), parse('s2'), SYNC]), 300);
  login.say(Buffer.concat([message('C', 'Ss2\0'), SYNC]), 20);
  login
    .lose()
    .say(Buffer.concat([bind('s1'), SYNC]), 20)
    .say(query('SELECT 1'), 20);
  assert.deepEqual(server.log.slice(-4), ['login shop2', 'parse s1', 'bind s1', 'query SELECT 1']);
  assert.deepEqual(login.rig.lost(), {});
});

it('messages in single octets are the same', () => {
  const { server, login } = bench();
  login.open(START.subarray(0, 1));
  for (const octet of START.subarray(1)) login.rig.capture(login.client.send(Uint8Array.of(octet)));
  login.rig.wait(50);
  login.client.hear(300);
  for (const octet of query('SELECT 1')) login.rig.capture(login.client.send(Uint8Array.of(octet)));
  login.rig.wait(50);
  assert.deepEqual(server.log.slice(1), ['login shop2', 'query SELECT 1']);
});
