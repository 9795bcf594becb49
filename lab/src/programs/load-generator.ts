/**
 * HTTP clients with latencies: --host --port --connections --requests (for each connection) --total (requests in all, 0: no bound)
 *   --duration-ms (0: until all is done) --rate (requests a second in all, 0: as fast as answers come) --pipeline --body-bytes
 *   --id-start --client-port (all connections one after the other from this port) --client-port-start (each from the next one)
 *   --client-port-count (how many ports there are from that start; each is used again when its connection is closed, the longest unused first)
 *   --pause-ms (between requests of a connection) --path (of all requests, `#` in it stands for the request's number; default: those of a shop)
 *   --nice (leave the processors to everybody else first, 0 to 19)
 * A connection that has made its requests is closed by the client and replaced by a fresh one, until the bounds are reached.
 * `--requests=1` is a connection per request. Questions: run -> LoadReport, stop, progress,
 * lap -> LoadReport whose latencies are those since the lap before.
 */
import { connect, type Socket } from 'node:net';
import { setPriority } from 'node:os';
import { build, type Histogram } from 'hdr-histogram-js';
import type { LoadReport } from '../load-report.js';
import { ProgramControl } from './program-control.js';

const control = new ProgramControl([
  ...['host', 'port', 'connections', 'requests', 'total', 'duration-ms', 'rate', 'pipeline', 'body-bytes', 'id-start'],
  ...[
    'client-port',
    'client-port-start',
    'client-port-count',
    'client-address',
    'pause-ms',
    'connections-total',
    'close',
    'timeout-ms',
    'path',
    'nice',
  ],
]);
const host = control.text('host', '127.0.0.1');
const port = control.number('port', 80);
const connectionsMax = control.number('connections', 20);
const connectionsTotal = control.number('connections-total', 0);
const requestsPerConnection = control.number('requests', 0);
const requestsTotal = control.number('total', 0);
const durationMs = control.number('duration-ms', 0);
const rate = control.number('rate', 0);
const pipeline = Math.max(1, control.number('pipeline', 1));
const bodyBytes = control.number('body-bytes', 0);
const clientPort = control.number('client-port', 0);
const clientPortStart = control.number('client-port-start', 0);
const clientPortCount = control.number('client-port-count', 0);
const clientAddress = control.text('client-address', '');
const pauseMs = control.number('pause-ms', 0);
const closing = control.text('close', 'fin');
const path = control.text('path', '');
const timeoutMs = control.number('timeout-ms', 30_000);

const HEADERS_END = Buffer.from('\r\n\r\n');
const BODY_CHUNK_BYTES = 64 * 1024;
const RETRY_MS = 5;

function newHistogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: 120_000_000, numberOfSignificantValueDigits: 3 });
}

const histogram = newHistogram();
let lapHistogram = newHistogram();
const errors: Record<string, number> = {};
let nextId = control.number('id-start', 0);
let requests = 0;
let responses = 0;
let connections = 0;
let responseBytes = 0;
let isStopping = false;
/** Of `--client-port-count`: the ports that no connection has, the longest unused first. */
const freePorts = Array.from({ length: clientPortCount }, (_, index) => clientPortStart + index);
let startedMs = 0;

/** Requests may begin at the rate's pace only; a slot that was not used is not made up for later than 100 ms. */
let paceMs = 0;
function nextSlotMs(nowMs: number): number {
  if (rate <= 0) return nowMs;
  paceMs = Math.max(paceMs + 1000 / rate, nowMs - 100);
  return paceMs;
}

function isDone(): boolean {
  if (isStopping) return true;
  if (requestsTotal > 0 && requests >= requestsTotal) return true;
  return durationMs > 0 && performance.now() - startedMs >= durationMs;
}

function note(error: string): void {
  errors[error] = (errors[error] ?? 0) + 1;
}

const PATHS = [
  (id: number) => `GET /products/${id % 500}`,
  (id: number) => `GET /search?q=${id % 97}`,
  () => 'POST /cart',
];

/** The local port of the next connection; 0: the kernel's choice. */
function takePort(): number {
  if (clientPortCount > 0) return freePorts.shift()!;
  return clientPortStart > 0 ? clientPortStart + connections : clientPort;
}

/** One HTTP/1.1 connection: sends, reads answers by their content-length, measures. */
class Client {
  readonly #socket: Socket;
  readonly #localPort: number;
  readonly #finish: () => void;
  readonly #sentMs: number[] = [];
  #requests = 0;
  #pending = Buffer.alloc(0);
  #bodyLeft = -1;
  #isClosed = false;
  #isServerClosing = false;

  constructor(finish: () => void) {
    this.#finish = finish;
    this.#localPort = takePort();
    connections += 1;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      ...(this.#localPort > 0 ? { localPort: this.#localPort } : {}),
      ...(clientAddress === '' ? {} : { localAddress: clientAddress }),
    });
    this.#socket.setTimeout(timeoutMs, () => this.#end('timeout'));
    this.#socket.on('connect', () => this.#fill());
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code ?? error.message));
    this.#socket.on('end', () => this.#end(this.#sentMs.length > 0 ? 'closed before the answer' : undefined));
    this.#socket.on('close', () => this.#end(undefined));
  }

  #wantsMore(): boolean {
    return (
      !this.#isServerClosing && !isDone() && (requestsPerConnection === 0 || this.#requests < requestsPerConnection)
    );
  }

  #fill(): void {
    if (this.#isClosed) return;
    if (!this.#wantsMore()) {
      if (this.#sentMs.length === 0) this.#end(undefined);
      return;
    }
    const nowMs = performance.now();
    const slotMs = nextSlotMs(nowMs);
    if (slotMs > nowMs + 0.5) setTimeout(() => this.#send(), slotMs - nowMs);
    else this.#send();
  }

  #send(): void {
    if (this.#isClosed) return;
    let text = '';
    while (this.#sentMs.length < pipeline && this.#wantsMore()) {
      text += this.#request();
      this.#sentMs.push(performance.now());
    }
    if (text !== '') {
      this.#socket.write(text, 'latin1');
      if (bodyBytes > 0) this.#sendBody();
    } else if (this.#sentMs.length === 0) this.#end(undefined);
  }

  #request(): string {
    const id = nextId;
    nextId += 1;
    requests += 1;
    this.#requests += 1;
    const isLast = requestsPerConnection > 0 && this.#requests >= requestsPerConnection;
    const line =
      path !== ''
        ? `GET ${path.replace('#', String(id))}`
        : bodyBytes > 0
          ? 'POST /upload'
          : PATHS[id % 20 === 19 ? 2 : id % 5 === 4 ? 1 : 0]!(id);
    const length = bodyBytes > 0 ? bodyBytes : line.startsWith('POST') ? 18 : 0;
    const lines = [`${line} HTTP/1.1`, `Host: shop.example`, `X-Request-Id: ${id}`, 'User-Agent: lab'];
    if (length > 0) lines.push(`Content-Length: ${length}`);
    if (isLast && closing === 'server') lines.push('Connection: close');
    const body = bodyBytes === 0 && length > 0 ? '{"product":"tent"}' : '';
    return `${lines.join('\r\n')}\r\n\r\n${body}`;
  }

  /** A body whose octets differ by position and by connection, in pieces as the connection takes them. */
  #sendBody(): void {
    let sent = 0;
    let state = (connections * 2654435761) >>> 0;
    const push = (): void => {
      while (sent < bodyBytes && !this.#isClosed) {
        const chunk = Buffer.allocUnsafe(Math.min(BODY_CHUNK_BYTES, bodyBytes - sent));
        for (let at = 0; at < chunk.length; at += 1) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          chunk[at] = state >>> 24;
        }
        sent += chunk.length;
        if (!this.#socket.write(chunk)) {
          this.#socket.once('drain', push);
          return;
        }
      }
    };
    push();
  }

  #read(chunk: Buffer): void {
    responseBytes += chunk.length;
    let rest = this.#pending.length > 0 ? Buffer.concat([this.#pending, chunk]) : chunk;
    this.#pending = Buffer.alloc(0);
    while (rest.length > 0) {
      if (this.#bodyLeft < 0) {
        const end = rest.indexOf(HEADERS_END);
        if (end < 0) {
          this.#pending = Buffer.from(rest);
          return;
        }
        const head = rest.toString('latin1', 0, end);
        this.#bodyLeft = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0);
        if (/connection: *close/i.test(head)) this.#isServerClosing = true;
        if (!head.startsWith('HTTP/1.1 2')) note(head.slice(0, 12));
        rest = rest.subarray(end + HEADERS_END.length);
      }
      const taken = Math.min(this.#bodyLeft, rest.length);
      this.#bodyLeft -= taken;
      rest = rest.subarray(taken);
      if (this.#bodyLeft > 0) return;
      this.#bodyLeft = -1;
      this.#answered();
    }
  }

  #answered(): void {
    const sentMs = this.#sentMs.shift();
    if (sentMs === undefined) {
      note('an answer too many');
      return;
    }
    responses += 1;
    const latencyUs = Math.max(1, Math.round((performance.now() - sentMs) * 1000));
    histogram.recordValue(latencyUs);
    lapHistogram.recordValue(latencyUs);
    if (this.#sentMs.length > 0) return;
    if (pauseMs > 0 && this.#wantsMore()) setTimeout(() => this.#fill(), pauseMs);
    else this.#fill();
  }

  #end(error: string | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (error !== undefined) note(error);
    if (error !== undefined || closing === 'reset') this.#socket.resetAndDestroy();
    else this.#socket.end();
    const gone = (): void => {
      if (clientPortCount > 0) freePorts.push(this.#localPort);
      this.#finish();
    };
    if (this.#socket.closed) gone();
    else this.#socket.once('close', gone);
  }
}

/** One client after the other, until the bounds are reached. */
function lane(): Promise<void> {
  return new Promise((resolve) => {
    const again = (): void => {
      const isEnough = connectionsTotal > 0 && connections >= connectionsTotal;
      if (isDone() || isEnough) {
        resolve();
        return;
      }
      const failedBefore = Object.keys(errors).length;
      new Client(() => {
        const isFailing = Object.keys(errors).length > failedBefore;
        if (isFailing || clientPort > 0) setTimeout(again, RETRY_MS);
        else setImmediate(again);
      });
    };
    again();
  });
}

async function run(): Promise<LoadReport> {
  startedMs = performance.now();
  paceMs = startedMs;
  await Promise.all(Array.from({ length: connectionsMax }, lane));
  return report(histogram);
}

function report(latencies: Histogram): LoadReport {
  return {
    requests,
    responses,
    connections,
    errors,
    responseBytes,
    seconds: (performance.now() - startedMs) / 1000,
    latencyUs: {
      p50: latencies.getValueAtPercentile(50),
      p90: latencies.getValueAtPercentile(90),
      p99: latencies.getValueAtPercentile(99),
      max: latencies.maxValue,
      mean: Math.round(latencies.mean),
    },
  };
}

if (durationMs === 0 && requestsTotal === 0 && connectionsTotal === 0) {
  throw new RangeError('no bound: give --duration-ms, --total or --connections-total');
}
if (clientPortCount > 0 && clientPortCount < connectionsMax) {
  throw new RangeError('--client-port-count: fewer ports than --connections');
}
if (bodyBytes > 0 && pipeline > 1) throw new RangeError('--body-bytes does not go with --pipeline');

setPriority(control.number('nice', 0));
control.on('run', run);
control.on('progress', () => report(histogram));
control.on('lap', () => {
  const lap = report(lapHistogram);
  lapHistogram = newHistogram();
  return lap;
});
control.on('stop', () => {
  isStopping = true;
});
control.ready();
