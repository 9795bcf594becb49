/**
 * What loss, round trip and window leave of a target connection's speed, on a clock that is not real: one upload for each, and one
 * conversation of small requests. The table is kept beside this file, so that a change of behaviour is a change in it. To write it anew:
 *
 *   TEST_WRITE=1 node --test core/dist/test/simulation/goodput.test.js
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { Random } from '../kit/random.js';
import { Conversation, type ConversationOptions } from './conversation.js';
import { PERFECT_LINK } from './network-link.js';
import type { SocketOptions } from './reference-socket.js';
import { PATIENT } from './server-application.js';
import { World } from './world.js';

const TABLE = new URL('../../../test/simulation/goodput.table', import.meta.url);
const LOSSES = [0, 0.01, 0.02, 0.05, 0.1];
const ROUND_TRIPS_MS = [1, 20, 100];
const WINDOWS = [4096, 65_536, 1_048_576];
const UPLOAD_BYTES = 200_000;
const TURNS = 500;
const TURN_BYTES = 300;
const RUNS = 3;

const SOCKET: SocketOptions = {
  iss: 0x7fff_0000,
  mss: 1460,
  isV6: false,
  receiveBufferBytes: 1_048_576,
  windowScale: 7,
  hasTimestamps: true,
  timestampBase: 0,
  timeWaitMs: 1000,
  isSilly: false,
  peerMarkBytes: 0,
};

interface Path {
  readonly roundTripMs: number;
  /** Share of what is lost on the way to the target, and of the headers that come back. */
  readonly loss: number;
  readonly headerLoss: number;
  readonly windowBytes: number;
  /** How long the target thinks about each request. */
  readonly serviceMs: number;
}

function run(seed: number, shape: ConversationOptions, path: Path): World {
  const { roundTripMs, loss, headerLoss, windowBytes, serviceMs } = path;
  const manner = {
    thinkMs: () => 0,
    writeBytes: 0,
    writeMs: 0,
    end: 'close',
    abortAfterMs: 0,
    greetingBytes: 0,
  } as const;
  const way = { ...PERFECT_LINK, delayMs: roundTripMs / 2 };
  const world = new World({
    seed,
    startMs: 1000,
    engine: { seed, responseTimeoutMs: 1e7 },
    isV6: false,
    visits: [[{ conversation: new Conversation(0, new Random(seed), shape), manner, pauseMs: 0 }]],
    clientSocket: () => SOCKET,
    onlineSocket: () => SOCKET,
    targetSocket: () => ({ ...SOCKET, receiveBufferBytes: windowBytes }),
    onlineManner: PATIENT,
    targetManner: { ...PATIENT, serviceMs },
    access: PERFECT_LINK,
    path: { ...way, loss },
    headers: { ...way, loss: headerLoss },
    tooBig: 'nothing',
    captureLoss: 0,
    captureDuplication: 0,
    captureAfterMs: 0,
    faults: [],
    untilMs: 1e7,
  });
  world.run();
  world.check();
  world.checkLossless();
  return world;
}

function upload(seed: number, loss: number, roundTripMs: number, windowBytes: number): World {
  const shape = { turns: 1, pipelined: 1, requestBytes: () => UPLOAD_BYTES, answerBytes: () => 100 };
  return run(seed, shape, { roundTripMs, loss, headerLoss: loss, windowBytes, serviceMs: 0 });
}

function conversation(seed: number, path: Path): World {
  const shape = { turns: TURNS, pipelined: 1, requestBytes: () => TURN_BYTES, answerBytes: () => TURN_BYTES };
  return run(seed, shape, path);
}

function seeds(make: (seed: number) => World): World[] {
  return Array.from({ length: RUNS }, (_, seed) => make(seed + 1));
}

function middle(worlds: readonly World[], of: (world: World) => number): number {
  return worlds.map(of).sort((a, b) => a - b)[RUNS >> 1]!;
}

function line(cells: readonly string[]): string {
  return cells.map((cell, index) => cell.padStart(index < 3 ? 9 : 14)).join('');
}

/** What three seeds give in the middle. */
function uploadRow(loss: number, roundTripMs: number, windowBytes: number): string {
  const runs = seeds((seed) => upload(seed, loss, roundTripMs, windowBytes));
  const kilobytes = middle(runs, (world) => UPLOAD_BYTES / (world.lastReadMs - 1000));
  return line([
    `${loss * 100} %`,
    `${roundTripMs} ms`,
    `${windowBytes >> 10} KiB`,
    kilobytes.toFixed(1),
    `${middle(runs, (world) => world.lostTurns)}`,
    `${middle(runs, (world) => world.engine.counters.segmentsRetransmitted)}`,
  ]);
}

/** `there`: packets are lost on the way to the target only; otherwise as many headers on the way back. */
function conversationRow(loss: number, roundTripMs: number, lossy: 'there' | 'both'): string {
  const headerLoss = lossy === 'both' ? loss : 0;
  const runs = seeds((seed) =>
    conversation(seed, { roundTripMs, loss, headerLoss, windowBytes: 65_536, serviceMs: 0 }),
  );
  return line([
    `${loss * 100} %`,
    `${roundTripMs} ms`,
    lossy,
    middle(runs, (world) => (TURNS / (world.lastReadMs - 1000)) * 1000).toFixed(1),
    `${middle(runs, (world) => world.lostTurns)}`,
    `${middle(runs, (world) => world.engine.counters.segmentsRetransmitted)}`,
  ]);
}

it('uploads and conversations keep the speed that the table has for their loss, round trip and window', () => {
  const lines = [line(['loss', 'rtt', 'window', 'KB/s', 'lost turns', 'repeated'])];
  for (const loss of LOSSES) {
    for (const roundTripMs of ROUND_TRIPS_MS)
      for (const windowBytes of WINDOWS) lines.push(uploadRow(loss, roundTripMs, windowBytes));
  }
  lines.push('', line(['loss', 'rtt', 'way', 'turns/s', 'lost turns', 'repeated']));
  for (const loss of LOSSES) {
    for (const roundTripMs of ROUND_TRIPS_MS)
      for (const lossy of ['there', 'both'] as const) lines.push(conversationRow(loss, roundTripMs, lossy));
  }
  const table = `${lines.join('\n')}\n`;
  if (process.env['TEST_WRITE'] === '1') writeFileSync(TABLE, table);
  assert.equal(
    table,
    readFileSync(TABLE, 'utf8'),
    'the table has changed: look at it, and write it anew with TEST_WRITE=1',
  );
});

it('nothing is sent twice where nothing is lost, however long the target takes and holds its acknowledgements back', () => {
  for (const roundTripMs of ROUND_TRIPS_MS) {
    for (const serviceMs of [0, 1, 10, 39, 41, 100, 500]) {
      const path = { roundTripMs, loss: 0, headerLoss: 0, windowBytes: 65_536, serviceMs };
      for (const bytes of [TURN_BYTES, 2000, 5000]) {
        const shape = { turns: 20, pipelined: 1, requestBytes: () => bytes, answerBytes: () => TURN_BYTES };
        const { counters } = run(1, shape, path).engine;
        const what = `${roundTripMs} ms round trip, ${serviceMs} ms for each answer to ${bytes} octets`;
        assert.equal(counters.turnsDelivered, 20, what);
        assert.equal(counters.segmentsRetransmitted, 0, what);
      }
    }
  }
});
