import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { parse } from 'yaml';
import {
  Cluster,
  ClusterError,
  Installation,
  type KubeObject,
  ShopService,
  TestNamespace,
  TRAFFIC_COPY,
  TrafficCopyResource,
} from '../src/index.js';

let cluster: Cluster;
let namespace: TestNamespace;
let guarded: TestNamespace;

before(async () => {
  cluster = await Cluster.connect();
  await new Installation(cluster).ensure();
  namespace = await TestNamespace.create(cluster, 'bad-resources');
  guarded = await TestNamespace.create(cluster, 'bad-resources-guarded', {
    labels: { 'pod-security.kubernetes.io/enforce': 'baseline' },
  });
  const shop = (name: string, options = {}): ShopService => new ShopService(cluster, namespace.name, name, options);
  await Promise.all([
    shop('checkout').deploy(),
    shop('checkout-canary').deploy(),
    shop('opted-out', { podLabels: { 'trafficcopy.dev/inject': 'false' } }).deploy(),
    shop('on-node', { podSpec: { hostNetwork: true } }).deploy(),
    new ShopService(cluster, guarded.name, 'checkout').deploy(),
    new ShopService(cluster, guarded.name, 'checkout-canary').deploy(),
  ]);
});
after(async () => {
  await namespace?.remove();
  await guarded?.remove();
});

const SELECTOR = { matchLabels: { app: 'checkout' } };
const TARGET = { name: 'canary', selector: { matchLabels: { app: 'checkout-canary' } }, ports: [{ source: 8080 }] };
const OUTSIDE = {
  name: 'old',
  address: '10.16.12.11',
  intercept: '10.16.12.11:36524',
  interceptTokenSecret: { name: 'old' },
  ports: [{ source: 8080 }],
};

/** What is wrong, the parts of the spec that say it, and the sentence that the API server answers. */
const REFUSED: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  ['no source', { source: undefined }, /spec\.source: Required value/],
  [
    'an empty selector',
    { source: { selector: {} } },
    /an empty selector would select every pod: give at least one label/,
  ],
  ['no target', { targets: [] }, /spec\.targets.*at least 1/],
  ['a target that is the source', { targets: [{ ...TARGET, selector: SELECTOR }] }, /pods cannot be their own target/],
  ['two targets of one name', { targets: [TARGET, TARGET] }, /spec\.targets\[1\]: Duplicate value/],
  ['nine targets', { targets: Array.from({ length: 9 }, (_, i) => ({ ...TARGET, name: `t${i}` })) }, /at most 8/],
  [
    'a source port twice in one target',
    {
      targets: [
        {
          ...TARGET,
          ports: [
            { source: 80, target: 1 },
            { source: 80, target: 2 },
          ],
        },
      ],
    },
    /named twice in one target: to copy a port to two ports, add a second target/,
  ],
  ['port 0', { targets: [{ ...TARGET, ports: [{ source: 0 }] }] }, /greater than or equal to 1/],
  ['port 65536', { targets: [{ ...TARGET, ports: [{ source: 65536 }] }] }, /less than or equal to 65535/],
  ['selector and address', { targets: [{ ...OUTSIDE, selector: SELECTOR }] }, /either a selector .* or an address/],
  [
    'neither selector nor address',
    { targets: [{ name: 'a', ports: [{ source: 1 }] }] },
    /either a selector .* or an address/,
  ],
  [
    'an address without an intercept',
    { targets: [{ ...OUTSIDE, intercept: undefined }] },
    /address and intercept belong together/,
  ],
  [
    'an address without a token',
    { targets: [{ ...OUTSIDE, interceptTokenSecret: undefined }] },
    /an address outside the cluster needs interceptTokenSecret/,
  ],
  ['an address with a namespace', { targets: [{ ...OUTSIDE, namespace: 'x' }] }, /an address has no namespace/],
  ['Direct to pods', { delivery: 'Direct' }, /use Tunnel, or only targets with an address outside/],
  [
    'Direct from loopback',
    { delivery: 'Direct', capture: 'Loopback', targets: [OUTSIDE] },
    /cannot be used with spec\.capture Loopback/,
  ],
  ['101 percent', { sample: { percent: 101 } }, /less than or equal to 100/],
  ['percent and fraction', { sample: { percent: 1, fraction: { numerator: 1 } } }, /percent or fraction, not both/],
  [
    'more than every session',
    { sample: { fraction: { numerator: 3, denominator: 2 } } },
    /numerator must not be above denominator/,
  ],
  ['0 times', { multiply: 0 }, /greater than or equal to 1/],
  ['1001 times', { multiply: 1001 }, /less than or equal to 1000/],
  ['Range without addresses', { clientAddress: { mode: 'Range' } }, /mode Range needs cidrs/],
  ['Preserve with addresses', { clientAddress: { cidrs: ['10.0.0.0/8'] } }, /mode Preserve must have none/],
  ['a range that is none', { clientAddress: { mode: 'Range', cidrs: ['shop'] } }, /cidrs.*should match/],
  ['another capture', { capture: 'Magic' }, /supported values: "Auto", "Wire", "Loopback"/],
  ['a duration of nothing', { duration: '0s' }, /spec\.duration must be from 1s to 8760h/],
  [
    'an end before the start',
    { schedule: { start: '2030-01-02T00:00:00Z', end: '2030-01-01T00:00:00Z' } },
    /start must be before/,
  ],
  ['an empty schedule', { schedule: {} }, /needs start, end or both/],
  ['a ramp of nothing', { ramp: '0s' }, /spec\.ramp must be from 1s to 168h/],
  ['a ramp of more than a week', { ramp: '169h' }, /spec\.ramp must be from 1s to 168h/],
  ['too little CPU', { limits: { cpu: '9m' } }, /spec\.limits\.cpu must be from 10m to 64/],
  ['too many CPUs', { limits: { cpu: 65 } }, /spec\.limits\.cpu must be from 10m to 64/],
  ['a CPU limit that is none', { limits: { cpu: 'half' } }, /spec\.limits\.cpu.*should match/],
  [
    'less memory than the process needs',
    { limits: { processMemory: '64Mi' } },
    /processMemory must be from 128Mi to 64Gi/,
  ],
  ['too little memory', { limits: { memory: '1Ki' } }, /must be from 1Mi to 8Gi/],
  ['too little bandwidth', { limits: { bandwidth: 1 } }, /must be at least 1Ki/],
  [
    'a selector term without values',
    { source: { selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } },
    /In and NotIn need values/,
  ],
  ['a field that is not known', { percent: 5 }, /unknown field "spec\.percent"/],
];

function resource(spec: Record<string, unknown>): KubeObject {
  const metadata = { name: 'bad', namespace: namespace.name };
  return { ...TRAFFIC_COPY, metadata, spec: { source: { selector: SELECTOR }, targets: [TARGET], ...spec } };
}

/** As kubectl does: fields that are not known are refused. */
async function create(object: KubeObject): Promise<unknown> {
  const path = `/apis/trafficcopy.dev/v1alpha1/namespaces/${namespace.name}/trafficcopies`;
  return cluster.request('POST', `${path}?dryRun=All&fieldValidation=Strict`, object);
}

test('the resource that the bad ones are made from is accepted', async () => {
  await create(resource({}));
});

for (const [what, spec, sentence] of REFUSED) {
  test(`${what}: the API server refuses it and says what to change`, async () => {
    await assert.rejects(create(resource(spec)), (error) => {
      assert.ok(error instanceof ClusterError && [400, 422].includes(error.status), String(error));
      assert.match(error.message, sentence);
      return true;
    });
  });
}

const SAMPLES = new URL('../../../crds/samples/', import.meta.url);
for (const file of readdirSync(SAMPLES)) {
  test(`the sample ${file} is accepted as it stands`, async () => {
    const sample: KubeObject = parse(readFileSync(new URL(file, SAMPLES), 'utf8'));
    await create({ ...sample, metadata: { ...sample.metadata, namespace: namespace.name } });
  });
}

interface Flawed {
  readonly what: string;
  readonly spec: Record<string, unknown>;
  readonly condition: string;
  readonly reason: string;
  /** What the message tells to change, or to look at. */
  readonly words: RegExp;
  readonly isGuarded?: boolean;
}

/** What the API server cannot know: a condition says it. */
const FLAWED: readonly Flawed[] = [
  {
    ...{ what: 'a source selector that selects nothing', condition: 'SourcesInjected', reason: 'NoSourcePods' },
    spec: { source: { selector: { matchLabels: { app: 'nobody' } } } },
    words: /selects no running pod/,
  },
  {
    ...{ what: 'source pods that opted out', condition: 'SourcesInjected', reason: 'OptedOut' },
    spec: { source: { selector: { matchLabels: { app: 'opted-out' } } } },
    words: /trafficcopy\.dev\/inject=false/,
  },
  {
    ...{ what: 'source pods in the network of their node', condition: 'SourcesInjected', reason: 'HostNetwork' },
    spec: { source: { selector: { matchLabels: { app: 'on-node' } } } },
    words: /without hostNetwork/,
  },
  {
    ...{ what: 'a target that selects nothing', condition: 'TargetsReady', reason: 'NoTargetPods' },
    spec: { targets: [{ ...TARGET, selector: { matchLabels: { app: 'nobody' } } }] },
    words: /selects no running pod/,
  },
  {
    ...{ what: 'target pods in the network of their node', condition: 'TargetsReady', reason: 'HostNetwork' },
    spec: { targets: [{ ...TARGET, selector: { matchLabels: { app: 'on-node' } } }] },
    words: /without hostNetwork/,
  },
  {
    ...{ what: 'a target selector that selects source pods', condition: 'SourcesInjected', reason: 'SourceIsTarget' },
    spec: {
      targets: [{ ...TARGET, selector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['checkout'] }] } }],
    },
    words: /targets are not copied/,
  },
  {
    ...{ what: 'a namespace that does not exist', condition: 'TargetsReady', reason: 'NamespaceNotFound' },
    spec: { targets: [{ ...TARGET, namespace: 'e2e-nowhere' }] },
    words: /no namespace e2e-nowhere/,
  },
  {
    ...{ what: 'a namespace whose Pod Security forbids NET_RAW', condition: 'SourcesInjected', reason: 'PodSecurity' },
    spec: {},
    isGuarded: true,
    words: /pod-security\.kubernetes\.io\/enforce=privileged/,
  },
];

for (const { what, spec, condition, reason, words, isGuarded = false } of FLAWED) {
  test(`${what}: a condition says it, and what to change`, async () => {
    const place = isGuarded ? guarded : namespace;
    const copy = new TrafficCopyResource(cluster, place.name, 'flawed');
    await copy.apply({ source: { selector: SELECTOR }, targets: [TARGET], ...spec });
    try {
      const { message } = await copy.untilCondition(condition, 'False', 20_000, reason);
      assert.match(message, words);
      assert.equal((await copy.condition('Ready'))?.status, 'False');
    } finally {
      await copy.remove();
    }
  });
}

test('where Pod Security forbids copies, pods start all the same', async () => {
  const copy = new TrafficCopyResource(cluster, guarded.name, 'flawed');
  await copy.apply({ source: { selector: SELECTOR }, targets: [TARGET], injection: 'Sidecar' });
  await copy.untilCondition('SourcesInjected', 'False', 20_000, 'PodSecurity');
  const shop = new ShopService(cluster, guarded.name, 'checkout');
  await shop.restart();
  await shop.ready();
  await copy.remove();
});
