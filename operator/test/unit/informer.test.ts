import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  Informer,
  KUBE_VERBS,
  KubeClient,
  KubeConflictError,
  KubeForbiddenError,
  KubeInvalidError,
  KubeNotFoundError,
  KubeUnavailableError,
  LeaderElection,
  type Leadership,
  NODES,
  type NodeRecord,
  PODS,
  readNode,
  readPod,
  SECRETS,
} from '../../src/kube/index.js';
import { eventually } from '../kit/eventually.js';
import { FakeApiServer } from '../kit/fake-api-server.js';

let server: FakeApiServer;
let client: KubeClient;

beforeEach(async () => {
  server = await new FakeApiServer().listen();
  client = new KubeClient({ connection: server.connection() });
});

afterEach(async () => {
  client.connection.close();
  await server.close();
});

function node(name: string, label?: string) {
  return { metadata: { name, labels: label === undefined ? {} : { 'trafficcopy.dev/intercept': label } } };
}

describe('informer', () => {
  let informer: Informer<NodeRecord>;
  let told: string[];
  let problems: Error[];

  beforeEach(() => {
    told = [];
    problems = [];
    informer = new Informer({
      client,
      resource: NODES,
      read: readNode,
      onChange: (now, before) =>
        told.push(`${before === undefined ? '+' : now === undefined ? '-' : '~'}${(now ?? before)?.name}`),
      onProblem: (error) => problems.push(error),
    });
  });

  afterEach(() => informer.stop());

  it('knows what is there, in pages, and what comes, changes and goes', async () => {
    for (let n = 0; n < 1200; n += 1) server.put('v1/nodes', node(`n${n}`));
    informer.start();
    await informer.synced;
    assert.equal(informer.size, 1200);
    server.put('v1/nodes', node('new'));
    server.put('v1/nodes', node('new', 'true'));
    server.remove('v1/nodes', undefined, 'n7');
    await eventually('the removal', () => informer.size === 1200 && informer.get(undefined, 'n7') === undefined);
    assert.deepEqual(told.slice(1200), ['+new', '~new', '-n7']);
    assert.equal(informer.get(undefined, 'new')?.isLabelled, true);
  });

  it('what changes in fields that are not kept is not told', async () => {
    server.put('v1/nodes', node('a'));
    informer.start();
    await informer.synced;
    server.put('v1/nodes', { ...node('a'), status: { capacity: { cpu: '8' } } });
    server.put('v1/nodes', node('b'));
    await eventually('b', () => informer.get(undefined, 'b'));
    assert.deepEqual(told, ['+a', '+b']);
  });

  it('the stream breaks: it goes on from where it was, without listing', async () => {
    server.put('v1/nodes', node('a'));
    informer.start();
    await eventually('the watch', () => server.watchCount === 1);
    const lists = server.lists;
    server.breakWatches();
    server.put('v1/nodes', node('b'));
    await eventually('b', () => informer.get(undefined, 'b'));
    assert.equal(server.lists, lists);
    assert.deepEqual(told, ['+a', '+b']);
  });

  it('the place is no longer known: it lists anew, and tells what vanished meanwhile', async () => {
    server.put('v1/nodes', node('a'));
    server.put('v1/nodes', node('b'));
    informer.start();
    await eventually('the watch', () => server.watchCount === 1);
    server.failure = { status: 503, message: 'starting' };
    server.breakWatches();
    await eventually('a failed attempt', () => problems.some((error) => error instanceof KubeUnavailableError));
    server.remove('v1/nodes', undefined, 'a');
    server.put('v1/nodes', node('c'));
    server.forgetHistory();
    server.failure = undefined;
    await eventually('c', () => informer.get(undefined, 'c'));
    assert.deepEqual(told.slice(2).sort(), ['+c', '-a']);
  });
});

describe('client', () => {
  it('every failure has a class that says what can be done about it', async () => {
    const classes = [
      [400, KubeInvalidError],
      [422, KubeInvalidError],
      [403, KubeForbiddenError],
      [404, KubeNotFoundError],
      [409, KubeConflictError],
      [429, KubeUnavailableError],
      [500, KubeUnavailableError],
    ] as const;
    for (const [status, expected] of classes) {
      server.failure = { status, message: 'because' };
      await assert.rejects(client.get(PODS, { namespace: 'a', name: 'b' }), (error) => {
        assert.ok(error instanceof expected);
        assert.match(error.message, /^get pods a\/b: because \(HTTP/);
        return true;
      });
    }
  });

  it('no answer is unavailable', async () => {
    await server.close();
    await assert.rejects(client.get(PODS, { namespace: 'a', name: 'b' }), KubeUnavailableError);
    server = await new FakeApiServer().listen();
  });

  it('a call that is not in the table is refused before it is made', async () => {
    const strict = new KubeClient({ connection: client.connection, verbs: KUBE_VERBS });
    await assert.rejects(strict.list(SECRETS, { limit: 1 }), /list secrets \(core\) is not in the table/);
    assert.equal(server.lists, 0);
  });

  it('deleting what is not there is done', async () => {
    await client.delete(PODS, { namespace: 'a', name: 'b' });
  });
});

describe('a pod that the API server sends', () => {
  it('is kept with its copies and their states', () => {
    const record = readPod({
      metadata: { name: 'p', namespace: 'shop', uid: 'u', resourceVersion: '1', labels: { app: 'a' } },
      spec: {
        nodeName: 'n',
        containers: [{ name: 'main' }, { name: 'istio-proxy' }],
        initContainers: [{ name: 'setup' }, { name: 'trafficcopy-aaaaaaaa-0' }],
        ephemeralContainers: [
          { name: 'debugger' },
          { name: 'trafficcopy-aaaaaaaa-1' },
          { name: 'trafficcopy-aaaaaaaa-2' },
        ],
      },
      status: {
        phase: 'Running',
        podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
        conditions: [{ type: 'Ready', status: 'True' }],
        initContainerStatuses: [{ name: 'trafficcopy-aaaaaaaa-0', state: { running: {} } }],
        ephemeralContainerStatuses: [
          {
            name: 'trafficcopy-aaaaaaaa-1',
            state: { terminated: { exitCode: 137, reason: 'OOMKilled', finishedAt: '2026-03-01T12:00:00Z' } },
          },
        ],
      },
    });
    assert.deepEqual(
      record?.copies.map(({ name, kind, state, reason }) => [name, kind, state, reason]),
      [
        ['trafficcopy-aaaaaaaa-1', 'ephemeral', 'terminated', 'OOMKilled'],
        ['trafficcopy-aaaaaaaa-2', 'ephemeral', 'waiting', ''],
        ['trafficcopy-aaaaaaaa-0', 'sidecar', 'running', ''],
      ],
    );
    assert.deepEqual([record?.mesh, record?.isReady, record?.addresses], ['Istio', true, ['10.0.0.1', 'fd00::1']]);
  });

  for (const value of [
    null,
    3,
    {},
    { metadata: 1 },
    { metadata: { name: 1 } },
    { metadata: { name: 'a', uid: 'b' } },
  ]) {
    it(`is left out when it is none: ${JSON.stringify(value)}`, () => assert.equal(readPod(value), undefined));
  }
});

describe('leader election', () => {
  function replica(identity: string, seen: Leadership[], now: () => number): LeaderElection {
    return new LeaderElection({
      client,
      namespace: 'system',
      name: 'lease',
      identity,
      now,
      onChange: (leadership) => seen.push(leadership),
      onProblem: () => {},
    });
  }

  it('one leads, the other knows who; when the first gives the Lease back the other leads', async () => {
    const firstSeen: Leadership[] = [];
    const otherSeen: Leadership[] = [];
    const first = replica('a_10.0.0.1', firstSeen, Date.now);
    const other = replica('b_10.0.0.2', otherSeen, Date.now);
    first.start();
    await eventually('the first leads', () => first.leadership.role === 'leader');
    other.start();
    await eventually('the other follows', () => otherSeen.length > 0);
    assert.deepEqual(otherSeen[0], { role: 'follower', leader: 'a_10.0.0.1' });
    await first.stop();
    await eventually('the other leads', () => other.leadership.role === 'leader');
    await other.stop();
    assert.deepEqual(
      firstSeen.map(({ role }) => role),
      ['leader', 'follower'],
    );
  });

  it('a Lease that is not renewed is taken over, by the follower’s own clock', async () => {
    let nowMs = Date.now();
    server.put('coordination.k8s.io/v1/leases', {
      metadata: { name: 'lease', namespace: 'system' },
      spec: { holderIdentity: 'dead', renewTime: '2100-01-01T00:00:00.000000Z' },
    });
    const seen: Leadership[] = [];
    const election = replica('a', seen, () => nowMs);
    election.start();
    await eventually('it follows', () => seen.length === 1);
    nowMs += 11_000;
    await eventually('it leads', () => election.leadership.role === 'leader');
    await election.stop();
  });

  it('a leader that cannot renew stops leading', async () => {
    let nowMs = Date.now();
    const election = replica('a', [], () => nowMs);
    election.start();
    await eventually('it leads', () => election.leadership.role === 'leader');
    server.failure = { status: 503, message: 'gone' };
    nowMs += 8000;
    await eventually('it follows', () => election.leadership.role === 'follower');
    await election.stop();
  });
});
