/** The webhook over real HTTPS: it lets every pod pass, and patches those that a TrafficCopy wants. */
import assert from 'node:assert/strict';
import { type RequestOptions, request } from 'node:https';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { createAuthority } from '@trafficcopy/runtime';
import { ClusterAuthority } from '../../src/identity/index.js';
import {
  type ReviewOutcome,
  type SidecarOrder,
  type WebhookEntry,
  WebhookServer,
  webhookConfiguration,
} from '../../src/injection/index.js';

const UID = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const HOST = 'trafficcopy-webhook.trafficcopy-system.svc';
const ORDER: SidecarOrder = {
  namespace: 'shop',
  selector: { matchLabels: { app: 'checkout' } },
  settings: {
    uid: UID,
    image: 'trafficcopy-copy:1',
    imagePullPolicy: 'IfNotPresent',
    operatorAddress: '10.96.0.7:36524',
    logLevel: 'info',
    resources: {},
  },
  except: [],
  refusal: undefined,
};
const POD = { metadata: { labels: { app: 'checkout' } }, spec: { containers: [{ name: 'app' }] } };

test('a selected pod is patched, in a dry run as well', async (t) => {
  const rig = await WebhookRig.start(t, () => ORDER);
  for (const dryRun of [false, true]) {
    const { response } = await rig.review({ dryRun });
    assert.equal(response.uid, 'review-1');
    assert.equal(response.allowed, true);
    assert.equal(response.patchType, 'JSONPatch');
    const patch: { path: string }[] = JSON.parse(Buffer.from(response.patch ?? '', 'base64').toString());
    assert.deepEqual(patch.map(({ path }) => path).sort(), ['/spec/initContainers', '/spec/volumes']);
  }
  assert.deepEqual(rig.outcomes, ['Patched', 'Patched']);
});

const passes: readonly [string, object, SidecarOrder | undefined, ReviewOutcome][] = [
  ['its TrafficCopy is gone', {}, undefined, 'NotWanted'],
  ['it is of another namespace', { namespace: 'staging' }, ORDER, 'NotSelected'],
  ['it is not selected', { object: { ...POD, metadata: { labels: { app: 'cart' } } } }, ORDER, 'NotSelected'],
  ['the namespace could refuse it', {}, { ...ORDER, refusal: 'ResourceQuota compute' }, 'NamespaceRefuses'],
  [
    'it uses the network of its node',
    { object: { ...POD, spec: { ...POD.spec, hostNetwork: true } } },
    ORDER,
    'HostNetwork',
  ],
  ['it is no pod', { object: { kind: 'ConfigMap' } }, ORDER, 'NotUnderstood'],
  ['it is not being created', { operation: 'UPDATE' }, ORDER, 'NotUnderstood'],
];
for (const [why, change, order, outcome] of passes) {
  test(`a pod passes as it is when ${why}`, async (t) => {
    const rig = await WebhookRig.start(t, () => order);
    const { response } = await rig.review(change);
    assert.deepEqual(response, { uid: 'review-1', allowed: true });
    assert.deepEqual(rig.outcomes, [outcome]);
  });
}

test('a pod passes when we have a fault of our own', async (t) => {
  const rig = await WebhookRig.start(t, () => {
    throw new Error('a fault');
  });
  assert.deepEqual((await rig.review({})).response, { uid: 'review-1', allowed: true });
});

test('what is no review is told so, and the server goes on', async (t) => {
  const rig = await WebhookRig.start(t, () => ORDER);
  const path = `/inject/${UID}`;
  assert.equal((await rig.ask({ path, method: 'POST' }, '{')).status, 400);
  assert.equal((await rig.ask({ path, method: 'POST' }, '{"apiVersion":"v2","request":null}')).status, 400);
  assert.equal((await rig.ask({ path, method: 'POST', headers: { 'content-length': '99999999' } }, '')).status, 413);
  assert.equal((await rig.ask({ path, method: 'GET' })).status, 404);
  assert.equal((await rig.ask({ path: '/', method: 'POST' }, '{}')).status, 404);
  assert.equal((await rig.ask({ path: '/healthz', method: 'GET' })).status, 200);
  assert.equal((await rig.review({})).response.allowed, true);
});

test('a renewed certificate is used from then on', async (t) => {
  const rig = await WebhookRig.start(t, () => ORDER);
  const before = await rig.ask({ path: '/healthz', method: 'GET' });
  rig.server.renew(await rig.authority.webServerCredentials([HOST]));
  const after = await rig.ask({ path: '/healthz', method: 'GET' });
  assert.notEqual(after.serial, before.serial);
});

const SERVICE = { namespace: 'trafficcopy-system', name: 'trafficcopy-webhook', authority: 'PEM' };

test('without a TrafficCopy that wants sidecars there is no configuration', () => {
  assert.equal(webhookConfiguration([], SERVICE), undefined);
});

test('each TrafficCopy has a webhook for just its pods, in one order', () => {
  const entries: WebhookEntry[] = [
    { uid: 'b', namespace: 'web', selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } },
    { uid: 'a', namespace: 'shop', selector: { matchLabels: { app: 'checkout' } } },
  ];
  const configuration = webhookConfiguration(entries, SERVICE);
  assert.deepEqual(configuration, webhookConfiguration(entries.toReversed(), SERVICE));
  assert.ok(configuration);
  const [first, second] = configuration.webhooks as { [key: string]: unknown }[];
  assert.ok(first && second);
  assert.equal(first['name'], 'a.inject.trafficcopy.dev');
  assert.deepEqual(first['namespaceSelector'], {
    matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shop'] }],
  });
  assert.deepEqual(first['objectSelector'], {
    matchLabels: { app: 'checkout' },
    matchExpressions: [{ key: 'trafficcopy.dev/inject', operator: 'NotIn', values: ['false'] }],
  });
  assert.equal((second['objectSelector'] as { matchExpressions: unknown[] }).matchExpressions.length, 2);
  for (const webhook of [first, second]) {
    const { failurePolicy, timeoutSeconds, sideEffects } = webhook;
    assert.deepEqual([failurePolicy, timeoutSeconds, sideEffects], ['Ignore', 2, 'None']);
  }
});

test('the namespace of the operator has no webhook, nor has an empty selector', () => {
  const own: WebhookEntry = { uid: 'a', namespace: 'trafficcopy-system', selector: { matchLabels: { app: 'x' } } };
  assert.equal(webhookConfiguration([own, { uid: 'b', namespace: 'shop', selector: {} }], SERVICE), undefined);
});

interface Review {
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly patchType?: string;
    readonly patch?: string;
  };
}

class WebhookRig {
  readonly server: WebhookServer;
  readonly authority: ClusterAuthority;
  readonly outcomes: ReviewOutcome[];

  private constructor(server: WebhookServer, authority: ClusterAuthority, outcomes: ReviewOutcome[]) {
    this.server = server;
    this.authority = authority;
    this.outcomes = outcomes;
  }

  static async start(t: TestContext, orderOf: (uid: string) => SidecarOrder | undefined): Promise<WebhookRig> {
    const authority = new ClusterAuthority(await createAuthority());
    const outcomes: ReviewOutcome[] = [];
    const server = new WebhookServer({
      port: 0,
      host: '127.0.0.1',
      credentials: await authority.webServerCredentials([HOST]),
      orderOf,
      onReview: (outcome) => outcomes.push(outcome),
    });
    await server.listen();
    t.after(() => server.close());
    return new WebhookRig(server, authority, outcomes);
  }

  /** What the API server asks about POD in namespace shop, but for `change`. */
  async review(change: object): Promise<Review> {
    const question = {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: { uid: 'review-1', operation: 'CREATE', namespace: 'shop', object: POD, ...change },
    };
    const { status, text } = await this.ask({ path: `/inject/${UID}`, method: 'POST' }, JSON.stringify(question));
    assert.equal(status, 200);
    return JSON.parse(text);
  }

  /** Asks as the API server does: by the name of the Service, checked against the authority. */
  ask(options: RequestOptions, body = ''): Promise<{ status: number; text: string; serial: string }> {
    const { authority, server } = this;
    const where = { host: '127.0.0.1', port: server.port, servername: HOST, ca: authority.certificate, agent: false };
    return new Promise((resolve, reject) => {
      const asked = request({ ...where, ...options }, (answer) => {
        const serial = (answer.socket as TLSSocket).getPeerCertificate().serialNumber;
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text, serial }));
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }
}
