/** Intercept on a node: network namespaces of a lab are its pods, a stub is its operator. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  FRAME,
  type InterceptGrantSettings,
  type InterceptPodSettings,
  RECORD_OPEN,
  RESPONSE_EVENT_TARGET_UNKNOWN,
  SYN,
} from '@trafficcopy/core';
import { eventually, Lab, type LabHost, LabProcess, TRAFFIC_COPY } from '@trafficcopy/lab';
import { CertificateAuthority, createAuthority } from '@trafficcopy/runtime';
import { craftPacket } from '../kit/crafted-packet.js';
import { HostProc } from '../kit/host-proc.js';
import { dumpNamespace } from '../kit/namespace-dump.js';
import { StubOperator } from '../kit/stub-operator.js';
import { TestCopy } from '../kit/test-copy.js';

const PORT = 8080;
const DEADLINE_MS = 20_000;
const OWNER = 'shop/11111111-0000-4000-8000-000000000001';
const ECHO_SERVER = `
  const server = require('node:net').createServer((socket) => {
    socket.on('data', (data) => socket.write(process.argv[1] + data));
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
  });
  server.listen(${PORT}, '::');
`;
/** Clients of no host of the lab. */
const CLIENT = '198.51.100.7';

/** A pod: a host of the lab, with a process that keeps its namespace as a pause container does. */
interface Pod {
  readonly host: LabHost;
  readonly uid: string;
  pause: LabProcess;
}

describe('intercept on a node', { skip: process.geteuid?.() === 0 ? false : 'needs root' }, () => {
  let lab: Lab;
  let operator: StubOperator;
  let hostProc: HostProc;
  let state: string;
  let first: Pod;
  let second: Pod;
  let found: readonly string[];
  const started: LabProcess[] = [];
  // Below those that the kernel gives to outgoing connections.
  let port = 29_700 + (process.pid % 200);

  before(async () => {
    lab = await Lab.create();
    hostProc = new HostProc();
    state = mkdtempSync(join(tmpdir(), 'tcI-node-'));
    first = await startPod(lab.target, 'one:');
    second = await startPod(lab.online, 'two:');
    operator = await StubOperator.start();
    found = await dumps();
  });

  after(async () => {
    await Promise.all(started.map((one) => (one.isRunning ? one.stop('SIGKILL') : undefined)));
    await operator?.close();
    await lab?.close();
    hostProc?.close();
    rmSync(state, { recursive: true, force: true });
  });

  async function startPod(host: LabHost, greeting: string): Promise<Pod> {
    await host.start('server', process.execPath, ['-e', ECHO_SERVER, greeting]);
    await host.listening(PORT);
    const pause = await host.start('pause', 'sleep', ['infinity']);
    const uid = randomUUID();
    hostProc.addProcess(pause.pid, uid);
    return { host, uid, pause };
  }

  function settingsOf(pod: Pod, grants: Partial<InterceptGrantSettings>[] = [{}]): InterceptPodSettings {
    return {
      uid: pod.uid,
      name: `shop/${pod.host.name}`,
      addresses: [pod.host.ipv4, pod.host.ipv6],
      grants: grants.map((grant) => ({ owner: OWNER, ports: [PORT], clientRanges: [], ...grant })),
    };
  }

  async function startIntercept(): Promise<LabProcess> {
    port += 1;
    const words = ['--operator', `127.0.0.1:${operator.port}`, '--join-file', operator.joinFile];
    words.push('--authority-file', operator.authorityFile, '--host-proc', hostProc.path, '--state', state);
    words.push('--node-name', 'node-1', '--advertise', '127.0.0.1', '-p', String(port));
    const intercept = await LabProcess.start('intercept', TRAFFIC_COPY, ['intercept', ...words]);
    hostProc.addOther(intercept.pid);
    started.push(intercept);
    return intercept;
  }

  async function withIntercept(
    pods: readonly InterceptPodSettings[],
    work: (intercept: LabProcess) => Promise<void>,
  ): Promise<void> {
    operator.report = undefined;
    operator.want(pods);
    const intercept = await startIntercept();
    try {
      await operator.serving(...pods.map(({ uid }) => uid)).catch((error) => assert.fail(explained(error, intercept)));
      await work(intercept);
    } finally {
      await intercept.stop('SIGTERM');
    }
    assert.equal(intercept.end?.status, 0, intercept.lines.join('\n'));
    await nothingIsLeft();
  }

  function explained(error: unknown, intercept: LabProcess): string {
    return `${error}\n${JSON.stringify(operator.report)}\n${intercept.lines.slice(-30).join('\n')}`;
  }

  async function dumps(): Promise<string[]> {
    return await Promise.all([dumpNamespace(lab.target), dumpNamespace(lab.online)]);
  }

  async function nothingIsLeft(): Promise<void> {
    assert.deepEqual(await dumps(), found);
    assert.deepEqual(readdirSync(join(state, 'intercept')), [], 'no journal, no lock');
    assert.deepEqual(operator.report?.pods, [], 'the last report says so');
  }

  async function copyOf(pod: Pod, identity = `${OWNER}/pod-a`): Promise<TestCopy> {
    const credentials = await operator.copyCredentials(identity);
    return new TestCopy(port, 'copy', { credentials, targets: [{ address: pod.host.ipv4, port: PORT }] });
  }

  function flow(pod: Pod, sourcePort: number, source = CLIENT) {
    return { source, destination: pod.host.ipv4, sourcePort, destinationPort: PORT };
  }

  /** Sends the SYN of a flow and expects that it is not let in. */
  async function expectNoFlow(copy: TestCopy, sessionId: number, ends: ReturnType<typeof flow>): Promise<void> {
    const syn = { ...ends, seq: 1, ack: 0, flags: SYN, payload: '', isMarked: false };
    copy.send(FRAME.PACKETS, sessionId, RECORD_OPEN, craftPacket(syn));
    assert.equal((await copy.response(sessionId)).event, RESPONSE_EVENT_TARGET_UNKNOWN);
  }

  async function socketsOf(pod: Pod): Promise<string> {
    const words = ['-Htan', 'state', 'connected', 'exclude', 'time-wait', `sport = :${PORT}`];
    return (await pod.host.expect('ss', words)).trim();
  }

  it('two pods are served by one intercept, each copy reaches its own; one leaves and is as it was found', async () => {
    const sniffers = await Promise.all([first, second].map((pod) => pod.host.sniff(`dst host ${CLIENT}`)));
    await withIntercept([settingsOf(first), settingsOf(second)], async () => {
      const one = await (await copyOf(first)).start();
      const two = await (await copyOf(second)).start();
      assert.equal((await one.exchange(1, flow(first, 41_000), 'hello')).payloadBytes, 'one:hello'.length);
      assert.equal((await two.exchange(1, flow(second, 41_000), 'hi')).payloadBytes, 'two:hi'.length);
      const report = await operator.reported('both were counted', ({ flows }) => flows === 2);
      assert.equal(report.packetsInjected, 4);
      await expectNoFlow(one, 9, flow(second, 41_001));

      operator.want([settingsOf(second)]);
      await operator.reported('one pod is left', ({ pods }) => pods.length === 1);
      assert.equal(await dumpNamespace(first.host), found[0]);
      assert.equal(await socketsOf(first), '');
      assert.equal((await two.exchange(2, flow(second, 41_002), 'on')).payloadBytes, 'two:on'.length);
      one.close();
      two.close();
    });
    for (const sniffer of sniffers) assert.equal(await sniffer.stop(), 0, await sniffer.packets());
  });

  it('a copy reaches what its grants name: no other pod, port or client', async () => {
    const grants = [{ clientRanges: ['198.51.100.0/24'] }];
    await withIntercept([settingsOf(first, grants), settingsOf(second, [{ owner: 'shop/another' }])], async () => {
      const copy = await (await copyOf(first)).start();
      await expectNoFlow(copy, 1, { ...flow(first, 42_000), destinationPort: 22 });
      await expectNoFlow(copy, 2, flow(first, 42_001, '203.0.113.9'));
      await expectNoFlow(copy, 3, flow(first, 42_002, first.host.ipv4));
      await expectNoFlow(copy, 4, flow(first, 42_003, '127.0.0.1'));
      await copy.exchange(5, flow(first, 42_004), 'mine');
      copy.close();

      const stolen = (await copyOf(second)).begin();
      await stolen.refused('unavailable');
      await stolen.refused('forbidden');
      assert.equal(stolen.isConnected, false);
      stolen.close();
      const foreign = new CertificateAuthority(await createAuthority(Date.now()));
      const targets = [{ address: first.host.ipv4, port: PORT }];
      const credentials = await operator.copyCredentials(`${OWNER}/pod-a`, foreign);
      const stranger = new TestCopy(port, 'copy', { credentials, targets }).begin();
      await stranger.refused('certificateUnknown');
      stranger.close();
      const nowhere = new TestCopy(port, 'copy', {
        credentials: await operator.copyCredentials(`${OWNER}/pod-a`),
        targets: [{ address: '10.77.0.99', port: PORT }],
      }).begin();
      await nowhere.refused('unavailable');
      nowhere.close();
    });
  });

  it('a grant that is withdrawn ends the connection and its flows at once, a port that is withdrawn its flows', async () => {
    await withIntercept([settingsOf(first, [{ ports: [PORT, 81] }])], async () => {
      const copy = await (await copyOf(first)).start();
      await copy.exchange(1, flow(first, 43_000), 'x');
      assert.notEqual(await socketsOf(first), '');
      operator.want([settingsOf(first, [{ ports: [81] }])]);
      assert.equal((await copy.response(1, ({ event }) => event !== 0)).event, RESPONSE_EVENT_TARGET_UNKNOWN);
      await eventually('the flow is reset', DEADLINE_MS, async () => (await socketsOf(first)) === '');
      assert.equal(copy.isConnected, true);

      operator.want([settingsOf(first)]);
      await operator.serving(first.uid);
      await copy.exchange(2, flow(first, 43_001), 'x');
      operator.want([settingsOf(first, [{ owner: 'shop/another' }])]);
      await eventually('the copy is expelled', DEADLINE_MS, () =>
        copy.failures.some(({ goodbye }) => goodbye?.code === 'forbidden'),
      );
      await eventually('its flows are reset', DEADLINE_MS, async () => (await socketsOf(first)) === '');
      copy.close();
    });
  });

  it('kill -9: a pod that is still a target is taken over, one that is none any more is restored', async () => {
    operator.report = undefined;
    operator.want([settingsOf(first), settingsOf(second)]);
    const killed = await startIntercept();
    await operator.serving(first.uid, second.uid);
    const copy = await (await copyOf(first)).start();
    await copy.exchange(1, flow(first, 44_000), 'x');
    await killed.stop('SIGKILL');
    copy.close();
    assert.match(await dumpNamespace(second.host), /trafficcopy:node/);

    let gaps = 0;
    let isWatching = true;
    const watching = (async () => {
      while (isWatching) {
        if (!(await first.host.expect('iptables-save', ['-t', 'mangle'])).includes('NFQUEUE')) gaps += 1;
      }
    })();
    operator.report = undefined;
    await eventually('the operator noticed', DEADLINE_MS, () => operator.connection === undefined);
    operator.want([settingsOf(first)]);
    const restarted = await startIntercept();
    await operator.serving(first.uid).catch((error) => assert.fail(explained(error, restarted)));
    isWatching = false;
    await watching;
    assert.equal(gaps, 0, 'the queue rule was there at all times');
    await operator.reported('the other is restored', ({ pods }) => pods.length === 1);
    assert.equal(await dumpNamespace(second.host), found[1]);
    const again = await (await copyOf(first)).start();
    await again.exchange(1, flow(first, 44_001), 'y');
    again.close();
    await restarted.stop('SIGTERM');
    assert.equal(restarted.end?.status, 0, restarted.lines.join('\n'));
    await nothingIsLeft();
  });

  it('a second intercept on the node waits until the first has let go, then serves', async () => {
    operator.report = undefined;
    operator.want([settingsOf(first)]);
    const leaving = await startIntercept();
    await operator.serving(first.uid);
    const next = await startIntercept();
    await next.waitForLine(/already works in this network namespace/);
    await leaving.stop('SIGTERM');
    assert.equal(leaving.end?.status, 0, leaving.lines.join('\n'));
    operator.report = undefined;
    await operator.serving(first.uid).catch((error) => assert.fail(explained(error, next)));
    const copy = await (await copyOf(first)).start();
    await copy.exchange(1, flow(first, 45_000), 'x');
    copy.close();
    await next.stop('SIGTERM');
    await nothingIsLeft();
  });

  it('the process that was known ends and another one of the pod is there: the pod goes on being served', async () => {
    await withIntercept([settingsOf(first)], async () => {
      const copy = await (await copyOf(first)).start();
      await copy.exchange(1, flow(first, 46_000), 'x');
      const pause = await first.host.start('pause', 'sleep', ['infinity']);
      hostProc.removeProcess(first.pause.pid);
      hostProc.addProcess(pause.pid, first.uid);
      first.pause = pause;
      const { packetsInjected } = operator.report!;
      await copy.exchange(2, flow(first, 46_001), 'x');
      await operator.reported('it was counted', (report) => report.packetsInjected > packetsInjected);
      assert.equal(operator.stateOf(first.uid), 'serving');
      copy.close();
    });
  });

  it('a pod that gets another network namespace is served there, and the old one is restored', async () => {
    await withIntercept([settingsOf(first)], async () => {
      // The addresses are those of the second host from now on.
      const moved = { ...settingsOf(second), uid: first.uid };
      hostProc.removeProcess(first.pause.pid);
      const pause = await second.host.start('pause', 'sleep', ['infinity']);
      hostProc.addProcess(pause.pid, first.uid);
      operator.want([moved]);
      await eventually('it works in the new one', DEADLINE_MS, async () =>
        (await dumpNamespace(second.host)).includes('trafficcopy:node'),
      );
      await operator.serving(first.uid);
      assert.equal(await dumpNamespace(first.host), found[0]);
      hostProc.removeProcess(pause.pid);
      hostProc.addProcess(first.pause.pid, first.uid);
      await pause.stop('SIGKILL');
    });
  });

  it('without the operator everything goes on, and when it is back it is told', async () => {
    await withIntercept([settingsOf(first)], async () => {
      const copy = await (await copyOf(first)).start();
      await operator.stop();
      await copy.exchange(1, flow(first, 47_000), 'alone');
      const late = await (await copyOf(first)).start();
      await late.exchange(1, flow(first, 47_001), 'late');
      await operator.listen();
      await operator.serving(first.uid);
      copy.close();
      late.close();
    });
  });

  it("a pod without a process, one of the node's network and garbage are reported, and harm no other", async () => {
    const absent = { ...settingsOf(first), uid: randomUUID() };
    const wrongAddress = { ...settingsOf(second), addresses: ['10.99.0.1'] };
    operator.report = undefined;
    await withIntercept([settingsOf(first)], async () => {
      operator.connection!.send(FRAME.CONFIG, new TextEncoder().encode('{"kind":"intercept","revision":-1}'));
      operator.want([settingsOf(first), absent, wrongAddress, { ...absent, uid: '../../1' }]);
      const { pods } = await operator.reported('all four', (report) =>
        report.pods.some(({ message }) => message.includes('no network namespace of the pod')),
      );
      const said = Object.fromEntries(pods.map(({ uid, message, state: podState }) => [uid, `${podState} ${message}`]));
      assert.match(said[absent.uid]!, /^preparing no process of the pod is found/);
      assert.match(
        said[second.uid]!,
        /^preparing no network namespace of the pod has an address of it \(10\.99\.0\.1\)/,
      );
      assert.match(said['../../1']!, /^failed .*is no UID/);
      assert.equal(said[first.uid], 'serving ');
    });
  });
});
