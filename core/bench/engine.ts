/**
 * What the engine alone costs: no kernel, no channel, no TLS. A client that is written into memory, the engine, a target that
 * costs next to nothing; the CPU time inside the engine is measured apart from theirs.
 *
 *     node core/dist/bench/engine.js [--json] [--seconds N] [--trace] [WORKLOAD…]
 *
 * --trace: while every event of every session is noted and read (SessionTrace); without it the trace is off.
 *
 * With --json one line for each workload: {"workload", "operations", "nsPerOperation", "segmentsPerOperation",
 * "nsPerSegment", "fakeNsPerOperation"}, and one for memory: {"workload": "idleSessions", "sessions",
 * "bytesPerSession"}. Segments are captured packets, sent packets and response records.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Engine } from '../src/engine.js';
import { ACK, FIN, PSH, SYN } from '../src/wire/tcp.js';
import { ENGINE_CONFIG } from '../test/kit/engine-setup.js';
import { FakeTarget } from '../test/kit/fake-target.js';
import { Traffic } from '../test/kit/traffic.js';

const CONNECTIONS = 20;
const REQUEST_BYTES = 100;
const ANSWER_BYTES = 850;
const UPLOAD_BYTES = 1_000_000;
const SEGMENT_BYTES = 1448;
const IDLE_SESSIONS = 10_000;
const IS_TRACED = process.argv.includes('--trace');
const TRACE_EVENTS_MAX = 32_768;

/**
 * CPU time of this thread: other programs on the machine do not count, collecting garbage on this thread does. Asking for it
 * costs more than a segment, so it is asked for once and shared out by the clock.
 */
function cpuUs(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** An engine, its fake target, and the time that each of them took. */
class Stand {
  readonly engine = new Engine(ENGINE_CONFIG, 0);
  readonly traffic = new Traffic(4096, 8 * 1024 * 1024);
  readonly target: FakeTarget;
  nowMs = 1;
  engineMs = 0;
  fakeMs = 0;
  captured = 0;
  responses = 0;

  constructor(answerBytes: number) {
    this.target = new FakeTarget(answerBytes);
    if (IS_TRACED) this.engine.trace.follow([{}], TRACE_EVENTS_MAX);
  }

  /** Captures what is in `traffic`, and lets engine and target talk until neither has anything to say. */
  run(): void {
    const { engine, target, traffic } = this;
    const output = engine.outputs[0]!;
    this.captured += traffic.count;
    let startMs = performance.now();
    engine.ingestCaptured(traffic, this.nowMs);
    let endMs = performance.now();
    this.engineMs += endMs - startMs;
    traffic.clear();
    if (IS_TRACED) engine.trace.drain(() => {});
    while (!output.isEmpty) {
      target.take(output);
      startMs = performance.now();
      this.fakeMs += startMs - endMs;
      this.responses += target.count;
      engine.ingestResponses(0, target, this.nowMs);
      endMs = performance.now();
      this.engineMs += endMs - startMs;
    }
  }

  /** Time passes by `ms`; timers run. */
  pass(ms: number): void {
    this.nowMs += ms;
    const startMs = performance.now();
    if (this.engine.nextDeadlineMs() <= this.nowMs) this.engine.advance(this.nowMs);
    this.engineMs += performance.now() - startMs;
    if (!this.engine.outputs[0]!.isEmpty) this.run();
  }

  reset(): void {
    this.engineMs = 0;
    this.fakeMs = 0;
    this.captured = 0;
    this.responses = 0;
    this.target.packets = 0;
  }
}

interface Client {
  /** Which address and port. */
  index: number;
  seq: number;
  ack: number;
}

/** One operation for each of the clients in one batch. */
type Workload = (stand: Stand, clients: readonly Client[]) => void;

function keepAlive(stand: Stand, clients: readonly Client[]): void {
  for (const client of clients) {
    stand.traffic.append(client.index, client.seq, client.ack, ACK | PSH, REQUEST_BYTES);
    client.seq += REQUEST_BYTES;
    client.ack += ANSWER_BYTES;
  }
  stand.run();
  stand.pass(1);
}

function connect(stand: Stand, clients: readonly Client[]): void {
  for (const client of clients) {
    stand.traffic.append(client.index, client.seq, 0, SYN, 0);
    client.seq += 1;
    stand.traffic.append(client.index, client.seq, client.ack, ACK, 0);
  }
  stand.run();
}

function connectionPerRequest(stand: Stand, clients: readonly Client[]): void {
  connect(stand, clients);
  for (const client of clients) {
    stand.traffic.append(client.index, client.seq, client.ack, ACK | PSH, REQUEST_BYTES);
    client.seq += REQUEST_BYTES;
    client.ack += ANSWER_BYTES;
  }
  stand.run();
  for (const client of clients) {
    stand.traffic.append(client.index, client.seq, client.ack, ACK, 0);
    stand.traffic.append(client.index, client.seq, client.ack, ACK | FIN, 0);
    client.seq += 1;
    client.ack += 1;
    stand.traffic.append(client.index, client.seq, client.ack, ACK, 0);
    client.seq += 70_000;
  }
  stand.run();
  // As fast as a busy server: 20,000 connections in a second, so that ports come free as they do there.
  stand.pass(1);
}

function upload(stand: Stand, clients: readonly Client[]): void {
  const PER_BATCH = 64;
  for (const client of clients) {
    for (let at = 0; at < UPLOAD_BYTES; ) {
      for (let count = 0; count < PER_BATCH && at < UPLOAD_BYTES; count += 1) {
        const bytes = Math.min(SEGMENT_BYTES, UPLOAD_BYTES - at);
        stand.traffic.append(client.index, client.seq, client.ack, ACK | PSH, bytes);
        client.seq += bytes;
        at += bytes;
      }
      stand.run();
    }
    // All uploads are one turn: what the target would answer to each has no part in what an upload costs.
    stand.pass(1);
  }
}

interface Figures {
  readonly workload: string;
  readonly operations: number;
  readonly nsPerOperation: number;
  readonly segmentsPerOperation: number;
  readonly nsPerSegment: number;
  readonly fakeNsPerOperation: number;
}

function measure(
  name: string,
  answerBytes: number,
  seconds: number,
  workload: Workload,
  isConnected: boolean,
): Figures {
  const stand = new Stand(answerBytes);
  const count = name === 'upload1MB' ? 1 : CONNECTIONS;
  const clients = Array.from({ length: count }, (_, index): Client => ({ index, seq: index * 1000, ack: 5000 }));
  if (isConnected) connect(stand, clients);
  let rounds = 0;
  const runFor = (ms: number): void => {
    rounds = 0;
    const end = performance.now() + ms;
    while (performance.now() < end) {
      workload(stand, clients);
      // Connections of their own: each round has other ports, of which none is used again for long.
      if (!isConnected) for (const client of clients) client.index += CONNECTIONS;
      rounds += 1;
    }
  };
  runFor(Math.min(1000, seconds * 500));
  stand.reset();
  const startMs = performance.now();
  const startUs = cpuUs();
  runFor(seconds * 1000);
  const nsPerMs = ((cpuUs() - startUs) * 1000) / (performance.now() - startMs);
  const { counters } = stand.engine;
  const lost = Object.values(counters.turnsLost).reduce((sum, value) => sum + value, 0);
  if (lost > 0) throw new Error(`${name}: the engine lost ${lost} turns: ${JSON.stringify(counters)}`);
  const operations = rounds * clients.length;
  const segments = stand.captured + stand.target.packets + stand.responses;
  return {
    workload: name,
    operations,
    nsPerOperation: Math.round((stand.engineMs * nsPerMs) / operations),
    segmentsPerOperation: Math.round((segments / operations) * 10) / 10,
    nsPerSegment: Math.round((stand.engineMs * nsPerMs) / segments),
    fakeNsPerOperation: Math.round((stand.fakeMs * nsPerMs) / operations),
  };
}

/** What one session costs that has served a request and waits for the next. */
function measureMemory(): { workload: string; sessions: number; bytesPerSession: number } {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const used = (): number => {
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const stand = new Stand(ANSWER_BYTES);
  const clients = Array.from(
    { length: IDLE_SESSIONS },
    (_, index): Client => ({ index, seq: index * 1000, ack: 5000 }),
  );
  const before = used();
  for (let at = 0; at < IDLE_SESSIONS; at += 100) {
    const some = clients.slice(at, at + 100);
    connect(stand, some);
    keepAlive(stand, some);
  }
  stand.pass(1000);
  const after = used();
  const { sessionsOpen } = stand.engine;
  if (sessionsOpen !== IDLE_SESSIONS) throw new Error(`${sessionsOpen} sessions are open`);
  // The tables are sized at start and outside the heap: 24 octets for each place of a flow table, two places for a flow.
  return {
    workload: 'idleSessions',
    sessions: IDLE_SESSIONS,
    bytesPerSession: Math.round((after - before) / IDLE_SESSIONS),
  };
}

function main(argv: readonly string[]): void {
  const isJson = argv.includes('--json');
  const secondsAt = argv.indexOf('--seconds');
  const seconds = secondsAt < 0 ? 2 : Number(argv[secondsAt + 1]);
  const only = argv.filter((argument, index) => !argument.startsWith('--') && index !== secondsAt + 1);
  const isWanted = (name: string): boolean => only.length === 0 || only.includes(name);
  const print = (figures: Figures | ReturnType<typeof measureMemory>): void => {
    if (isJson) console.log(JSON.stringify(figures));
    else if ('bytesPerSession' in figures) console.log(`idle session        ${figures.bytesPerSession} bytes of heap`);
    else {
      const { workload, nsPerOperation, nsPerSegment, segmentsPerOperation, fakeNsPerOperation } = figures;
      const name = workload.padEnd(22);
      console.log(
        `${name}${nsPerOperation} ns each, ${nsPerSegment} ns for each of ${segmentsPerOperation} segments (the fake target: ${fakeNsPerOperation} ns)`,
      );
    }
  };
  if (isWanted('keepAlive')) print(measure('keepAlive', ANSWER_BYTES, seconds, keepAlive, true));
  if (isWanted('connectionPerRequest')) {
    print(measure('connectionPerRequest', ANSWER_BYTES, seconds, connectionPerRequest, false));
  }
  if (isWanted('upload1MB')) print(measure('upload1MB', 0, seconds, upload, true));
  if (isWanted('idleSessions')) print(measureMemory());
}

main(process.argv.slice(2));
