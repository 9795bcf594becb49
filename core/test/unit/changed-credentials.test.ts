/** Credentials that change while sessions run (Engine.setProtocols). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ProtocolsConfig } from '../../src/engine-config.js';
import { REDIS } from '../../src/protocol/redis/redis.js';
import { DIGESTS } from '../kit/digests.js';
import { LoginBench } from '../kit/login-bench.js';

const PORT = 80;
const PING = '*1\r\n$4\r\nPING\r\n';

function credential(password: string) {
  return { user: 'default', targetUser: 'default', password, database: '', collation: 0 };
}

function protocols(password: string, port = PORT): ProtocolsConfig {
  const byPort = new Map([[port, { protocol: REDIS, credentials: [credential(password)] }]]);
  return { byPort, digests: DIGESTS, nonceKey: new Uint8Array(32) };
}

/** Lets everybody in, and notes the passwords that it hears. */
class OpenServer {
  readonly passwords: string[] = [];

  greet(): Uint8Array {
    return new Uint8Array(0);
  }

  reply(_connection: object, text: Uint8Array): Uint8Array {
    const words = Buffer.from(text).toString('latin1').split('\r\n');
    const at = words.indexOf('AUTH');
    if (at >= 0)
      this.passwords.push(
        words
          .filter((word) => !/^[*$]/.test(word))
          .filter(Boolean)
          .at(-1)!,
      );
    return Buffer.from('+OK\r\n');
  }
}

function bench(): { readonly server: OpenServer; readonly login: LoginBench } {
  const server = new OpenServer();
  return { server, login: new LoginBench(REDIS, [credential('first')], server) };
}

describe('credentials that change', () => {
  it('a session that is logged in says nothing new, and logs in with the new ones when the target has lost it', () => {
    const { server, login } = bench();
    login.join(PING, PING).say(PING, 5);
    assert.deepEqual(server.passwords, ['first']);
    login.rig.engine.setProtocols(protocols('second'));
    login.say(PING, 5);
    assert.deepEqual(server.passwords, ['first']);
    login.lose().say(PING, 5);
    assert.deepEqual(server.passwords, ['first', 'second']);
  });

  it('a session whose port has no credentials any more keeps those that it has', () => {
    const { server, login } = bench();
    login.join(PING, PING).say(PING, 5);
    login.rig.engine.setProtocols(undefined);
    login.rig.engine.setProtocols(protocols('second'));
    login.lose().say(PING, 5);
    assert.deepEqual(server.passwords, ['first', 'first']);
  });

  it('of two with one name the first counts, before and after', () => {
    const { server, login } = bench();
    login.join(PING, PING).say(PING, 5);
    const byPort = new Map([[PORT, { protocol: REDIS, credentials: [credential('second'), credential('never')] }]]);
    const twice = { ...protocols(''), byPort };
    for (let round = 0; round < 2; round += 1) login.rig.engine.setProtocols(twice);
    login.lose().say(PING, 5);
    assert.deepEqual(server.passwords, ['first', 'second']);
  });

  it('the caller’s list is not changed', () => {
    const { login } = bench();
    const mine = protocols('second');
    login.rig.engine.setProtocols(mine);
    login.rig.engine.setProtocols(protocols('third'));
    assert.equal(mine.byPort.get(PORT)?.credentials[0]?.password, 'second');
  });
});
