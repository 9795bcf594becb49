/** The file of --credentials. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { UsageError } from '@trafficcopy/runtime';
import { engineProtocols } from '../../src/logins/engine-protocols.js';
import { loginConfig } from '../../src/logins/login-config.js';
import { readLoginFile } from '../../src/logins/login-file.js';
import { NODE_DIGESTS } from '../../src/logins/node-digests.js';
import { COPY_CONFIG } from '../kit/copy-surroundings.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'trafficcopy-logins-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function fileOf(text: string, mode = 0o600): string {
  const file = join(directory, 'logins.yaml');
  writeFileSync(file, text, { mode });
  return file;
}

function refuses(text: string, message: RegExp, mode?: number): void {
  const file = fileOf(text, mode);
  assert.throws(
    () => readLoginFile(file, new Set([3306, 80])),
    (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, message);
      assert.ok(!error.message.includes('hunter2'), 'no password is shown');
      return true;
    },
  );
  rmSync(file);
}

test('ports have protocols and users, the names of whom may be others at the target', () => {
  const file = fileOf(`
- protocol: mysql
  port: 3306
  users:
    - {name: shop, password: hunter2, database: orders, collation: 33}
    - {name: root, targetName: admin, password: "007"}
`);
  assert.deepEqual(readLoginFile(file, new Set([3306])), [
    {
      protocol: 'mysql',
      port: 3306,
      credentials: [
        { user: 'shop', targetUser: 'shop', password: 'hunter2', database: 'orders', collation: 33 },
        { user: 'root', targetUser: 'admin', password: '007', database: '', collation: 0 },
      ],
    },
  ]);
});

test('a file that others can read is refused with what to do', () => {
  const text = '- {protocol: mysql, port: 3306, users: [{name: a, password: hunter2}]}';
  refuses(text, /logins\.yaml holds secrets.*chmod 600/, 0o640);
  refuses(text, /holds secrets/, 0o604);
});

test('what is wrong is said with its place', () => {
  refuses('', /is empty: expected a list of ports/);
  refuses('- {protocol: mysql, port: 3306}', /:1: \[0\]: its users are missing/);
  refuses(
    '- {protocol: oracle, port: 3306, users: [{name: a}]}',
    /"oracle" does not fit: expected .*mysql.*postgresql.*redis/,
  );
  refuses('- {port: 3306, users: [{name: a}]}', /protocol is missing/);
  refuses('- {protocol: mysql, port: 70000, users: [{name: a}]}', /"70000" does not fit/);
  refuses(
    '- {protocol: mysql, port: 3306, users: [{name: a, pasword: hunter2}]}',
    /unknown key \(Did you mean password\?\)/,
  );
  refuses('- {protocol: mysql, port: 3306, users: [{name: a, collation: 300}]}', /"300" does not fit/);
  refuses('- {protocol: mysql, port: 3307, users: [{name: a}]}', /port 3307, which no -x\/--map copies: .*3306, 80/);
  const twice = '- {protocol: mysql, port: 80, users: [{name: a}]}\n';
  refuses(twice + twice, /port 80 twice/);
  refuses(': : :', /no YAML/);
  assert.throws(() => readLoginFile(join(directory, 'nowhere'), new Set()), /--credentials: cannot read .*ENOENT/);
});

test('a copy with logins asks for payload; one without does not', () => {
  assert.equal(loginConfig(COPY_CONFIG), COPY_CONFIG);
  const credentialsFile = fileOf('- {protocol: mysql, port: 80, users: [{name: a}]}');
  const { logins, responsePayloadBytes } = loginConfig({ ...COPY_CONFIG, credentialsFile });
  assert.equal(responsePayloadBytes, 2048);
  const connected = { ...COPY_CONFIG, credentialsFile, connect: true };
  assert.equal(loginConfig(connected).responsePayloadBytes, 16_384, 'a read may be many segments');
  assert.deepEqual([...(engineProtocols(logins)?.byPort.keys() ?? [])], [80]);
  assert.equal(engineProtocols([]), undefined);
});

test('the digests are those of their standards', () => {
  const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
  const abc = new TextEncoder().encode('abc');
  // RFC 3174 7.3, RFC 6234 8.5, RFC 1321 A.5, RFC 4231 4.3 (key "Jefe"), RFC 7914 11.
  assert.equal(hex(NODE_DIGESTS.sha1(abc)), 'a9993e364706816aba3e25717850c26c9cd0d89d');
  assert.match(hex(NODE_DIGESTS.sha256(abc)), /^ba7816bf8f01cfea.*f20015ad$/);
  assert.equal(hex(NODE_DIGESTS.md5(abc)), '900150983cd24fb0d6963f7d28e17f72');
  const question = new TextEncoder().encode('what do ya want for nothing?');
  assert.match(
    hex(NODE_DIGESTS.hmacSha256(new TextEncoder().encode('Jefe'), question)),
    /^5bdcc146bf60754e6a042426089575c7/,
  );
  const derived = NODE_DIGESTS.pbkdf2Sha256(new TextEncoder().encode('passwd'), new TextEncoder().encode('salt'), 1);
  assert.equal(hex(derived), '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc');
  assert.equal(NODE_DIGESTS.encryptOaepSha1('no key', abc), undefined);
});
