import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { expectCommand } from '@trafficcopy/lab';
import {
  CertificateAuthority,
  ChannelClient,
  type ChannelError,
  type ClientCredentials,
  createAuthority,
  join,
  MemoryCredentialStore,
} from '@trafficcopy/runtime';
import {
  imageOf,
  type KubeObject,
  PodTunnel,
  ShopService,
  Stage,
  SYSTEM_NAMESPACE,
  type TrafficCopyResource,
  until,
} from '../src/index.js';

const SECRET = { apiVersion: 'v1', kind: 'Secret' };
const CHANNEL_PORT = 36524;
const ACCOUNTS = ['trafficcopy-operator', 'trafficcopy-intercept', 'trafficcopy-uninstall'];
const DOCUMENT = fileURLToPath(new URL('../../../docs/kubernetes.md', import.meta.url));

let stage: Stage;
let basket: ShopService;
let copy: TrafficCopyResource;
let other: TrafficCopyResource;

before(async () => {
  stage = await Stage.set('security', { source: { replicas: 1 } });
  const { cluster, namespace } = stage;
  // Its pods have an API token, as pods have by default.
  basket = new ShopService(cluster, namespace.name, 'basket', { podSpec: { automountServiceAccountToken: true } });
  const basketCanary = new ShopService(cluster, namespace.name, 'basket-canary', { version: 2 });
  await Promise.all([basket.deploy(), basketCanary.deploy()]);
  copy = await stage.copy();
  other = await stage.copy(
    {
      source: { selector: { matchLabels: basket.labels } },
      targets: [{ name: 'canary', selector: { matchLabels: basketCanary.labels }, ports: [{ source: 8080 }] }],
    },
    'other',
  );
  await Promise.all([copy.untilCopying(1, 30_000), other.untilCopying(1, 30_000)]);
});
after(() => stage?.end());

async function readSecret(namespace: string, name: string): Promise<string[]> {
  const { data } = await stage.cluster.read(SECRET, namespace, name);
  return Object.values(data as Record<string, string>).map((each) => Buffer.from(each, 'base64').toString('utf8'));
}

async function first(service: ShopService): Promise<KubeObject> {
  const [pod] = await service.pods();
  assert.ok(pod, `${service.name} has no pod`);
  return pod;
}

/** JOIN to the operator that leads, from inside a pod. */
async function joinFrom(pod: KubeObject, token: string): Promise<void> {
  const leader = await stage.installation.leader();
  const tunnel = await PodTunnel.open(pod, 'application', leader['status'].podIP, CHANNEL_PORT);
  try {
    const store = new MemoryCredentialStore();
    await join({ host: '127.0.0.1', port: tunnel.port, token, name: 'thief', store, serverRoles: ['operator'] });
  } finally {
    tunnel.close();
  }
}

test('a stolen token is refused from a pod that another TrafficCopy selects, and from a target; another one is from everywhere', async () => {
  const [token = ''] = await readSecret(stage.namespace.name, `trafficcopy-token-${await copy.shortUid()}`);
  assert.match(token, /^tc1\./);
  await joinFrom(await first(stage.source), token);
  for (const service of [basket, stage.target]) {
    await assert.rejects(joinFrom(await first(service), token), (error: ChannelError) => {
      assert.equal(error.refusal, 'forbidden', error.message);
      assert.match(error.message, /the token is for the source pods of TrafficCopy e2e-security\/shadow/);
      return true;
    });
  }
  await assert.rejects(
    joinFrom(
      await first(stage.source),
      token.replace(/\.(.)/, (_, c) => (c === 'A' ? '.B' : '.A')),
    ),
    {
      code: 'ERR_CHANNEL_REFUSED',
    },
  );
});

async function authority(lifetimeMs?: number): Promise<CertificateAuthority> {
  const texts = await readSecret(SYSTEM_NAMESPACE, 'trafficcopy-authority');
  const key = texts.find((text) => text.includes('PRIVATE KEY')) ?? '';
  const certificate = texts.find((text) => text.includes('BEGIN CERTIFICATE')) ?? '';
  return new CertificateAuthority(
    { key, certificate },
    lifetimeMs === undefined ? {} : { certificateLifetimeMs: lifetimeMs },
  );
}

/** A certificate in the name of a copy of the TrafficCopy, as only the operator could make it. */
async function certificateOf(resource: TrafficCopyResource, from: CertificateAuthority): Promise<ClientCredentials> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { uid } = (await resource.read()).metadata;
  const name = `${resource.namespace}/${uid}/00000000-0000-4000-8000-000000000000`;
  const holder = { role: 'copy', name, usages: ['client'] } as const;
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    certificate: await from.issue(publicKey.export({ type: 'spki', format: 'der' }), holder),
    authority: (await authority()).certificate,
  };
}

/** What the intercept of the target's node answers to somebody who wants to inject into the target: 'let in', or the error. */
async function knock(credentials: ClientCredentials | 'insecure'): Promise<'let in' | ChannelError> {
  const target = await first(stage.target);
  const intercepts = await stage.installation.pods('intercept');
  const intercept = intercepts.find((pod) => pod['spec'].nodeName === target['spec'].nodeName);
  assert.ok(intercept);
  const tunnel = await PodTunnel.open(await first(basket), 'application', intercept['status'].podIP, CHANNEL_PORT);
  let client: ChannelClient | undefined;
  try {
    return await new Promise((resolve) => {
      client = new ChannelClient({
        ...{ host: '127.0.0.1', port: tunnel.port, credentials, renew: false },
        hello: {
          ...{ role: 'copy', name: 'thief', delivery: 'tunnel', capabilities: [] },
          targets: [{ address: target['status'].podIP, port: 8080 }],
        },
        onUp: () => resolve('let in'),
        onFrame: () => {},
        onDown: (reason) => resolve(reason),
      });
      client.start();
    });
  } finally {
    await client?.close();
    tunnel.close();
  }
}

test('the certificate of a copy of the TrafficCopy that names the target is let in: those below are refused for their own reasons', async () => {
  assert.equal(await knock(await certificateOf(copy, await authority())), 'let in');
});

test('the certificate of another TrafficCopy cannot inject into pods that its resource does not name', async () => {
  const answer = await knock(await certificateOf(other, await authority()));
  assert.ok(answer !== 'let in');
  assert.equal(answer.code, 'ERR_CHANNEL_REFUSED', answer.message);
});

test('expired, foreign and missing certificates are refused', async () => {
  const expired = await certificateOf(copy, await authority(-60_000));
  const foreign = await certificateOf(copy, new CertificateAuthority(await createAuthority()));
  for (const [what, credentials] of Object.entries({ expired, foreign, missing: 'insecure' as const })) {
    const answer = await knock(credentials);
    assert.ok(answer !== 'let in', `${what}: let in`);
  }
});

interface Container {
  readonly name: string;
  readonly securityContext: Record<string, unknown>;
}

test('a copy has NET_RAW and nothing else, a read-only root, and no API token, in old and new pods', async () => {
  await basket.restart();
  await basket.ready();
  await other.untilCopying(1, 30_000);
  for (const service of [stage.source, basket]) {
    const pod = await first(service);
    const { ephemeralContainers = [], initContainers = [] } = pod['spec'];
    const containers: Container[] = [...ephemeralContainers, ...initContainers];
    assert.equal(containers.length, 1, service.name);
    const { securityContext } = containers[0]!;
    assert.deepEqual(securityContext['capabilities'], { add: ['NET_RAW'], drop: ['ALL'] });
    assert.equal(securityContext['readOnlyRootFilesystem'], true);
    assert.equal(securityContext['allowPrivilegeEscalation'], false);
    assert.deepEqual(securityContext['seccompProfile'], { type: 'RuntimeDefault' });

    const pids = await stage.inspector.processes(pod, 'copy --operator');
    const script = `cat /proc/${pids.at(-1)}/root/var/run/secrets/kubernetes.io/serviceaccount/token 2>/dev/null | wc -c`;
    assert.equal((await stage.inspector.onNode(pod['spec'].nodeName, script)).trim(), '0', 'it has an API token');
    const status = await stage.inspector.onNode(
      pod['spec'].nodeName,
      `grep -E 'Cap(Eff|Bnd)' /proc/${pids.at(-1)}/status`,
    );
    assert.match(status, /CapEff:\s+0000000000002000\nCapBnd:\s+0000000000002000/);
  }
});

/** A shop with a Redis beside it that wants this password. */
function shopWithRedis(name: string, password: string): ShopService {
  const command = ['node', '/app/e2e/redis-server.js', password];
  const redis = { name: 'redis', image: imageOf('trafficcopy-e2e'), imagePullPolicy: 'IfNotPresent', command };
  return new ShopService(stage.cluster, stage.namespace.name, name, { containers: [redis] });
}

function kubectl(...words: readonly string[]): Promise<string> {
  return expectCommand('kubectl', ['-n', stage.namespace.name, ...words]);
}

/** From inside a pod. */
async function askRedis(
  from: ShopService,
  host: string,
  password: string,
  ...words: readonly string[]
): Promise<string> {
  const { name } = (await first(from)).metadata;
  const client = ['node', '/app/e2e/redis-client.js', host, password, ...words];
  return (await kubectl('exec', name, '-c', 'application', '--', ...client)).trim();
}

test('credentials come from a Secret that its owner allows, reach the target, and are nowhere to be seen', async () => {
  const online = await shopWithRedis('till', 'of-online').deploy();
  const target = await shopWithRedis('till-canary', 'hunter2').deploy();
  const ports = [{ source: 6379 }];
  const spec = {
    source: { selector: { matchLabels: online.labels } },
    targets: [{ name: 'canary', selector: { matchLabels: target.labels }, ports }],
    credentialsSecret: { name: 'trafficcopy-logins' },
  };
  const till = await stage.copy(spec, 'till');
  await till.untilCondition('Copying', 'False', 30_000, 'CredentialsMissing');
  const logins = '[{protocol: redis, port: 6379, users: [{name: default, password: hunter2}]}]';
  await kubectl('create', 'secret', 'generic', 'trafficcopy-logins', `--from-literal=logins.yaml=${logins}`);
  const { message } = await till.untilCondition('Copying', 'False', 30_000, 'CredentialsNoConsent');
  assert.equal((await first(target))['spec'].containers.length, 2);
  const advice = /kubectl (annotate .*)$/.exec(message)?.[1] ?? assert.fail(message);
  await expectCommand('kubectl', advice.split(' '));
  await till.untilCopying(1, 60_000);

  const { podIP } = (await first(online))['status'];
  assert.equal(await askRedis(basket, podIP, 'of-online', 'SET', 'bread', 'sold'), '+OK');
  await until('the target was let in and has it', 30_000, async () => {
    return (await askRedis(target, '127.0.0.1', 'hunter2', 'GET', 'bread')) === 'sold';
  });

  const pod = await first(online);
  const [container] = pod['spec'].ephemeralContainers;
  const seen = await Promise.all([
    kubectl('get', 'tcopy,events', '-o', 'yaml'),
    kubectl('get', 'pod', pod.metadata.name, '-o', 'yaml'),
    kubectl('logs', pod.metadata.name, '-c', container.name),
    expectCommand('kubectl', [
      '-n',
      SYSTEM_NAMESPACE,
      'logs',
      '-l',
      'app.kubernetes.io/component=operator',
      '--tail=-1',
    ]),
  ]);
  for (const text of seen) {
    assert.ok(text.length > 100, 'there is something to look at');
    assert.doesNotMatch(text, /hunter2/);
  }

  const [copyPid] = (await stage.inspector.processes(pod, 'copy --operator')).slice(-1);
  const show = `tr '\\0' ' ' < /proc/${copyPid}/environ; tr '\\0' ' ' < /proc/${copyPid}/cmdline`;
  const shown = await stage.inspector.onNode(pod['spec'].nodeName, show);
  assert.match(shown, /TRAFFICCOPY_TOKEN=.* --operator /s);
  assert.doesNotMatch(shown, /hunter2/);

  await till.change({ credentialsSecret: { name: 'elsewhere' } });
  await till.untilCondition('Copying', 'False', 30_000, 'CredentialsForbidden');
  await till.change({ credentialsSecret: { name: 'trafficcopy-logins' } });
  await till.untilCopying(1, 60_000);
});

test('who may write TrafficCopies, and not read a Secret, cannot use it by one', async () => {
  await kubectl(
    'create',
    'role',
    'clerk',
    '--verb=get,create,update,patch',
    '--resource=trafficcopies.trafficcopy.dev',
  );
  await kubectl('create', 'rolebinding', 'clerk', '--role=clerk', '--user=clerk');
  const patch = (name: string, spec: object): Promise<string> =>
    kubectl('patch', 'tcopy', name, '--as=clerk', '--dry-run=server', '--type=merge', '-p', JSON.stringify({ spec }));
  const forbidden = /only who may read Secret trafficcopy-logins in namespace e2e-security/;
  await assert.rejects(patch('till', { multiply: 2 }), forbidden);
  await assert.rejects(patch('shadow', { credentialsSecret: { name: 'trafficcopy-logins' } }), forbidden);
  await patch('shadow', { multiply: 2 });
  await patch('till', { credentialsSecret: null });
  const reader = ['--verb=get', '--resource=secrets', '--resource-name=trafficcopy-logins'];
  await kubectl('create', 'role', 'clerk-reads', ...reader);
  await kubectl('create', 'rolebinding', 'clerk-reads', '--role=clerk-reads', '--user=clerk');
  await until('the right is known', 30_000, async () => {
    return patch('till', { multiply: 2 }).then(
      () => true,
      () => false,
    );
  });
});

async function permissions(account: string): Promise<string> {
  const rows: string[] = [];
  for (const namespace of ['default', SYSTEM_NAMESPACE]) {
    const as = `--as=system:serviceaccount:${SYSTEM_NAMESPACE}:${account}`;
    const text = await expectCommand('kubectl', ['auth', 'can-i', '--list', as, '-n', namespace, '--no-headers']);
    // What everybody may: ask who one is, and read the API's own description.
    const own = text.split('\n').filter((line) => line.trim() !== '' && !/^(self\w+reviews\.| +\[\/)/.test(line));
    rows.push(`# in namespace ${namespace}`, ...own.map((line) => line.replaceAll(/ +/g, ' ').trim()).sort());
  }
  return rows.join('\n');
}

test('the document shows what each service account may, as kubectl auth can-i --list does', async () => {
  const sections = await Promise.all(
    ACCOUNTS.map(async (name) => `\`${name}\`:\n\n\`\`\`\n${await permissions(name)}\n\`\`\`\n`),
  );
  const shown = `<!-- rbac:begin -->\n${sections.join('\n')}<!-- rbac:end -->`;
  const text = readFileSync(DOCUMENT, 'utf8');
  const documented = /<!-- rbac:begin -->[\s\S]*<!-- rbac:end -->/.exec(text)?.[0];
  if (process.env['E2E_WRITE'] === '1')
    writeFileSync(
      DOCUMENT,
      text.replace(documented ?? '', () => shown),
    );
  else assert.equal(documented, shown, 'E2E_WRITE=1 writes it anew');
});
