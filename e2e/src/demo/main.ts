/**
 * The demonstration on a cluster: two versions of a shop, load on the one that runs, a TrafficCopy to its successor, and the live
 * status. What it prints after a $ is what a user would type. Ends by itself, or by Ctrl-C, and leaves nothing.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Cluster, Installation, LoadPod, ShopService, TestNamespace, TrafficCopyResource, until } from '../index.js';

const RATE = 300;
const SHOWN_MS = 20_000;
const LIVE_MS = Number(process.env['DEMO_SECONDS'] ?? SHOWN_MS / 1000) * 1000;
const PLUGIN = fileURLToPath(new URL('../../../../bin/kubectl-trafficcopy', import.meta.url));

const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
process.once('SIGTERM', () => interrupted.abort());

function say(text: string): void {
  console.log(`\n\x1b[1m${text}\x1b[0m`);
}

function type(command: string): void {
  console.log(`\x1b[2m  $ ${command}\x1b[0m`);
}

/** A program on the terminal, until it ends or `signal` says so. */
function show(command: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], signal, killSignal: 'SIGINT' });
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
}

const cluster = await Cluster.connect();
const installation = new Installation(cluster);
const wasInstalled = await installation.isInstalled();
let namespace: TestNamespace | undefined;
let copy: TrafficCopyResource | undefined;

async function play(): Promise<void> {
  const { signal } = interrupted;
  say('1. The product is installed.');
  type('helm install trafficcopy charts/trafficcopy --namespace trafficcopy-system');
  await installation.install();

  say('2. A shop runs in two pods, version 1; its successor, version 2, runs beside it and gets no traffic.');
  namespace = await TestNamespace.create(cluster, 'demo');
  const shop = new ShopService(cluster, namespace.name, 'checkout', { replicas: 2 });
  const canary = new ShopService(cluster, namespace.name, 'checkout-canary', { version: 2 });
  await Promise.all([shop.deploy(), canary.deploy()]);
  signal.throwIfAborted();

  say(`3. Its clients make ${RATE} requests a second.`);
  const options = { host: await shop.clusterIp(), connections: 20, requests: 200, rate: RATE };
  const load = await new LoadPod(cluster, namespace.name, 'clients', options).start();
  await until('requests are answered', 30_000, async () => (await load.progress()).responses > RATE);
  signal.throwIfAborted();

  say('4. A TrafficCopy: what reaches the shop reaches its successor as well. No pod is restarted.');
  const name = 'checkout-copy';
  copy = new TrafficCopyResource(cluster, namespace.name, name);
  const start = ['start', '--from', 'deploy/checkout', '--to', 'deploy/checkout-canary', '--port', '8080'];
  type(`kubectl trafficcopy ${start.join(' ')} -n ${namespace.name}`);
  await show(PLUGIN, [...start, '-n', namespace.name], signal);
  signal.throwIfAborted();

  say('5. What it does, live.');
  type(`kubectl trafficcopy status ${name} --watch -n ${namespace.name}`);
  await show(
    PLUGIN,
    ['status', name, '--watch', '-n', namespace.name],
    AbortSignal.any([signal, AbortSignal.timeout(LIVE_MS)]),
  );

  const report = await load.stop();
  const { requests, distinct, twice } = await canary.totals();
  say('6. The account.');
  console.log(`  clients      ${report.responses} requests answered, ${JSON.stringify(report.errors)} errors`);
  console.log(`  successor    ${requests} requests copied, ${distinct} of them different, ${twice} twice`);
  console.log(`  strangeness  ${(await load.strangePackets()).length} packets of the successor at a client`);
}

let status = 0;
try {
  await play();
} catch (error) {
  if (!interrupted.signal.aborted) {
    console.error(error instanceof Error ? error.message : error);
    status = 1;
  }
}
say('All of it is removed.');
process.on('SIGINT', () => console.log('  (a moment)'));
try {
  await copy?.remove();
  await namespace?.remove();
  if (!wasInstalled) await installation.uninstall();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  status = 1;
}
process.exit(status);
