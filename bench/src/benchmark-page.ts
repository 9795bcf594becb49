import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import type { LatencyRound, Round } from './measurement.js';
import type { Workload } from './workload.js';

export interface WorkloadResult {
  readonly workload: Workload;
  /** Contenders in their order, each with the medians of its rounds and the sum of missing requests over them. */
  readonly rows: readonly {
    readonly name: string;
    readonly round: Round;
    readonly missing: number;
    readonly requests: number;
  }[];
  readonly latency: LatencyRound | undefined;
}

export interface BenchmarkResult {
  readonly workloads: readonly WorkloadResult[];
  readonly rounds: number;
  readonly seconds: number;
  /** What the engine's own benchmark said, line by line. */
  readonly engine: readonly string[];
  /** What the benchmark of threads said. */
  readonly threads: readonly string[];
  /** The contender that the latencies and the aims are about. */
  readonly main: string;
  /** The same with a plain channel. */
  readonly plain: string;
}

const us = (value: number): string => value.toFixed(1);
const count = (value: number): string => Math.round(value).toLocaleString('en-US');

/** docs/benchmarks.md, whole: generated, never edited. */
export function benchmarkPage(result: BenchmarkResult): string {
  return [
    '# Benchmarks',
    '',
    '<!-- Written by `make bench`. Do not edit: run it. -->',
    '',
    ...introduction(result),
    ...result.workloads.flatMap(workloadSection),
    ...latencySection(result),
    ...aimSection(result),
    ...engineSection(result.engine),
    ...threadsSection(result),
    ...methodSection(result),
  ].join('\n');
}

function introduction({ rounds, seconds }: BenchmarkResult): string[] {
  return [
    `nginx to nginx on one machine, in network namespaces, all parts on the same processors: ${machine()}.`,
    `Medians of ${rounds} rounds of ${seconds} s each; CPU is user and system time of the process for each request of the client, from /proc.`,
    'The CPU of intercept includes what the kernel of the target does to receive the copied packets.',
    'In Direct delivery the sender of a packet pays here for its way through both network stacks, since the hosts share one kernel; between machines it does not.',
    '',
  ];
}

function machine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${model}, ${memory} GiB, Linux ${release()}, Node.js ${process.versions.node}, ${distribution()}`;
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown distribution';
  } catch {
    return 'unknown distribution';
  }
}

function workloadSection({ workload, rows }: WorkloadResult): string[] {
  return [
    `## ${workload.name[0]!.toUpperCase()}${workload.name.slice(1)}`,
    '',
    '20 connections of wrk at full speed.',
    '',
    '| way to copy | requests/s | copy, us/request | intercept, us/request | nginx online / target, us | requests of all rounds | missing at the target |',
    '|---|---:|---:|---:|---:|---:|---:|',
    ...rows.map(
      ({ name, round, missing, requests }) =>
        `| ${name} | ${count(round.requestsPerSecond)} | ${us(round.copyUs)} | ${us(round.interceptUs)} | ${us(round.onlineUs)} / ${us(round.targetUs)} | ${count(requests)} | ${loss(missing, requests)} |`,
    ),
    '',
  ];
}

function loss(missing: number, requests: number): string {
  if (missing === 0) return '0';
  const share = ((Math.abs(missing) / Math.max(1, requests)) * 100).toFixed(2);
  return missing > 0 ? `${count(missing)} (${share} %)` : `${count(-missing)} too many (${share} %)`;
}

function latencySection({ workloads, main }: BenchmarkResult): string[] {
  const measured = workloads.filter((entry) => entry.latency !== undefined);
  if (measured.length === 0) return [];
  return [
    '## What the client notices',
    '',
    `At a fixed rate, with copying (${main}) off, on and off again in one run; «off» is the mean of both.`,
    '',
    '| traffic | requests/s | p50 off, us | p50 on, us | p99 off, us | p99 on, us |',
    '|---|---:|---:|---:|---:|---:|',
    ...measured.map(
      ({ workload, latency }) =>
        `| ${workload.name} | ${count(workload.pacedRate)} | ${count(latency!.p50OffUs)} | ${count(latency!.p50OnUs)} | ${count(latency!.p99OffUs)} | ${count(latency!.p99OnUs)} |`,
    ),
    '',
  ];
}

function aimSection({ workloads, main, plain }: BenchmarkResult): string[] {
  const verdicts = workloads.flatMap(({ workload, rows }) => {
    const row = rows.find(({ name }) => name === main);
    if (row === undefined) return [];
    const { copyUs } = row.round;
    const shortUs = copyUs - workload.copyUsAim;
    const verdict =
      shortUs <= 0 ? 'reached' : `short by ${us(shortUs)} us (${Math.round((shortUs / workload.copyUsAim) * 100)} %)`;
    const line = `| ${workload.name} | ${workload.copyUsAim} | ${us(copyUs)} | ${verdict} | ${loss(row.missing, row.requests)} |`;
    const plainRow = rows.find(({ name }) => name === plain);
    return [{ line, reason: shortUs <= 0 ? undefined : reason(workload, row.round, plainRow?.round) }];
  });
  const reasons = verdicts.flatMap((verdict) => (verdict.reason === undefined ? [] : [verdict.reason]));
  return [
    '## Against the aims',
    '',
    `The design's aims for the copy, with TLS (${main}):`,
    '',
    '| traffic | aim, us/request | measured | | missing |',
    '|---|---:|---:|---|---:|',
    ...verdicts.map(({ line }) => line),
    '',
    ...(reasons.length === 0 ? [] : [...reasons, '']),
  ];
}

/** Where the time goes, as far as the figures of this run tell. */
function reason(workload: Workload, round: Round, plain: Round | undefined): string {
  const kernel = `${us(round.copySystemUs)} us of it are spent in the kernel (ring wake-ups, reads and writes of the channel)`;
  const tls =
    plain === undefined
      ? ''
      : `, ${us(Math.max(0, round.copyUs - plain.copyUs))} us are the price of TLS against the plain channel`;
  return `Why ${workload.name} falls short: ${kernel}${tls}; the rest is JavaScript, see the engine's own figures below.`;
}

function engineSection(engine: readonly string[]): string[] {
  if (engine.length === 0) return [];
  return ['## The engine alone', '', '```', ...engine, '```', ''];
}

function threadsSection({ threads, workloads, main }: BenchmarkResult): string[] {
  if (threads.length === 0) return [];
  const row = workloads.find(({ workload }) => !workload.isClosing)?.rows.find(({ name }) => name === main);
  const oneThread =
    row === undefined
      ? []
      : [
          `One thread: the row «${main}» of the keep-alive table, ${count(row.round.requestsPerSecond)} requests/s of real clients with TLS on, missing at the target: ${loss(row.missing, row.requests)}.`,
        ];
  return [
    '## Threads',
    '',
    ...oneThread,
    'More threads, where the load generator is not the limit: workers replay their shares of a recorded load (1,000 connections, keep-alive) through engine and channel with TLS, to a stand-in of intercept and target',
    'in the same process (`node bench/dist/src/threads/index.js`). The figure is the rate of the whole load at which the first worker has as much as it can do; nothing was lost up to it.',
    '',
    '```',
    ...threads,
    '```',
    '',
  ];
}

function methodSection({ seconds }: BenchmarkResult): string[] {
  return [
    '## How it is measured',
    '',
    `\`make bench\` builds three network namespaces on one switch, starts nginx (one process) as online and as target, starts the programs by their`,
    `commands, warms them up, and drives ${seconds} s of wrk. Requests are counted in the access logs of both servers. Everything shares the processors, so`,
    'requests/s fall with what the parts cost; the CPU figures are what to compare. `TCPCOPY_BIN` and `INTERCEPT_BIN` add a pair of C programs to every table.',
    'Every contender takes its rounds in turn with the others, so that what else the machine does meets all of them.',
    '',
  ];
}
