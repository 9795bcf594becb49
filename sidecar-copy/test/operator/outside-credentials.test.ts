import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Authority, ChannelServer } from '@trafficcopy/runtime';
import { OutsideCredentials } from '../../src/operator/outside-credentials.js';

const VARIABLE = 'TRAFFICCOPY_INTERCEPT_TOKEN_A';

/** An intercept outside the cluster, as far as joining goes. */
async function interceptOf(t: TestContext) {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'trafficcopy-outside-'));
  const authority = await Authority.open({ directory, role: 'intercept', name: 'outside' });
  const server = new ChannelServer({
    address: '127.0.0.1',
    port: 0,
    credentials: await authority.serverCredentials(),
    authority,
    hello: { role: 'intercept', name: 'outside', delivery: 'tunnel', capabilities: [], targets: [] },
    onConnection: () => {},
    onFrame: () => {},
    onClose: () => {},
  });
  await server.listen();
  t.after(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });
  return { authority, lane: { host: '127.0.0.1', port: server.port, tokenVariable: VARIABLE } };
}

test('lanes of one intercept join once, and later ones use what was got', async (t) => {
  const { authority, lane } = await interceptOf(t);
  // A second process with a one-time token would be refused: so would be a second join.
  const credentials = new OutsideCredentials({
    tokens: { [VARIABLE]: await authority.issueToken() },
    name: 'shop/pod-1',
  });
  const [one, other] = await Promise.all([credentials.get(lane), credentials.get(lane)]);
  assert.equal(one, other);
  assert.equal(await credentials.get(lane), one);
  assert.equal(one.authority, authority.certificate);
});

test('every process joins with a reusable token', async (t) => {
  const { authority, lane } = await interceptOf(t);
  const tokens = { [VARIABLE]: await authority.issueToken({ isReusable: true }) };
  const got = await Promise.all(
    ['pod-1', 'pod-2'].map((name) => new OutsideCredentials({ tokens, name: `shop/${name}` }).get(lane)),
  );
  assert.notEqual(got[0]!.certificate, got[1]!.certificate);
});

test('what was renewed is used from then on', async (t) => {
  const { authority, lane } = await interceptOf(t);
  const credentials = new OutsideCredentials({ tokens: { [VARIABLE]: await authority.issueToken() }, name: 'pod-1' });
  const first = await credentials.get(lane);
  const renewed = { ...first };
  credentials.keep(lane, renewed);
  assert.equal(await credentials.get(lane), renewed);
});

for (const [what, tokens, message] of [
  ['is missing', {}, /no token for the intercept 127\.0\.0\.1:9.*TRAFFICCOPY_INTERCEPT_TOKEN_A is empty/],
  ['cannot be read', { [VARIABLE]: 'password' }, /the join token cannot be read/],
] as const) {
  test(`a token that ${what} is told, and nobody is asked`, async () => {
    const credentials = new OutsideCredentials({ tokens, name: 'pod-1' });
    const lane = { host: '127.0.0.1', port: 9, tokenVariable: VARIABLE };
    await assert.rejects(credentials.get(lane), (error: Error & { code: string }) => {
      assert.equal(error.code, 'ERR_CHANNEL_TOKEN');
      assert.match(error.message, message);
      assert.ok(!error.message.includes('password'));
      return true;
    });
  });
}
