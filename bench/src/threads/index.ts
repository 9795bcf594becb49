/**
 * What threads are worth: the same recorded load replayed by one worker and by two, each with its engine and its channel.
 *
 *     node bench/dist/src/threads/index.js [--rounds N] [--requests N]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { parseArgs } from 'node:util';
import {
  Authority,
  ChannelServer,
  type ClientCredentials,
  join,
  MemoryCredentialStore,
  ProgramLog,
  StatusLine,
  WorkerPool,
} from '@trafficcopy/runtime';
import { medians } from '../measurement.js';
import type { ReplayResult, ReplaySettings } from './replaying-worker.js';

const WORKER = new URL('./replaying-worker.js', import.meta.url);
const THREADS = [1, 2];

/** One round of a number of workers. */
export interface ThreadsRound {
  /** Of the recorded load as a whole, before the busiest worker falls behind. */
  readonly requestsPerSecond: number;
  /** The same for each second of processor time: what else the machine does meanwhile does not count. */
  readonly requestsPerCpuSecond: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    requests: { type: 'string', default: '1000000' },
  },
});

const directory = mkdtempSync(joinPath(tmpdir(), 'trafficcopy-bench-'));
try {
  await main();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const authority = await Authority.open({ directory, role: 'intercept', name: 'bench' });
  const server = await authority.serverCredentials();
  const client = await clientCredentials(authority);
  const measured = new Map<number, ThreadsRound[]>(THREADS.map((workers) => [workers, []]));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const workers of THREADS) measured.get(workers)!.push(await measure(workers, { server, client }));
  }
  const results = [...measured].map(([workers, rounds]) => ({ workers, ...medians(rounds) }));
  for (const { workers, requestsPerSecond, requestsPerCpuSecond } of results) {
    const name = workers === 1 ? '1 worker ' : `${workers} workers`;
    console.log(
      `${name}   ${text(requestsPerSecond)} requests/s; with a processor to itself ${text(requestsPerCpuSecond)}; 0 lost`,
    );
  }
  const [one, most] = [results[0]!, results.at(-1)!];
  const ratio = (most.requestsPerSecond / one.requestsPerSecond).toFixed(2);
  const cpuRatio = (most.requestsPerCpuSecond / one.requestsPerCpuSecond).toFixed(2);
  console.log(`ratio       ${ratio}; with a processor to each ${cpuRatio}`);
}

function text(rate: number): string {
  return Math.round(rate).toLocaleString('en-US');
}

/** The rate of the whole load at which the first worker has as much as it can do. */
function rateOf(answers: readonly ReplayResult[], secondsOf: (answer: ReplayResult) => number): number {
  return Math.min(...answers.map((answer) => answer.requests / secondsOf(answer) / answer.share));
}

async function measure(workers: number, credentials: Pick<ReplaySettings, 'server' | 'client'>): Promise<ThreadsRound> {
  const log = new ProgramLog({
    program: 'bench',
    config: { logFile: undefined, logLevel: 'error' },
    statusLine: new StatusLine(),
  });
  const pool = new WorkerPool({
    module: WORKER,
    workers,
    log,
    settings: (worker): ReplaySettings => ({ program: 'bench', worker, logLevel: 'error', workers, ...credentials }),
    handlers: {},
    onUp: () => {},
    onDeath: (worker) => {
      throw new Error(`worker ${worker} died: its log says why`);
    },
  });
  await pool.open();
  const requests = Number(values.requests);
  const answers = await Promise.all(
    Array.from({ length: workers }, (_, worker) => pool.ask<ReplayResult>(worker, 'run', requests)),
  );
  await pool.end();
  await log.close();
  return {
    requestsPerSecond: rateOf(answers, ({ ms }) => ms / 1000),
    requestsPerCpuSecond: rateOf(answers, ({ cpuUs }) => cpuUs / 1e6),
  };
}

async function clientCredentials(authority: Authority): Promise<ClientCredentials> {
  const server = new ChannelServer({
    address: '127.0.0.1',
    port: 0,
    credentials: await authority.serverCredentials(),
    authority,
    hello: { role: 'intercept', name: 'bench', delivery: 'tunnel', capabilities: [], targets: [] },
    onConnection: () => {},
    onFrame: () => {},
    onClose: () => {},
  });
  await server.listen();
  try {
    const token = await authority.issueToken();
    const store = new MemoryCredentialStore();
    return await join({ host: '127.0.0.1', port: server.port, token, name: 'bench', store });
  } finally {
    await server.close();
  }
}
