/**
 * What measuring (--measure, --report) costs: the engine between clients that are written into memory and a target that costs next to
 * nothing, with and without a LoadReport, in turns.
 *
 *     node sidecar-copy/dist/bench/measuring.js [--rounds N]
 *
 * Prints the CPU time of the engine for each request, nanoseconds, as the median of the rounds.
 */
import { ACK, Engine, FIN, PSH, SYN } from '@trafficcopy/core';
import { ENGINE_CONFIG } from '@trafficcopy/core/kit/engine-setup.js';
import { FakeTarget } from '@trafficcopy/core/kit/fake-target.js';
import { Traffic } from '@trafficcopy/core/kit/traffic.js';
import { LoadReport } from '../src/report/load-report.js';

const CLIENTS = 20;
const REQUEST_BYTES = 100;
const ANSWER_BYTES = 850;
const ROUND_MS = 1000;
const ROUNDS = Number(process.argv[process.argv.indexOf('--rounds') + 1]) || 7;

type Workload = 'keepAlive' | 'connectionPerRequest';

/** One engine with its clients. */
class Stand {
  readonly engine: Engine;
  readonly #traffic = new Traffic(4096, 1024 * 1024);
  readonly #target = new FakeTarget(ANSWER_BYTES);
  readonly #clients = Array.from({ length: CLIENTS }, (_, index) => ({ index, seq: index * 1000, ack: 5000 }));
  readonly #isClosing: boolean;
  #nowMs = 1;
  #engineMs = 0;

  constructor(workload: Workload, isMeasured: boolean) {
    const meterFor = isMeasured ? new LoadReport(0).meterFor : undefined;
    this.engine = new Engine({ ...ENGINE_CONFIG, meterFor }, 0);
    this.#isClosing = workload === 'connectionPerRequest';
    if (!this.#isClosing) this.#connect();
  }

  /** Nanoseconds of CPU time of the engine for each request, over a round. */
  round(): number {
    this.#engineMs = 0;
    let requests = 0;
    const startMs = performance.now();
    const { user, system } = process.threadCpuUsage();
    while (performance.now() - startMs < ROUND_MS) {
      if (this.#isClosing) this.#connect();
      this.#request();
      if (this.#isClosing) this.#close();
      this.#pass();
      requests += CLIENTS;
    }
    const wallMs = performance.now() - startMs;
    const now = process.threadCpuUsage();
    const cpuShare = (now.user - user + now.system - system) / 1000 / wallMs;
    const { turnsLost } = this.engine.counters;
    if (Object.values(turnsLost).some((count) => count > 0)) throw new Error(`lost: ${JSON.stringify(turnsLost)}`);
    return (this.#engineMs * cpuShare * 1e6) / requests;
  }

  #connect(): void {
    for (const client of this.#clients) {
      this.#traffic.append(client.index, client.seq, 0, SYN, 0);
      client.seq += 1;
      this.#traffic.append(client.index, client.seq, client.ack, ACK, 0);
    }
    this.#run();
  }

  #request(): void {
    for (const client of this.#clients) {
      this.#traffic.append(client.index, client.seq, client.ack, ACK | PSH, REQUEST_BYTES);
      client.seq += REQUEST_BYTES;
      client.ack += ANSWER_BYTES;
    }
    this.#run();
  }

  #close(): void {
    for (const client of this.#clients) {
      this.#traffic.append(client.index, client.seq, client.ack, ACK | FIN, 0);
      client.seq += 1;
      client.ack += 1;
      this.#traffic.append(client.index, client.seq, client.ack, ACK, 0);
      client.seq += 70_000;
      client.index += CLIENTS;
    }
    this.#run();
  }

  #run(): void {
    const output = this.engine.outputs[0]!;
    let startMs = performance.now();
    this.engine.ingestCaptured(this.#traffic, this.#nowMs);
    this.#engineMs += performance.now() - startMs;
    this.#traffic.clear();
    while (!output.isEmpty) {
      this.#target.take(output);
      startMs = performance.now();
      this.engine.ingestResponses(0, this.#target, this.#nowMs);
      this.#engineMs += performance.now() - startMs;
    }
  }

  #pass(): void {
    this.#nowMs += 1;
    if (this.engine.nextDeadlineMs() > this.#nowMs) return;
    const startMs = performance.now();
    this.engine.advance(this.#nowMs);
    this.#engineMs += performance.now() - startMs;
    if (!this.engine.outputs[0]!.isEmpty) this.#run();
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
}

for (const workload of ['keepAlive', 'connectionPerRequest'] as const) {
  const stands = [new Stand(workload, false), new Stand(workload, true)] as const;
  const figures: [number[], number[]] = [[], []];
  for (const stand of stands) stand.round();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, stand] of stands.entries()) figures[index as 0 | 1].push(stand.round());
  }
  const [off, on] = [median(figures[0]), median(figures[1])];
  const text = `${workload}: ${off.toFixed(0)} ns without, ${on.toFixed(0)} ns with measuring, ${(on - off).toFixed(0)} ns more`;
  process.stdout.write(`${text}\n`);
}
