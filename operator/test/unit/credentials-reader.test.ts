import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { KUBE_VERBS, KubeClient, type TrafficCopyRecord } from '../../src/kube/index.js';
import { CredentialsReader } from '../../src/traffic-copy/credentials-reader.js';
import { CREDENTIALS_MS, type CredentialsState } from '../../src/traffic-copy/credentials-state.js';
import { FakeApiServer } from '../kit/fake-api-server.js';
import { trafficCopy } from '../kit/observed.js';

const TEXT = '- {protocol: redis, port: 6379, users: [{password: "geheim"}]}';
const ALLOWED = { 'trafficcopy.dev/allow-use-by': 'other, shadow' };
const COPY = trafficCopy({ credentialsSecret: { name: 'trafficcopy-logins' } });

let server: FakeApiServer;
let client: KubeClient;
let reader: CredentialsReader;
let nowMs: number;

beforeEach(async () => {
  nowMs = 0;
  server = await new FakeApiServer().listen();
  client = new KubeClient({ connection: server.connection(), verbs: KUBE_VERBS });
  reader = new CredentialsReader(client, () => nowMs);
});
afterEach(async () => {
  client.connection.close();
  await server.close();
});

function putSecret(data: Record<string, string>, annotations: Record<string, string> = ALLOWED): void {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  const metadata = { name: 'trafficcopy-logins', namespace: 'shop', annotations };
  server.put('v1/secrets', { metadata, data: Object.fromEntries(encoded) });
}

/** Looks again, however often it did before. */
async function later(copy: TrafficCopyRecord = COPY): Promise<CredentialsState | undefined> {
  nowMs += CREDENTIALS_MS;
  return await reader.read(copy);
}

async function refusal(copy?: TrafficCopyRecord): Promise<string> {
  const state = await later(copy);
  assert.ok(state?.kind === 'refused', state?.kind);
  return `${state.problem.reason}: ${state.problem.message}`;
}

test('a TrafficCopy without credentials: no Secret is read', async () => {
  server.failure = { status: 500, message: 'nobody should ask' };
  assert.equal(await reader.read(trafficCopy()), undefined);
  assert.equal(await reader.read(trafficCopy({ credentialsSecret: { name: 'NONE' } })), undefined, 'an invalid spec');
});

test('the text of a Secret whose owner allows it, and of another key', async () => {
  putSecret({ 'logins.yaml': TEXT, other: '[]' });
  assert.deepEqual(await reader.read(COPY), { kind: 'known', text: TEXT });
  const other = trafficCopy({ credentialsSecret: { name: 'trafficcopy-logins', key: 'other' } });
  assert.deepEqual(await reader.read(other), { kind: 'known', text: '[]' }, 'a change of the spec is followed at once');
});

test('"*" allows every TrafficCopy', async () => {
  putSecret({ 'logins.yaml': TEXT }, { 'trafficcopy.dev/allow-use-by': '*' });
  assert.equal((await reader.read(COPY))?.kind, 'known');
});

test('a change of the Secret is seen after a while, and so is its end', async () => {
  putSecret({ 'logins.yaml': TEXT });
  await reader.read(COPY);
  putSecret({ 'logins.yaml': '[]' });
  nowMs += CREDENTIALS_MS - 1;
  assert.deepEqual(await reader.read(COPY), { kind: 'known', text: TEXT });
  assert.deepEqual(await later(), { kind: 'known', text: '[]' });
  putSecret({ 'logins.yaml': TEXT }, {});
  assert.match(await refusal(), /^CredentialsNoConsent/);
});

for (const [what, data, annotations, words] of [
  [
    'nobody may use',
    { 'logins.yaml': TEXT },
    {},
    /^CredentialsNoConsent: .*annotate secret trafficcopy-logins -n shop --overwrite trafficcopy.dev\/allow-use-by=shadow$/,
  ],
  [
    'others may use',
    { 'logins.yaml': TEXT },
    { 'trafficcopy.dev/allow-use-by': 'shadow-2,sha' },
    /^CredentialsNoConsent/,
  ],
  ['without the key', { 'logins.yml': TEXT }, ALLOWED, /^CredentialsMissing: .* has no key logins\.yaml$/],
  [
    'that is too large',
    { 'logins.yaml': 'x'.repeat(65_537) },
    ALLOWED,
    /^CredentialsTooLarge: .* more than 65536 characters$/,
  ],
] as const) {
  test(`a Secret ${what} is refused, and nothing of it is told`, async () => {
    putSecret(data, annotations);
    const text = await refusal();
    assert.match(text, words);
    assert.doesNotMatch(text, /geheim|logins\.yml/);
  });
}

test('a Secret that is not there, and one that the operator may not read: what to do', async () => {
  assert.match(await refusal(), /^CredentialsMissing: .*create secret generic trafficcopy-logins -n shop --from-file=/);
  server.failure = { status: 403, message: 'secrets is forbidden' };
  assert.match(
    await refusal(),
    /^CredentialsForbidden: .*operator\.credentialsSecrets .*--resource-name=trafficcopy-logins/,
  );
});

test('the API server is away: what was known stays; what was never known is unread', async () => {
  server.failure = { status: 503, message: 'away' };
  assert.deepEqual(await later(), { kind: 'unread' });
  server.failure = undefined;
  putSecret({ 'logins.yaml': TEXT });
  assert.equal((await later())?.kind, 'known');
  server.failure = { status: 503, message: 'away' };
  assert.deepEqual(await later(), { kind: 'known', text: TEXT });
  reader.forget(COPY.uid);
  assert.deepEqual(await later(), { kind: 'unread' });
});
