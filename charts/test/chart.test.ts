/** What the chart makes of values. Needs helm, no cluster. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { KUBE_VERBS, type KubeVerb, UNINSTALL_VERBS } from '@trafficcopy/operator/kube';
import { parse, parseAllDocuments } from 'yaml';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CHART = `${ROOT}charts/trafficcopy`;
const KUBE_VERSION = '1.34.0';
const OPERATOR = 'trafficcopy-operator';

// biome-ignore lint/suspicious/noExplicitAny: a manifest of any kind
type Manifest = any;

test('helm lint finds nothing', () => {
  execFileSync('helm', ['lint', '--strict', CHART], { stdio: 'pipe' });
});

test('with its defaults the chart makes these objects and no others', () => {
  const names = template().map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  assert.deepEqual(
    names.toSorted(),
    [
      'ClusterRole trafficcopy-admin',
      'ClusterRole trafficcopy-operator',
      'ClusterRole trafficcopy-uninstall',
      'ClusterRole trafficcopy-view',
      'ClusterRoleBinding trafficcopy-operator',
      'ClusterRoleBinding trafficcopy-uninstall',
      'CustomResourceDefinition trafficcopies.trafficcopy.dev',
      'DaemonSet trafficcopy-intercept',
      'Deployment trafficcopy-operator',
      'Job trafficcopy-uninstall',
      'NetworkPolicy trafficcopy-intercept',
      'NetworkPolicy trafficcopy-operator',
      'Pod trafficcopy-check',
      'PodDisruptionBudget trafficcopy-operator',
      'Role trafficcopy-operator',
      'RoleBinding trafficcopy-operator',
      'Service trafficcopy-operator',
      'Service trafficcopy-webhook',
      'ServiceAccount trafficcopy-intercept',
      'ServiceAccount trafficcopy-operator',
      'ServiceAccount trafficcopy-uninstall',
      'ValidatingAdmissionPolicy trafficcopy-credentials',
      'ValidatingAdmissionPolicyBinding trafficcopy-credentials',
    ].toSorted(),
  );
});

test('every object with a namespace is in that of the release', () => {
  const clusterKinds = [
    'ClusterRole',
    'ClusterRoleBinding',
    'CustomResourceDefinition',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
  ];
  for (const { kind, metadata } of template(
    '--set',
    'metrics.dashboard.enabled=true',
    '--set',
    'metrics.podMonitor.enabled=true',
  )) {
    assert.equal(metadata.namespace, clusterKinds.includes(kind) ? undefined : 'system', `${kind} ${metadata.name}`);
  }
});

test('the roles of the operator are just what it calls', () => {
  assert.deepEqual(grants(OPERATOR), rights(KUBE_VERBS));
});

test('Secrets that the operator may read are those of values, and none without a name', () => {
  const readable = (...flags: string[]): string[] =>
    template(...flags)
      .filter(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === OPERATOR)
      .flatMap(({ rules }) => rules)
      .filter(({ resources, verbs }: Manifest) => resources.includes('secrets') && verbs.includes('get'))
      .flatMap(({ resourceNames }: Manifest) => resourceNames ?? ['*']);
  assert.deepEqual(readable(), ['trafficcopy-logins']);
  assert.deepEqual(readable('--set', 'operator.credentialsSecrets={a,b}'), ['a', 'b']);
  assert.deepEqual(readable('--set', 'operator.credentialsSecrets=null'), []);
  assert.deepEqual(readable('--set-json', 'operator.credentialsSecrets=[]'), []);
});

test('a cluster that knows no admission policies gets none', () => {
  const kinds = template('--kube-version', '1.29.4').map(({ kind }) => kind);
  assert.equal(kinds.filter((kind) => kind.includes('AdmissionPolicy')).length, 0);
});

test('the hook that removes TrafficCopies may do just that', () => {
  assert.deepEqual(grants('trafficcopy-uninstall'), rights(UNINSTALL_VERBS));
});

test('intercept has no rights and no token of the API, and four capabilities', () => {
  const all = template();
  const bound = all.filter(({ subjects }) => subjects?.some(({ name }: Manifest) => name === 'trafficcopy-intercept'));
  assert.deepEqual(bound, []);
  const { spec } = named(all, 'DaemonSet', 'trafficcopy-intercept').spec.template;
  assert.equal(spec.automountServiceAccountToken, false);
  assert.equal(spec.hostNetwork, undefined);
  assert.equal(spec.hostPID, undefined);
  const { securityContext } = spec.containers[0];
  assert.equal(securityContext.privileged, false);
  assert.deepEqual(securityContext.capabilities, {
    drop: ['ALL'],
    add: ['SYS_ADMIN', 'SYS_PTRACE', 'NET_ADMIN', 'NET_RAW'],
  });
  const tokens = spec.volumes.flatMap(({ projected }: Manifest) => projected?.sources ?? []);
  assert.deepEqual(
    tokens.map(({ serviceAccountToken }: Manifest) => serviceAccountToken.audience),
    ['trafficcopy.dev'],
  );
});

test('every container but intercept runs without root, rights and writable files', () => {
  for (const manifest of template()) {
    const spec = manifest.kind === 'Pod' ? manifest.spec : manifest.spec?.template?.spec;
    for (const container of spec?.containers ?? []) {
      const { securityContext } = container;
      assert.equal(securityContext.readOnlyRootFilesystem, true);
      assert.equal(securityContext.allowPrivilegeEscalation, false);
      assert.equal(securityContext.seccompProfile.type, 'RuntimeDefault');
      if (container.name === 'intercept') continue;
      assert.equal(securityContext.runAsNonRoot, true, container.name);
      assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] });
    }
  }
});

test('an image is taken by its digest where there is one, then by its own tag, then by the common one', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const all = template(
    ...['--set', `operator.image.digest=${digest}`, '--set', 'intercept.image.tag=v2'],
    ...['--set', 'image.registry=registry.example/copies', '--set', 'image.tag=v1'],
  );
  const operator = named(all, 'Deployment', OPERATOR).spec.template.spec.containers[0];
  assert.equal(operator.image, `registry.example/copies/trafficcopy-operator@${digest}`);
  assert.ok(operator.args.includes('--copy-image=registry.example/copies/trafficcopy-copy:v1'));
  const intercept = named(all, 'DaemonSet', 'trafficcopy-intercept').spec.template.spec.containers[0];
  assert.equal(intercept.image, 'registry.example/copies/trafficcopy-intercept:v2');
});

test('one replica has no disruption budget, which would keep its node from being drained', () => {
  const all = template('--set', 'operator.replicas=1');
  assert.equal(
    all.some(({ kind }) => kind === 'PodDisruptionBudget'),
    false,
  );
});

test('parts that are switched off are not made', () => {
  const off = ['networkPolicy.enabled', 'rbac.aggregate', 'crds.install', 'uninstall.removeTrafficCopies'];
  const kinds = template(...off.flatMap((value) => ['--set', `${value}=false`])).map(({ kind }) => kind);
  for (const kind of ['NetworkPolicy', 'CustomResourceDefinition', 'Job']) assert.ok(!kinds.includes(kind), kind);
});

test('the resource definition is the one of crds/, and stays when the chart is removed', () => {
  const file = readFileSync(`${ROOT}crds/trafficcopy.dev_trafficcopies.yaml`, 'utf8');
  const copy = readFileSync(`${CHART}/files/trafficcopy.dev_trafficcopies.yaml`, 'utf8');
  assert.ok(isDeepStrictEqual(parse(copy), parse(file)), 'they differ: cp crds/*.yaml charts/trafficcopy/files/');
  const crd = named(template(), 'CustomResourceDefinition', 'trafficcopies.trafficcopy.dev');
  assert.equal(crd.metadata.annotations['helm.sh/resource-policy'], 'keep');
  assert.deepEqual(crd.spec, parse(file).spec);
});

const refused: readonly [string, RegExp][] = [
  ['replicas=3', /additional properties 'replicas' not allowed/],
  ['operator.replica=3', /additional properties 'replica' not allowed/],
  ['operator.replicas=0', /\/operator\/replicas/],
  ['operator.address=10.0.0.1', /\/operator\/address/],
  ['operator.logLevel=verbose', /\/operator\/logLevel/],
  ['image.pullPolicy=never', /\/image\/pullPolicy/],
  ['copy.image.digest=sha256:12', /\/copy\/image\/digest/],
  ['copy.image.repository=copy@sha256', /\/copy\/image\/repository/],
  ['copy.resources.limits.memory=much', /\/copy\/resources\/limits\/memory/],
  ['copy.resources.request.cpu=1', /additional properties 'request' not allowed/],
  ['intercept.statePath=state', /\/intercept\/statePath/],
  ['intercept.tolerations[0].effect=Never', /\/intercept\/tolerations\/0\/effect/],
  ['intercept.appArmorProfile=off', /\/intercept\/appArmorProfile/],
  ['intercept.updateStrategy.type=Recreate', /\/intercept\/updateStrategy\/type/],
  ['networkPolicy.metricsFrom.app=x', /additional properties 'app' not allowed/],
  ['metrics.podMonitor.interval=often', /\/metrics\/podMonitor\/interval/],
  ['uninstall.timeoutSeconds=1', /\/uninstall\/timeoutSeconds/],
];
for (const [value, message] of refused) {
  test(`the value ${value} is refused`, () => {
    const { status, stderr } = helmTemplate('--set', value);
    assert.notEqual(status, 0);
    assert.match(stderr, message);
  });
}

test('the schema knows every value, and every object of it is closed', () => {
  const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8'));
  const values = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'));
  assertKnown(values, schema, '');
  for (const at of objectsOf(schema, '')) assert.ok('additionalProperties' in at.schema || at.isFree, at.path);
});

test('the dashboard asks only for metrics that there are', () => {
  const sources = [
    ...['hub/hub-metrics.ts', 'traffic-copy/controller-metrics.ts'].map((file) => `operator/src/${file}`),
    'daemonset-intercept/src/metrics.ts',
  ].map((file) => readFileSync(`${ROOT}${file}`, 'utf8'));
  const dashboard = readFileSync(`${CHART}/files/dashboard.json`, 'utf8');
  const names = new Set(dashboard.match(/trafficcopy_[a-z_]+/g));
  assert.ok(names.size > 10);
  for (const name of names) {
    // Intercept's are written without their common prefix and suffix.
    const short = name.replace(/^trafficcopy_intercept_/, '').replace(/_(total|bucket)$/, '');
    assert.ok(
      sources.some((text) => text.includes(short)),
      name,
    );
  }
});

test('templates leave no line behind that helm did not fill in', () => {
  for (const file of readdirSync(`${CHART}/templates`)) assert.match(file, /\.(yaml|tpl|txt)$/);
  assert.doesNotMatch(helmTemplate().stdout, /<no value>|<nil>|%!/);
});

/** Everything that `helm template` makes, hooks too. */
function template(...args: string[]): Manifest[] {
  const { status, stdout, stderr } = helmTemplate(...args);
  assert.equal(status, 0, stderr);
  const documents = parseAllDocuments(stdout);
  assert.ok(!('empty' in documents));
  return documents.flatMap((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() ?? [];
  });
}

function helmTemplate(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const words = ['template', 'copies', CHART, '--namespace', 'system', '--kube-version', KUBE_VERSION, ...args];
  return spawnSync('helm', words, { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
}

function named(all: readonly Manifest[], kind: string, name: string): Manifest {
  const found = all.find((one) => one.kind === kind && one.metadata.name === name);
  assert.ok(found, `${kind} ${name}`);
  return found;
}

/** What the roles of one name allow, a line for each right. */
function grants(name: string): string[] {
  const roles = template().filter(({ kind, metadata }) => /^(Cluster)?Role$/.test(kind) && metadata.name === name);
  const lines = roles.flatMap(({ kind, rules }: Manifest) =>
    rules.flatMap(({ apiGroups, resources, verbs, resourceNames = ['*'], ...rest }: Manifest) => {
      assert.deepEqual(rest, {});
      const scope = kind === 'Role' ? 'own' : 'cluster';
      return product(apiGroups, resources, verbs, resourceNames).map((right) => `${scope} ${right}`);
    }),
  );
  assert.equal(new Set(lines).size, lines.length, 'a right is given twice');
  return lines.toSorted();
}

function rights(table: readonly KubeVerb[]): string[] {
  const lines = table.flatMap(({ scope, apiGroup, resource, verb, names = ['*'] }) =>
    product([apiGroup], [resource], [verb], names).map((right) => `${scope} ${right}`),
  );
  return [...new Set(lines)].toSorted();
}

function product(...parts: readonly (readonly string[])[]): string[] {
  return parts.reduce<string[]>((lines, part) => lines.flatMap((line) => part.map((word) => `${line}|${word}`)), ['']);
}

function assertKnown(value: Manifest, schema: Manifest, path: string): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || schema.properties === undefined) return;
  for (const [key, inner] of Object.entries(value)) {
    assert.ok(key in schema.properties, `${path}/${key}`);
    assertKnown(inner, schema.properties[key], `${path}/${key}`);
  }
}

/** All object schemas. Free ones hold what Kubernetes itself defines and checks. */
function objectsOf(schema: Manifest, path: string): { path: string; schema: Manifest; isFree: boolean }[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const isObject = [schema.type].flat().includes('object');
  const isFree = /(affinity|topologySpreadConstraints\/items|matchExpressions\/items|global)$/.test(path);
  return [
    ...(isObject ? [{ path, schema, isFree }] : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => objectsOf(inner, `${path}/${key}`)),
    ...(schema.items === undefined ? [] : objectsOf(schema.items, `${path}/items`)),
  ];
}
