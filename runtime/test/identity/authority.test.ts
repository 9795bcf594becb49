import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { CHANNEL_VERSION, type JoinRequest } from '@trafficcopy/core';
import { certificateRequest } from '../../src/identity/certificate-request.js';
import { identityOf } from '../../src/identity/peer-identity.js';
import { Authority, parseJoinToken, publicKeyPin, TOKENS_MAX } from '../../src/index.js';

const OPTIONS = { role: 'intercept', name: 'target 1/ä' } as const;

async function directoryOf(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'trafficcopy-authority-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

function newKey(namedCurve = 'P-256'): string {
  return generateKeyPairSync('ec', { namedCurve }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** Somebody with a new key asks to be let in with a token. */
async function join(
  authority: Authority,
  token: string,
  change: Partial<JoinRequest> = {},
): ReturnType<Authority['join']> {
  const { secret } = parseJoinToken(token);
  const request = { secret, certificateRequest: await certificateRequest(newKey()), ...change };
  return await authority.join({ version: CHANNEL_VERSION, role: 'copy', name: 'x', ...request });
}

test('the key is made at the first start, kept with 0600 in a 0700 directory, and is the same at the next', async (t) => {
  const directory = path.join(await directoryOf(t), 'deep', 'authority');
  const first = await Authority.open({ ...OPTIONS, directory });
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(path.join(directory, 'authority.pem'))).mode & 0o777, 0o600);
  const second = await Authority.open({ ...OPTIONS, directory });
  assert.equal(second.pin, first.pin);
  assert.deepEqual(await readdir(directory), ['authority.pem'], 'no drafts are left');
});

test('processes that start at one time in one directory share one authority', async (t) => {
  const directory = await directoryOf(t);
  const opened = await Promise.all(Array.from({ length: 4 }, () => Authority.open({ ...OPTIONS, directory })));
  assert.equal(new Set(opened.map((authority) => authority.pin)).size, 1);
});

test('the authority’s certificate is one of an authority, the server’s is not, and it names the role', async (t) => {
  const authority = await Authority.open({ ...OPTIONS, directory: await directoryOf(t) });
  const root = new X509Certificate(authority.certificate);
  const server = new X509Certificate((await authority.serverCredentials()).certificate);
  assert.ok(root.ca);
  assert.ok(root.verify(root.publicKey));
  assert.equal(publicKeyPin(root), authority.pin);
  assert.equal(server.ca, false);
  assert.ok(server.checkIssued(root) && server.verify(root.publicKey));
  assert.equal(server.subjectAltName, 'URI:trafficcopy://intercept/target-1--');
  assert.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'TLS server only');
  assert.ok(server.validFromDate.getTime() <= Date.now() - 9 * 60_000, 'a clock that is late may trust it');
  assert.notEqual(
    server.serialNumber,
    new X509Certificate((await authority.serverCredentials()).certificate).serialNumber,
  );
});

for (const [what, text, message] of [
  ['is empty', '', /holds no private key/],
  ['was cut off', undefined, /holds no certificate/],
  ['is noise', 'xxxx', /holds no private key/],
] as const) {
  test(`an authority file that ${what} is named, left alone, and the message says what to do`, async (t) => {
    const directory = await directoryOf(t);
    await Authority.open({ ...OPTIONS, directory });
    const file = path.join(directory, 'authority.pem');
    const whole = await readFile(file, 'utf8');
    const damaged = text ?? whole.slice(0, whole.length - 100);
    await writeFile(file, damaged);
    await assert.rejects(Authority.open({ ...OPTIONS, directory }), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_STATE_AUTHORITY');
      assert.match(error.message, message);
      assert.ok(error.message.includes(file));
      assert.match(error.message, /move it away to make a new authority/);
      return true;
    });
    assert.equal(await readFile(file, 'utf8'), damaged);
  });
}

test('a key that is not the certificate’s, and an authority that has ended, are refused', async (t) => {
  const directory = await directoryOf(t);
  await Authority.open({ ...OPTIONS, directory });
  const later = { ...OPTIONS, directory, now: () => Date.now() + 4000 * 86_400_000 };
  await assert.rejects(Authority.open(later), { code: 'ERR_STATE_AUTHORITY', message: /its certificate ended on/ });
  const file = path.join(directory, 'authority.pem');
  const text = await readFile(file, 'utf8');
  const certificate = text.slice(text.indexOf('-----BEGIN CERTIFICATE'));
  await writeFile(file, newKey() + certificate);
  await assert.rejects(Authority.open({ ...OPTIONS, directory }), { message: /the key is not the certificate’s/ });
});

test('a state directory that cannot be made is named with the reason and the flag', async (t) => {
  const directory = await directoryOf(t);
  await writeFile(path.join(directory, 'file'), '');
  await assert.rejects(Authority.open({ ...OPTIONS, directory: path.join(directory, 'file', 'authority') }), {
    code: 'ERR_STATE_DIRECTORY',
    message: /ENOTDIR.*--state/,
  });
});

test('a state directory below /proc, where the kernel makes none, is named too', async () => {
  for (const directory of ['/proc/trafficcopy', '/proc/trafficcopy/state']) {
    await assert.rejects(Authority.open({ ...OPTIONS, directory }), {
      code: 'ERR_STATE_DIRECTORY',
      message: /cannot make the state directory \/proc\/trafficcopy.*ENOENT.*--state/,
    });
  }
});

test('a state directory that belongs to others is refused by the system with EACCES and advice', async (t) => {
  const directory = await directoryOf(t);
  await chmod(directory, 0);
  // Root may read everything: for this one the test is nobody.
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    await assert.rejects(Authority.open({ ...OPTIONS, directory }), { message: /EACCES.*run as a user who may/ });
  } finally {
    if (isRoot) process.seteuid?.(0);
    await chmod(directory, 0o700);
  }
});

test('tokens are kept as hashes only', async (t) => {
  const directory = await directoryOf(t);
  const authority = await Authority.open({ ...OPTIONS, directory });
  const { secret, pin } = parseJoinToken(await authority.issueToken());
  assert.equal(pin, authority.pin);
  const tokens = path.join(directory, 'tokens');
  for (const entry of await readdir(tokens)) {
    assert.ok(!(await readFile(path.join(tokens, entry), 'utf8')).includes(secret) && !entry.includes(secret));
    assert.equal((await stat(path.join(tokens, entry))).mode & 0o777, 0o600);
  }
});

test('of two newcomers with one token at one time exactly one is let in', async (t) => {
  const authority = await Authority.open({ ...OPTIONS, directory: await directoryOf(t) });
  const { secret } = parseJoinToken(await authority.issueToken());
  const requests = await Promise.all([newKey(), newKey(), newKey()].map(certificateRequest));
  const answers = await Promise.all(
    requests.map((request) =>
      authority.join({ version: CHANNEL_VERSION, secret, role: 'copy', name: 'x', certificateRequest: request }),
    ),
  );
  assert.equal(answers.filter((answer) => 'certificate' in answer).length, 1);
  assert.equal(answers.filter((answer) => 'code' in answer && answer.code === 'tokenUsed').length, 2);
});

test('a reusable token lets any number in until it ends, and nothing is kept of them', async (t) => {
  const directory = await directoryOf(t);
  let nowMs = Date.now();
  const authority = await Authority.open({ ...OPTIONS, directory, now: () => nowMs });
  const token = await authority.issueToken({ isReusable: true, lifetimeMs: 60_000 });
  const grants = await Promise.all([1, 2, 3].map(() => join(authority, token)));
  const names = grants.map((grant) => {
    assert.ok('certificate' in grant);
    return new X509Certificate(grant.certificate).subjectAltName;
  });
  assert.equal(new Set(names).size, 3, 'each has a name of its own');
  assert.equal((await readdir(path.join(directory, 'tokens'))).length, 1);
  const refusal = await join(authority, token, { role: 'intercept' });
  assert.equal('code' in refusal && refusal.code, 'role');
  nowMs += 60_000;
  const late = await join(authority, token);
  assert.equal('code' in late && late.code, 'tokenExpired');
});

test('revoked tokens let nobody in, who has joined renews, and tokens that come later are good', async (t) => {
  const authority = await Authority.open({ ...OPTIONS, directory: await directoryOf(t) });
  const redeem = async (token: string) => {
    const answer = await join(authority, token);
    return 'code' in answer ? answer.code : new X509Certificate(answer.certificate);
  };
  assert.equal(await authority.revokeTokens(), 0);
  const reusable = await authority.issueToken({ isReusable: true });
  const once = await authority.issueToken();
  const used = await authority.issueToken();
  const joined = await redeem(used);
  assert.ok(joined instanceof X509Certificate);
  assert.equal(await authority.revokeTokens(), 2);
  assert.deepEqual(await Promise.all([reusable, once, used].map(redeem)), Array(3).fill('tokenUnknown'));
  const renewed = await authority.renew(identityOf(joined)!, await certificateRequest(newKey()));
  assert.ok('certificate' in renewed);
  assert.ok((await redeem(await authority.issueToken())) instanceof X509Certificate);
});

test('a request that is no request, of another kind of key, or not signed by its key is refused and spends no token', async (t) => {
  const authority = await Authority.open({ ...OPTIONS, directory: await directoryOf(t) });
  const token = await authority.issueToken();
  const good = await certificateRequest(newKey());
  const der = Buffer.from(good.replaceAll(/-----.*-----|\s/g, ''), 'base64');
  der[der.length - 1]! ^= 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  for (const bad of ['', 'xxx', forged, authority.certificate]) {
    const answer = await join(authority, token, { certificateRequest: bad });
    assert.ok('code' in answer);
    assert.equal(answer.code, 'certificateRequest');
  }
  assert.ok('certificate' in (await join(authority, token, { certificateRequest: good })));
});

test('a token may fix the name, and a wished name is made fit and unique', async (t) => {
  const authority = await Authority.open({ ...OPTIONS, directory: await directoryOf(t) });
  const nameOf = async (tokenName: string | undefined, wish: string): Promise<string> => {
    const grant = await join(authority, await authority.issueToken({ name: tokenName }), { name: wish });
    assert.ok('certificate' in grant);
    return new X509Certificate(grant.certificate).subjectAltName!;
  };
  assert.equal(await nameOf('shop/uid-1', 'other'), 'URI:trafficcopy://copy/shop/uid-1');
  assert.match(
    await nameOf(undefined, 'a, URI:trafficcopy://operator/x'),
    /^URI:trafficcopy:\/\/copy\/[A-Za-z0-9.-]+$/,
  );
  assert.notEqual(await nameOf(undefined, 'same'), await nameOf(undefined, 'same'));
});

test('tokens that have expired are removed, and beyond the limit the oldest goes', async (t) => {
  const directory = await directoryOf(t);
  let nowMs = Date.now();
  const authority = await Authority.open({ ...OPTIONS, directory, now: () => nowMs });
  const count = async (): Promise<number> => (await readdir(path.join(directory, 'tokens'))).length;
  const redeem = async (token: string): Promise<string> => {
    const answer = await join(authority, token);
    return 'code' in answer ? answer.code : 'granted';
  };
  const oldest = await authority.issueToken();
  nowMs += 1;
  const second = await authority.issueToken();
  for (let index = 2; index < TOKENS_MAX; index += 1) await authority.issueToken();
  assert.equal(await count(), TOKENS_MAX);
  await authority.issueToken();
  assert.equal(await count(), TOKENS_MAX);
  assert.equal(await redeem(oldest), 'tokenUnknown');
  assert.equal(await redeem(second), 'granted');
  nowMs += 48 * 3600 * 1000;
  await authority.issueToken();
  assert.equal(await count(), 1);
});
