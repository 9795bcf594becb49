import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Authority, CredentialStore, formatIdentity, parseIdentity, parseJoinToken } from '../../src/index.js';

async function fixture(t: TestContext): Promise<{ directory: string; authority: Authority }> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'trafficcopy-store-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const authority = await Authority.open({
    directory: path.join(directory, 'authority'),
    role: 'intercept',
    name: 'x',
  });
  return { directory, authority };
}

test('credentials come back as they were saved, from a file of 0600', async (t) => {
  const { directory, authority } = await fixture(t);
  const store = new CredentialStore(directory, 'fd00::1', 36524);
  assert.equal(await store.load(), undefined);
  const credentials = await authority.serverCredentials();
  await store.save(credentials);
  assert.deepEqual(await store.load(), credentials);
  assert.equal((await stat(store.file)).mode & 0o777, 0o600);
  assert.equal(await new CredentialStore(directory, 'fd00::1', 36525).load(), undefined);
  assert.equal(path.dirname(new CredentialStore(directory, '../../etc/x', 1).file), path.join(directory, 'copy'));
});

test('a damaged file is refused with its name, what is wrong, and what to do', async (t) => {
  const { directory, authority } = await fixture(t);
  const store = new CredentialStore(directory, 'target', 36524);
  const credentials = await authority.serverCredentials();
  await store.save(credentials);
  const whole = await readFile(store.file, 'utf8');
  const other = await authority.serverCredentials();
  for (const [text, problem] of [
    ['', /key or certificates are missing/],
    [whole.slice(0, -50), /key or certificates are missing/],
    [other.key + credentials.certificate + credentials.authority, /the key is not the certificate’s/],
    [credentials.key + credentials.certificate + other.certificate, /the authority did not issue/],
    [whole.replace(/(BEGIN CERTIFICATE-----\n.*\n.*\n)..../, '$1AAAA'), /./],
  ] as const) {
    await writeFile(store.file, text);
    await assert.rejects(store.load(), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_STATE_CREDENTIALS');
      assert.match(error.message, problem);
      assert.ok(error.message.includes(store.file));
      assert.match(error.message, /remove it and join again/);
      return true;
    });
  }
});

test('the key to join with survives an interruption, and goes when the certificate is there', async (t) => {
  const { directory, authority } = await fixture(t);
  const store = new CredentialStore(directory, 'target', 36524);
  const key = await store.pendingKey();
  assert.equal(await store.pendingKey(), key);
  await store.save(await authority.serverCredentials());
  assert.notEqual(await store.pendingKey(), key);
});

test('identities: what is written can be read, and nothing else', () => {
  for (const name of ['a', 'host-1.example_x', 'shop/6f0c', 'a/b/c/d']) {
    assert.deepEqual(parseIdentity(formatIdentity('copy', name)), { role: 'copy', name });
  }
  for (const uri of [
    'trafficcopy://copy/',
    'trafficcopy://root/a',
    'trafficcopy://copy/a b',
    'trafficcopy://copy/a/b/c/d/e',
    'trafficcopy://copy/a\nx',
    'spiffe://copy/a',
    `trafficcopy://copy/${'a'.repeat(64)}`,
  ]) {
    assert.equal(parseIdentity(uri), undefined, uri);
  }
});

test('tokens: only the whole form is read, and the message does not repeat it', () => {
  const secret = 's'.repeat(43);
  assert.deepEqual(parseJoinToken(` tc1.${secret}.${'p'.repeat(43)}\n`), { secret, pin: 'p'.repeat(43) });
  for (const text of ['', 'tc1', `tc1.${secret}`, `tc2.${secret}.${secret}`, `tc1.${secret}.${secret}x`]) {
    assert.throws(
      () => parseJoinToken(text),
      (error: Error & { code: string }) => error.code === 'ERR_CHANNEL_TOKEN' && !error.message.includes(secret),
    );
  }
});
