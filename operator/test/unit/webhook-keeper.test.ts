import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { KUBE_VERBS, KubeClient } from '../../src/kube/index.js';
import { Contributions } from '../../src/traffic-copy/contributions.js';
import { WEBHOOK_NAME, WebhookKeeper } from '../../src/traffic-copy/webhook-keeper.js';
import { FakeApiServer } from '../kit/fake-api-server.js';

const WEBHOOKS = 'admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';

let server: FakeApiServer;
let client: KubeClient;
let contributions: Contributions;
let keeper: WebhookKeeper;
let nowMs: number;

beforeEach(async () => {
  nowMs = 0;
  server = await new FakeApiServer().listen();
  client = new KubeClient({ connection: server.connection(), verbs: KUBE_VERBS });
  contributions = new Contributions();
  keeper = new WebhookKeeper(
    client,
    contributions,
    () => ({ webhooks: [] }),
    () => nowMs,
  );
});

afterEach(async () => {
  client.connection.close();
  await server.close();
});

function wish(): void {
  const webhook = { uid: 'uid-shadow', namespace: 'shop', name: 'shadow', selector: { matchLabels: { app: 'shop' } } };
  contributions.set('uid-shadow', { nodes: new Map(), webhook });
}

describe('the keeper of the webhook', () => {
  it('writes once while nothing changes', async () => {
    wish();
    await keeper.keep();
    nowMs = 59_000;
    await keeper.keep();
    assert.equal(server.writes.length, 1);
  });

  it('makes one again, within a minute, that somebody deleted', async () => {
    wish();
    const lookAgainMs = await keeper.keep();
    assert.ok(lookAgainMs !== undefined && lookAgainMs <= 60_000);
    server.remove(WEBHOOKS, undefined, WEBHOOK_NAME);
    nowMs = lookAgainMs;
    await keeper.keep();
    assert.notEqual(server.get(WEBHOOKS, undefined, WEBHOOK_NAME), undefined);
  });

  it('does not look again when there is to be none', async () => {
    assert.equal(await keeper.keep(), undefined);
    nowMs = 3_600_000;
    assert.equal(await keeper.keep(), undefined);
    assert.deepEqual(
      server.writes.map(({ method }) => method),
      ['DELETE'],
    );
  });
});
