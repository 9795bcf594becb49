/**
 * Our intercept serves a tcpcopy of the C programs. Stand-ins of 0.9.6 and 1.x that were written from the description of the protocol run in
 * every run; with TCPCOPY_BIN the real program does what they do.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, type LabProcess, type StreamRecord } from '../../src/index.js';
import { CTcpcopy, type CTcpcopyOptions } from './kit/c-tcpcopy.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';
import { expectSameStreams, streamsOf } from './kit/streams.js';

const SETTLE_MS = 30_000;

interface Rig {
  readonly copyLab: CopyLab;
  readonly online: LabProcess;
  readonly target: LabProcess;
  /** Starts intercept again, after it was killed. */
  readonly serveAgain: () => Promise<void>;
}

interface RigOptions {
  /** Of the target only. */
  readonly target?: Readonly<Record<string, number | string>>;
  /** Packets of the target that may leave it. */
  readonly allowed?: string;
  /** Whose packets are copied; default: everybody's. */
  readonly interceptFlags?: (copyLab: CopyLab) => readonly string[];
  readonly extraHosts?: readonly string[];
}

/** Two servers, sniffers for leaks, and an intercept that serves C tcpcopies; nothing leaks and nothing stays. */
async function serving(
  { target: manners = {}, allowed, interceptFlags, extraHosts }: RigOptions,
  work: (rig: Rig) => Promise<void>,
): Promise<void> {
  await CopyLab.with({ allowed, lab: { extraHosts } }, async (copyLab) => {
    const online = await copyLab.online.program('recording-server', { port: ONLINE_PORT });
    const target = await copyLab.target.program('recording-server', { port: TARGET_PORT, ...manners });
    await copyLab.listenForLeaks();
    const more = interceptFlags?.(copyLab) ?? ['--wire-clients', '0.0.0.0/0'];
    const flags = ['--wire', '0.9,1.x', '--target', copyLab.targetEndpoint(TARGET_PORT), ...more];
    const serve = async (name: string): Promise<void> => {
      await copyLab.startIntercept({ insecure: true, flags, name, stateOf: 'intercept' });
    };
    await serve('intercept');
    await work({ copyLab, online, target, serveAgain: () => serve('successor') });
    await copyLab.intercept.stop();
    await copyLab.expectNoLeaks();
  });
}

function startTcpcopy(tcpcopy: CTcpcopy, { copyLab }: Rig, more: Partial<CTcpcopyOptions> = {}): Promise<LabProcess> {
  const map = `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)}`;
  return tcpcopy.start(copyLab.online, { map, intercept: copyLab.target.ipv4, ...more });
}

/** Waits until the target has received as many octets as online, and the connections there have ended. */
async function settled({ online, target }: Pick<Rig, 'online' | 'target'>): Promise<void> {
  type Totals = { readonly bytes: number; readonly open: number };
  const { bytes } = await online.ask<Totals>('totals');
  const last: { totals?: Totals } = {};
  const isThere = async (): Promise<boolean> => {
    last.totals = await target.ask<Totals>('totals');
    return last.totals.bytes >= bytes && last.totals.open === 0;
  };
  await eventually('the target has received what online has', SETTLE_MS, isThere, async () => {
    return `online ${bytes} octets, the target ${JSON.stringify(last.totals)}`;
  });
}

function requestsOf(streams: readonly StreamRecord[]): number {
  return streams.reduce((sum, { requests }) => sum + requests, 0);
}

function bytesOf(streams: readonly StreamRecord[]): number {
  return streams.reduce((sum, { bytes }) => sum + bytes, 0);
}

const LOADS = [
  { connections: 1, requests: 1, 'connections-total': 1 },
  { connections: 20, requests: 50, 'connections-total': 20 },
  { connections: 2, requests: 1, 'connections-total': 3, 'body-bytes': 1_000_000 },
] as const;

for (const tcpcopy of await CTcpcopy.all()) {
  test(`${tcpcopy.name}: a GET, kept connections and uploads arrive byte for byte, nothing twice, and no answer leaves the target`, async () => {
    await serving({}, async (rig) => {
      const copy = await startTcpcopy(tcpcopy, rig);
      for (const load of LOADS) await rig.copyLab.load(load);
      await settled(rig);
      expectSameStreams(await streamsOf(rig.online), await streamsOf(rig.target));
      await copy.stop();
    });
  });

  test(`${tcpcopy.name}: a target that closes after five requests receives each of 200 once`, async () => {
    await serving({ target: { 'close-after': 5 } }, async (rig) => {
      const copy = await startTcpcopy(tcpcopy, rig);
      await rig.copyLab.load({ connections: 5, requests: 40, 'connections-total': 5 });
      await settled(rig);
      assert.equal(requestsOf(await streamsOf(rig.target)), 200);
      await copy.stop();
    });
  });
}

const standIn = CTcpcopy.standIn('0.9');

test('a registration half a second after the SYN finds the response that waited for it, and nothing leaked meanwhile', async () => {
  await serving({}, async (rig) => {
    const copy = await startTcpcopy(standIn, rig, { flags: ['--late-ms', '500'] });
    await rig.copyLab.load({ connections: 3, requests: 2, 'connections-total': 3 });
    await settled(rig);
    expectSameStreams(await streamsOf(rig.online), await streamsOf(rig.target));
    assert.ok((await rig.copyLab.intercept.metric('trafficcopy_intercept_responses_parked_total')) >= 3);
    await copy.stop();
  });
});

test('two tcpcopies of two versions: each hears of its own clients only, and a stopped one does not hold the other up', async () => {
  await serving({ extraHosts: ['second'] }, async ({ copyLab, online, target }) => {
    const second = copyLab.lab.host('second');
    const secondOnline = await second.program('recording-server', { port: ONLINE_PORT });
    const map = `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)}`;
    const intercept = copyLab.target.ipv4;
    const copies = [
      await standIn.start(copyLab.online, { map, intercept }),
      await CTcpcopy.standIn('1.x').start(second, { map, intercept }),
    ] as const;
    const loadOf = async (host: string, clientPort: number): Promise<void> => {
      const ports = { port: ONLINE_PORT, 'client-port-start': clientPort };
      const load = { host, ...ports, connections: 5, requests: 20, 'connections-total': 5 };
      const generator = await copyLab.client.program('load-generator', load);
      await generator.ask('run', undefined, 60_000);
      await generator.stop();
    };
    await Promise.all([loadOf(copyLab.online.ipv4, 41_000), loadOf(second.ipv4, 42_000)]);
    const both = async (): Promise<StreamRecord[]> => [
      ...(await streamsOf(online)),
      ...(await streamsOf(secondOnline)),
    ];
    const arrived = async (): Promise<boolean> => {
      const [sent, received] = [await both(), await streamsOf(target)];
      return bytesOf(received) >= bytesOf(sent) && received.every(({ end }) => end !== 'open');
    };
    await eventually('the target has received what both have', SETTLE_MS, arrived);
    expectSameStreams(await both(), await streamsOf(target));
    copies[0].signal('SIGSTOP');
    await loadOf(second.ipv4, 43_000);
    const withoutFirst = async (): Promise<boolean> => requestsOf(await streamsOf(target)) === 300;
    await eventually('the second goes on', SETTLE_MS, withoutFirst);
    copies[0].signal('SIGCONT');
    for (const copy of copies) {
      await copy.stop();
      await copy.waitForLine(/^foreign 0$/);
    }
  });
});

test('with one of its tunnels cut, a tcpcopy hears of all its sessions by the others', async () => {
  await serving({ target: { 'delay-ms': 200 } }, async (rig) => {
    const copy = await startTcpcopy(CTcpcopy.standIn('1.x'), rig);
    const { copyLab } = rig;
    const load = copyLab.load({ connections: 6, requests: 12, 'connections-total': 6 });
    await copyLab.intercept.waitForMetric('trafficcopy_intercept_responses_total', 20);
    await copyLab.online.expect('ss', ['-K', 'dport = :36524', `sport = :${await firstTunnelPort(copyLab)}`]);
    await copyLab.intercept.waitForMetric('trafficcopy_intercept_responses_total', 30);
    await load;
    await settled(rig);
    expectSameStreams(await streamsOf(rig.online), await streamsOf(rig.target));
    assert.equal(await copyLab.intercept.metric('trafficcopy_intercept_copies'), 1);
    await copy.stop();
  });
});

test('an intercept that is killed under a tcpcopy leaks nothing, and its successor serves the next tcpcopy', async () => {
  await serving({ target: { 'delay-ms': 50 } }, async (rig) => {
    const { copyLab } = rig;
    const copy = await startTcpcopy(standIn, rig);
    const load = copyLab.load({ connections: 6, requests: 30, 'connections-total': 6 });
    await copyLab.intercept.waitForMetric('trafficcopy_intercept_responses_total', 20);
    await copyLab.intercept.process.stop('SIGKILL');
    await copy.expectEnd(20_000, [1]);
    await load;
    await rig.serveAgain();
    const before = requestsOf(await streamsOf(rig.target));
    const next = await startTcpcopy(standIn, rig, { name: 'next' });
    await copyLab.load({ connections: 3, requests: 10, 'connections-total': 3, 'client-port-start': 43_000 });
    await eventually('the next one copies', SETTLE_MS, async () => {
      return requestsOf(await streamsOf(rig.target)) - before === 30;
    });
    await next.stop();
  });
});

async function firstTunnelPort({ online }: CopyLab): Promise<string> {
  const listed = await online.expect('ss', ['-Htn', 'state', 'established', 'dport = :36524']);
  return /:(\d+)\s+\S+:36524/.exec(listed)![1]!;
}

/** Whether the target answers a request that was not copied, at its address as seen from `host`. */
async function answers(rig: Rig, host: 'client' | 'online' | 'target'): Promise<boolean> {
  const url = `http://${rig.copyLab.targetEndpoint(TARGET_PORT)}/`;
  return (await rig.copyLab[host].run('curl', ['-s', '-m', '2', '-o', '/dev/null', url])).status === 0;
}

test('the target serves its own clients: those that are not copied, those on the pass list, and its own host', async () => {
  const own = 'dst host 10.77.0.2';
  const rules: readonly ((copyLab: CopyLab) => readonly string[])[] = [
    ({ client }) => ['--wire-clients', client.ipv4],
    ({ online }) => ['--wire-clients', '0.0.0.0/0', '-x', online.ipv4],
  ];
  for (const interceptFlags of rules) {
    await serving({ interceptFlags, allowed: own }, async (rig) => {
      assert.equal(rig.copyLab.online.ipv4, own.slice(-9), 'the lab has the addresses that the sniffers allow');
      const copy = await startTcpcopy(standIn, rig);
      assert.ok(await answers(rig, 'online'), 'a client that is not copied');
      assert.ok(await answers(rig, 'target'), 'the host of the target itself');
      assert.equal(await answers(rig, 'client'), false, 'a client that is copied, and that no tcpcopy registered');
      await rig.copyLab.load({ connections: 2, requests: 3, 'connections-total': 2 });
      await eventually('the copies arrive', SETTLE_MS, async () => {
        return requestsOf(await streamsOf(rig.target)) >= 6;
      });
      await copy.stop();
    });
  }
});
