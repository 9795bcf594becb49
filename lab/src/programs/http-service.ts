/**
 * A small shop's HTTP service in two versions, the one that runs and its successor: --port --version --work-us
 *   GET /products/ID, GET /search?q=, POST /cart; every request carries an `x-request-id` (a number) for exact accounting.
 * The second version answers with other fields and lengths, as a successor does.
 * --odd-every N: every Nth product has another price; --noisy: each answer has a token of its own in a header and in its body.
 * Questions: totals -> {requests, distinct, twice}, forget (counts anew), ids -> base64 of one octet for each id (how often it arrived, 255 = more).
 */
import { randomBytes, randomInt } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { ProgramControl } from './program-control.js';

const IDS_MAX = 16 * 1024 * 1024;

const control = new ProgramControl(['port', 'version', 'ids-max', 'odd-every', 'noisy']);
const version = control.number('version', 1);
const oddEvery = control.number('odd-every', 0);
const isNoisy = control.number('noisy', 0) === 1;
const seen = new Uint8Array(Math.min(control.number('ids-max', 1_000_000), IDS_MAX));
const totals = { requests: 0, distinct: 0, twice: 0, unnumbered: 0 };

const CATALOGUE = ['kettle', 'lantern', 'compass', 'blanket', 'thermos', 'hammock', 'torch', 'stove'];

function count(request: IncomingMessage): void {
  totals.requests += 1;
  const id = Number(request.headers['x-request-id'] ?? Number.NaN);
  if (!Number.isInteger(id) || id < 0 || id >= seen.length) {
    totals.unnumbered += 1;
    return;
  }
  if (seen[id] === 0) totals.distinct += 1;
  else totals.twice += 1;
  seen[id] = Math.min(255, seen[id]! + 1);
}

function product(number: number): Record<string, unknown> {
  const name = CATALOGUE[number % CATALOGUE.length]!;
  const isOdd = oddEvery > 0 && number % oddEvery === 0;
  const price = 500 + ((number * 37) % 4500) + (isOdd ? 1 : 0);
  const basic = { id: number, ...(isNoisy ? { token: token() } : {}), name, price };
  if (version === 1) return basic;
  return {
    ...basic,
    currency: 'EUR',
    stock: (number * 13) % 40,
    related: [number + 1, number + 7],
    description: `A ${name} that lasts.`,
  };
}

/** 16 to 24 characters, other ones each time. */
function token(): string {
  return randomBytes(randomInt(8, 13)).toString('hex');
}

function answer(url: string): string {
  const [path = '', query = ''] = url.split('?');
  const [, kind, argument = '0'] = path.split('/');
  if (kind === 'products') return JSON.stringify(product(Number(argument) || 0));
  if (kind === 'search') {
    const length = version === 1 ? 3 : 5;
    return JSON.stringify({ query, results: Array.from({ length }, (_, index) => product(index)) });
  }
  return JSON.stringify({ cart: 'ok', version });
}

const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
  count(request);
  request.resume();
  request.once('end', () => {
    const body = answer(request.url ?? '/');
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-version': version,
      ...(isNoisy ? { 'x-trace': token() } : {}),
    });
    response.end(body);
  });
});
server.on('connection', (socket) => socket.setNoDelay(true));

control.on('totals', () => totals);
control.on('forget', () => {
  seen.fill(0);
  Object.assign(totals, { requests: 0, distinct: 0, twice: 0, unnumbered: 0 });
});
control.on('ids', () => Buffer.from(seen.buffer).toString('base64'));
server.listen({ port: control.number('port', 8080), host: '::', backlog: 4096 }, () => control.ready());
