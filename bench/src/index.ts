/**
 * The benchmark: every contender on every workload, in turn, and the client's latency with copying off and on. Writes
 * docs/benchmarks.md. Flags: --rounds N --seconds N --only TEXT (contenders whose names contain it) --output FILE.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LabError, runCommand } from '@trafficcopy/lab';
import { measureLatency, measureRound } from './bench-lab.js';
import { type BenchmarkResult, benchmarkPage, type WorkloadResult } from './benchmark-page.js';
import { CContender } from './c-contender.js';
import type { Contender } from './contender.js';
import { medians, type Round } from './measurement.js';
import { OwnContender } from './own-contender.js';
import { WORKLOADS, type Workload } from './workload.js';

const ROOT = new URL('../../../', import.meta.url);
const ENGINE = fileURLToPath(new URL('core/dist/bench/engine.js', ROOT));
const THREADS = fileURLToPath(new URL('bench/dist/src/threads/index.js', ROOT));
const MAIN = 'Tunnel, TLS';
const PLAIN = 'Tunnel, plain TCP';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    output: { type: 'string', default: fileURLToPath(new URL('docs/benchmarks.md', ROOT)) },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function contenders(): Promise<Contender[]> {
  const inC = await CContender.fromEnvironment(process.env);
  const all: Contender[] = [
    new OwnContender({ name: MAIN, delivery: 'tunnel', isSecure: true }),
    new OwnContender({ name: PLAIN, delivery: 'tunnel', isSecure: false }),
    new OwnContender({ name: 'Direct, TLS', delivery: 'direct', isSecure: true }),
    new OwnContender({ name: 'Direct, plain TCP', delivery: 'direct', isSecure: false }),
    new OwnContender({
      name: 'Tunnel, TLS, --capture=cap',
      delivery: 'tunnel',
      isSecure: true,
      copyFlags: ['--capture=cap'],
      onlyWorkload: 'keep-alive',
    }),
    new OwnContender({
      name: 'Tunnel, TLS, --queue=nfqueue',
      delivery: 'tunnel',
      isSecure: true,
      interceptFlags: ['--queue=nfqueue'],
      onlyWorkload: 'keep-alive',
    }),
    ...(inC === undefined ? [] : [inC]),
  ];
  return all.filter((contender) => contender.name.includes(values.only));
}

async function measure(everybody: readonly Contender[], workload: Workload): Promise<WorkloadResult> {
  const all = everybody.filter(({ onlyWorkload }) => onlyWorkload === undefined || onlyWorkload === workload.name);
  const measured = new Map<string, Round[]>(all.map((contender) => [contender.name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of all) {
      const result = await measureRound(contender, workload, seconds);
      measured.get(contender.name)!.push(result);
      say(
        `${workload.name.padEnd(26)} ${contender.name.padEnd(30)} round ${round}: ${Math.round(result.requestsPerSecond)}/s, ` +
          `copy ${result.copyUs.toFixed(1)} us, intercept ${result.interceptUs.toFixed(1)} us, missing ${result.missing}`,
      );
    }
  }
  const rows = [...measured].map(([name, list]) => ({
    name,
    round: medians(list),
    missing: list.reduce((sum, { missing }) => sum + missing, 0),
    requests: list.reduce((sum, { requests }) => sum + requests, 0),
  }));
  const main = all.find(({ name }) => name === MAIN);
  if (main === undefined) return { workload, rows, latency: undefined };
  const latencies = [];
  for (let round = 1; round <= rounds; round += 1) latencies.push(await measureLatency(main, workload, seconds));
  const latency = medians(latencies);
  say(
    `${workload.name.padEnd(26)} client p99 ${Math.round(latency.p99OffUs)} us off, ${Math.round(latency.p99OnUs)} us on`,
  );
  return { workload, rows, latency };
}

/** What a benchmark of its own prints. */
async function linesOf(program: string): Promise<string[]> {
  if (!existsSync(program)) return [];
  const { status, stdout, stderr } = await runCommand(process.execPath, [program], { timeoutMs: 240_000 });
  if (status !== 0) throw new LabError('ERR_LAB_COMMAND', `${program} ended with status ${status}: ${stderr}`);
  return stdout.trimEnd().split('\n');
}

const all = await contenders();
const workloads: WorkloadResult[] = [];
for (const workload of WORKLOADS) workloads.push(await measure(all, workload));
const result: BenchmarkResult = {
  workloads,
  rounds,
  seconds,
  engine: await linesOf(ENGINE),
  threads: await linesOf(THREADS),
  main: MAIN,
  plain: PLAIN,
};
writeFileSync(values.output, benchmarkPage(result));
say(`bench: wrote ${values.output}`);
