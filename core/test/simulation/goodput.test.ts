/**
 * What loss, round trip and window leave of a target connection's speed: one upload for each, on a clock that is not real. The table is
 * kept beside this file, so that a change of behaviour is a change in it. To write it anew:
 *
 *   TEST_WRITE=1 node --test core/dist/test/simulation/goodput.test.js
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { Random } from '../kit/random.js';
import { Conversation } from './conversation.js';
import { PERFECT_LINK } from './network-link.js';
import type { SocketOptions } from './reference-socket.js';
import { PATIENT } from './server-application.js';
import { World } from './world.js';

const TABLE = new URL('../../../test/simulation/goodput.table', import.meta.url);
const LOSSES = [0, 0.01, 0.02, 0.05, 0.1];
const ROUND_TRIPS_MS = [1, 20, 100];
const WINDOWS = [4096, 65_536, 1_048_576];
const UPLOAD_BYTES = 200_000;
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

function upload(seed: number, loss: number, roundTripMs: number, windowBytes: number): World {
  const shape = { turns: 1, pipelined: 1, requestBytes: () => UPLOAD_BYTES, answerBytes: () => 100 };
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
    targetManner: PATIENT,
    access: PERFECT_LINK,
    path: { ...way, loss },
    headers: { ...way, loss },
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

/** One line: what three seeds give in the middle. */
function row(loss: number, roundTripMs: number, windowBytes: number): string {
  const runs = Array.from({ length: RUNS }, (_, seed) => upload(seed + 1, loss, roundTripMs, windowBytes));
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[RUNS >> 1]!;
  const kilobytes = middle(runs.map((world) => UPLOAD_BYTES / (world.lastReadMs - 1000)));
  const again = middle(runs.map((world) => world.engine.counters.segmentsRetransmitted));
  const lost = middle(runs.map((world) => world.lostTurns));
  const cells = [
    `${loss * 100} %`,
    `${roundTripMs} ms`,
    `${windowBytes >> 10} KiB`,
    kilobytes.toFixed(1),
    `${lost}`,
    `${again}`,
  ];
  return cells.map((cell, index) => cell.padStart(index < 3 ? 9 : 14)).join('');
}

it('one upload keeps the speed that the table has for its loss, round trip and window', () => {
  const names = ['loss', 'rtt', 'window', 'KB/s', 'lost turns', 'repeated'];
  const lines = [names.map((name, index) => name.padStart(index < 3 ? 9 : 14)).join('')];
  for (const loss of LOSSES) {
    for (const roundTripMs of ROUND_TRIPS_MS)
      for (const windowBytes of WINDOWS) lines.push(row(loss, roundTripMs, windowBytes));
  }
  const table = `${lines.join('\n')}\n`;
  if (process.env['TEST_WRITE'] === '1') writeFileSync(TABLE, table);
  assert.equal(
    table,
    readFileSync(TABLE, 'utf8'),
    'the table has changed: look at it, and write it anew with TEST_WRITE=1',
  );
});
