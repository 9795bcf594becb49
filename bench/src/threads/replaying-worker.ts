/**
 * One worker of the benchmark of threads: replays its share of a recorded load, captured packets in memory, as fast as it goes, through an
 * engine and a channel with TLS. Intercept and target are in the same process: what they cost, a worker of copy does not have.
 *
 *     recording ──► engine ──PACKETS──► channel, TLS, loopback ──► stand-in of the target
 *                     ▲                                                     │
 *                     └───HEADERS───── channel, TLS, loopback ◄─────────────┘
 */
import {
  Engine,
  FRAME,
  HEADERS_PREFIX_BYTES,
  HeadersPayload,
  RESPONSE_RECORD_BYTES,
  workerOfPort,
  writeHeadersPrefix,
} from '@trafficcopy/core';
import { ENGINE_CONFIG } from '@trafficcopy/core/kit/engine-setup.js';
import { FakeTarget } from '@trafficcopy/core/kit/fake-target.js';
import { Traffic, trafficPort } from '@trafficcopy/core/kit/traffic.js';
import {
  ChannelClient,
  type ChannelConnection,
  ChannelServer,
  type ClientCredentials,
  type ServerCredentials,
  WorkerProcess,
  type WorkerSettings,
} from '@trafficcopy/runtime';

export interface ReplaySettings extends WorkerSettings {
  readonly workers: number;
  readonly server: ServerCredentials;
  readonly client: ClientCredentials;
}

export interface ReplayResult {
  /** Requests that the target has answered, and how long that took. */
  readonly requests: number;
  readonly ms: number;
  readonly cpuUs: number;
  /** Of the recorded requests, the share that is this worker's. */
  readonly share: number;
}

/** Client connections of the recording; each worker has those of its ports. */
const CONNECTIONS = 1000;
const REQUEST_BYTES = 100;
const ANSWER_BYTES = 850;
/** Packets of the recording that are captured at once, as a block of the ring. */
const BLOCK_PACKETS = 100;
/** Of the whole load, before it is measured: the code is compiled then. */
const WARM_UP_REQUESTS = 200_000;
/** Requests that may wait for their answers. */
const PENDING_MAX = 400;
const RECORDS_MAX = 2047;
const ACK_PSH = 0x18;
const SYN = 0x02;
const ACK = 0x10;
const TICK_MS = 5;

interface Client {
  readonly index: number;
  seq: number;
  ack: number;
}

class Replay {
  readonly #engine: Engine;
  readonly #clients: readonly Client[];
  readonly #traffic = new Traffic(4096, 1024 * 1024);
  readonly #target = new FakeTarget(ANSWER_BYTES);
  readonly #headers = new HeadersPayload();
  readonly #answers = new Uint8Array(HEADERS_PREFIX_BYTES + RECORDS_MAX * RESPONSE_RECORD_BYTES);
  readonly #server: ChannelServer;
  readonly #channel: ChannelClient;
  #toTarget: ChannelConnection | undefined;
  #next = 0;
  /** Requests that are still to be captured. */
  #left = 0;
  #onQuiet: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ worker, workers, server, client }: ReplaySettings) {
    this.#clients = Array.from({ length: CONNECTIONS }, (_, index) => ({ index, seq: index * 1000, ack: 5000 })).filter(
      ({ index }) => workerOfPort(trafficPort(index), workers) === worker,
    );
    this.#engine = new Engine({ ...ENGINE_CONFIG, ports: { worker, workers } }, nowMs());
    const hello = { name: 'bench', delivery: 'tunnel', capabilities: [], targets: [] } as const;
    this.#server = new ChannelServer({
      address: '127.0.0.1',
      port: 0,
      credentials: server,
      hello: { ...hello, role: 'intercept' },
      onConnection: () => {},
      onFrame: (connection, type, bytes, offset, length) => {
        if (type === FRAME.PACKETS) this.#answer(connection, bytes, offset, length);
      },
      onClose: () => {},
    });
    this.#channel = new ChannelClient({
      host: '127.0.0.1',
      // Known when the server listens.
      get port() {
        return port();
      },
      credentials: client,
      hello: { ...hello, role: 'copy' },
      onUp: (connection) => {
        this.#toTarget = connection;
        this.#onQuiet?.();
      },
      onFrame: (_connection, type, bytes, offset, length) => {
        if (type === FRAME.HEADERS) this.#answered(bytes, offset, length);
      },
      onDown: (reason) => {
        throw reason;
      },
    });
    const port = (): number => this.#server.port;
  }

  get share(): number {
    return this.#clients.length / CONNECTIONS;
  }

  /** Connects, and opens the clients' connections. */
  async open(): Promise<void> {
    await this.#server.listen();
    await new Promise<void>((resolve) => {
      this.#onQuiet = resolve;
      this.#channel.start();
    });
    this.#timer = setInterval(() => this.#advance(), TICK_MS);
    for (const client of this.#clients) {
      this.#traffic.append(client.index, client.seq, 0, SYN, 0);
      client.seq += 1;
      this.#traffic.append(client.index, client.seq, client.ack, ACK, 0);
    }
    this.#capture();
    await this.run(WARM_UP_REQUESTS);
  }

  /** Replays its share of so many requests, until all are answered. */
  async run(requests: number): Promise<ReplayResult> {
    const { counters } = this.#engine;
    const before = counters.turnsAnswered;
    const cpuBefore = process.cpuUsage();
    const startMs = performance.now();
    this.#left = Math.round(requests * this.share);
    const quiet = new Promise<void>((resolve) => {
      this.#onQuiet = resolve;
    });
    this.#request();
    await quiet;
    const { user, system } = process.cpuUsage(cpuBefore);
    const lost = Object.values(counters.turnsLost).reduce((sum, count) => sum + count, 0);
    if (lost > 0) throw new Error(`${lost} requests were lost: ${JSON.stringify(counters)}`);
    return {
      requests: counters.turnsAnswered - before,
      ms: performance.now() - startMs,
      cpuUs: user + system,
      share: this.share,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#channel.close();
    await this.#server.close();
  }

  /** The next block of the recording, as long as there is room for it. */
  #request(): void {
    const { counters } = this.#engine;
    while (this.#left > 0 && counters.turnsCaptured - counters.turnsAnswered < PENDING_MAX) {
      const packets = Math.min(BLOCK_PACKETS, this.#left);
      this.#left -= packets;
      for (let packet = 0; packet < packets; packet += 1) {
        const client = this.#clients[this.#next]!;
        this.#next = (this.#next + 1) % this.#clients.length;
        this.#traffic.append(client.index, client.seq, client.ack, ACK_PSH, REQUEST_BYTES);
        client.seq += REQUEST_BYTES;
        client.ack += ANSWER_BYTES;
      }
      this.#capture();
    }
    if (this.#left > 0 || counters.turnsCaptured > counters.turnsAnswered) return;
    const onQuiet = this.#onQuiet;
    this.#onQuiet = undefined;
    onQuiet?.();
  }

  #capture(): void {
    this.#engine.ingestCaptured(this.#traffic, nowMs());
    this.#traffic.clear();
    this.#send();
  }

  /** engine --crafted packets--> target */
  #send(): void {
    const output = this.#engine.outputs[0]!;
    if (output.isEmpty) return;
    if (!this.#toTarget!.sendBatch(FRAME.PACKETS, output)) throw new Error('the channel did not take all');
    this.#toTarget!.flush();
    output.clear();
  }

  /** target --response headers--> copy */
  #answer(connection: ChannelConnection, bytes: Uint8Array, offset: number, length: number): void {
    this.#target.clear();
    this.#target.add({ bytes, headroomBytes: offset, length: offset + length });
    const { count } = this.#target;
    for (let first = 0; first < count; first += RECORDS_MAX) {
      const records = Math.min(RECORDS_MAX, count - first);
      const end = (first + records) * RESPONSE_RECORD_BYTES;
      writeHeadersPrefix(this.#answers, 0, RESPONSE_RECORD_BYTES, records);
      this.#answers.set(this.#target.bytes.subarray(first * RESPONSE_RECORD_BYTES, end), HEADERS_PREFIX_BYTES);
      connection.send(FRAME.HEADERS, this.#answers.subarray(0, HEADERS_PREFIX_BYTES + records * RESPONSE_RECORD_BYTES));
    }
    connection.flush();
  }

  #answered(bytes: Uint8Array, offset: number, length: number): void {
    if (!this.#headers.read(bytes, offset, length)) throw new Error('HEADERS that make no sense');
    this.#engine.ingestResponses(0, this.#headers, nowMs());
    this.#send();
    this.#request();
  }

  #advance(): void {
    if (this.#engine.nextDeadlineMs() <= nowMs()) {
      this.#engine.advance(nowMs());
      this.#send();
    }
    this.#request();
  }
}

let replay: Replay | undefined;

WorkerProcess.run<ReplaySettings>({
  open: async (settings) => {
    replay = new Replay(settings);
    await replay.open();
  },
  handlers: { run: (requests: number) => replay!.run(requests) },
  end: async () => {
    await replay?.close();
  },
});

function nowMs(): number {
  return Math.floor(performance.now());
}
