/** From a seed to everything that a run of the world depends on. */

import { mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { Random } from '../kit/random.js';
import { CONFIG } from '../kit/rig.js';
import type { ClientManner } from './client-application.js';
import { Conversation } from './conversation.js';
import { type LinkOptions, PERFECT_LINK } from './network-link.js';
import type { SocketOptions } from './reference-socket.js';
import { PATIENT, type ServerManner } from './server-application.js';
import type { Visit, WorldOptions } from './world.js';

/** What goes wrong in a run. */
export const KINDS = ['path', 'target', 'fault', 'capture', 'all'] as const;
export type Kind = (typeof KINDS)[number];

export interface Scenario {
  readonly kind: Kind;
  readonly options: WorldOptions;
  /** Whether the engine must lose nothing. */
  readonly isLossless: boolean;
}

const TARGET_V6 = { lane: 0, address: Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3), port: 8080 };

export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  const kind = KINDS[seed % KINDS.length]!;
  const hasPathLoss = kind !== 'capture' || random.chance(0.3);
  const hasTargetWays = kind === 'target' || kind === 'all' || random.chance(0.3);
  const hasFaults = kind === 'fault' || kind === 'all';
  const hasCaptureLoss = kind === 'capture' || kind === 'all';
  const isV6 = random.chance(0.2);
  const mtuBytes = isV6 ? random.pick([1280, 1500, 9000]) : random.pick([300, 576, 1500, 1500, 9000]);
  const accessMss = random.pick([536, 1460, 1460, 16_000]);
  const markSegments = random.chance(0.5);
  const greetingBytes = random.chance(0.15) ? 1 + random.below(200) : 0;
  const onlineManner = { ...PATIENT, greetingBytes, serviceMs: random.pick([0, 1, 20, 200]) };
  const targetManner: ServerManner = {
    ...(hasTargetWays ? targetWays(random) : PATIENT),
    greetingBytes,
    ...(hasFaults ? { fate: targetFate(random) } : {}),
  };
  const options: WorldOptions = {
    seed,
    startMs: random.below(2 ** 31),
    isV6,
    engine: {
      mappings: [
        isV6 ? { ...mappingTo({ ...TARGET, endpoints: [TARGET_V6] }), ipVersion: 6 } : mappingTo(target(random)),
      ],
      copies: random.pick([1, 1, 1, 2, 3]),
      wait: random.chance(0.8),
      mtuBytes,
      markSegments,
      seed: random.below(2 ** 32),
      responseTimeoutMs: hasFaults ? 20_000 : 3_000_000,
      idleTimeoutMs: 100_000,
      limits: { ...CONFIG.limits, batchPacketsMax: random.pick([8, 64, 4096]) },
    },
    visits: visits(random, greetingBytes, kind),
    clientSocket: () => socket(random, accessMss, 256 * 1024, isV6, 0),
    onlineSocket: () => socket(random, accessMss, 256 * 1024, isV6, 0),
    targetSocket: () => targetSocket(random, hasTargetWays, isV6, markSegments ? 4 : 0),
    onlineManner,
    targetManner,
    access: link(random, kind === 'path' ? 0.01 : 0.03),
    path: {
      ...(hasPathLoss ? link(random, random.pick([0, 0.02, 0.05, 0.2])) : PERFECT_LINK),
      mtuBytes: pathMtu(random, isV6),
    },
    headers: {
      ...PERFECT_LINK,
      delayMs: random.pick([0.1, 5]),
      loss: hasPathLoss ? random.pick([0, 0, 0.02, 0.1]) : 0,
    },
    tooBig: random.pick(['mtu', 'no-mtu', 'nothing']),
    captureLoss: hasCaptureLoss ? random.pick([0.003, 0.01, 0.05]) : 0,
    captureDuplication: random.chance(0.2) ? 0.3 : 0,
    captureAfterMs: hasCaptureLoss && random.chance(0.3) ? random.below(2000) : 0,
    faults: hasFaults ? faults(random) : [],
    untilMs: 4_000_000,
  };
  const isLossless = !hasFaults && !hasCaptureLoss;
  // The answer to the first of several requests looks like online's word that it has what a slow client must repeat yet.
  const isPipelined = options.visits
    .flat()
    .some(({ conversation }) => conversation.turns.some(({ length }) => length > 1));
  if (!isLossless || !isPipelined) return { kind, options, isLossless };
  return { kind, options: { ...options, access: { ...options.access, loss: 0 } }, isLossless };
}

function target(random: Random): ReturnType<typeof targetAt> {
  const known = random.pick([true, false, undefined]);
  return { ...targetAt('target', {}), closesAfterAnswer: known };
}

function link(random: Random, loss: number): LinkOptions {
  return {
    loss,
    duplication: random.pick([0, 0, 0.02]),
    reordering: random.pick([0, 0, 0.02, 0.2]),
    delayMs: random.pick([0.05, 1, 20, 100]),
    jitterMs: random.pick([0, 0.5, 10]),
    mtuBytes: 65_535,
  };
}

function pathMtu(random: Random, isV6: boolean): number {
  if (random.chance(0.8)) return 65_535;
  return isV6 ? random.pick([1280, 1400]) : random.pick([576, 1006, 1300]);
}

/** Numbers that wrap soon, or cross the sign bit. */
function nearEdge(random: Random): number {
  return (random.pick([0, 0x7fff_0000, 0xffff_0000]) + random.below(0x10000)) | 0;
}

function socket(random: Random, mss: number, bufferBytes: number, isV6: boolean, markBytes: number): SocketOptions {
  return {
    iss: nearEdge(random),
    mss,
    isV6,
    receiveBufferBytes: bufferBytes,
    windowScale: random.pick([7, 7, 3, -1]),
    hasTimestamps: random.chance(0.8),
    timestampBase: nearEdge(random) >>> 0,
    timeWaitMs: random.pick([1000, 60_000]),
    isSilly: false,
    peerMarkBytes: markBytes,
  };
}

function targetSocket(random: Random, hasWays: boolean, isV6: boolean, markBytes: number): SocketOptions {
  const mss = hasWays ? random.pick([0, 88, 536, 1460, 8960]) : 1460;
  const bufferBytes = hasWays ? random.pick([600, 4096, 16_384, 256 * 1024]) : 256 * 1024;
  const isSilly = hasWays && random.chance(0.2);
  return { ...socket(random, mss, bufferBytes, isV6, markBytes), isSilly };
}

function targetWays(random: Random): ServerManner {
  return {
    ...PATIENT,
    serviceMs: random.pick([0, 0, 5, 100]),
    readBytes: random.pick([0, 0, 100, 2000]),
    readMs: random.pick([1, 10]),
    readAfterMs: random.pick([0, 0, 50, 3000]),
    answerMore: random.pick([0, 0, -20, -5000, 30, 5000]),
    isHalfClosed: random.chance(0.03),
  };
}

function targetFate(random: Random): ServerManner['fate'] {
  const close = random.pick([0, 0.05, 0.5, 1]);
  const abort = random.pick([0, 0.05, 0.2]);
  const silent = random.pick([0, 0, 0.02]);
  return (dice) => {
    const roll = dice.next();
    if (roll < silent) return 'silent';
    if (roll < silent + abort) return 'abort';
    return roll < silent + abort + close ? 'close' : 'stay';
  };
}

function faults(random: Random): WorldOptions['faults'] {
  return Array.from({ length: random.below(5) }, () => ({
    atMs: random.below(5000),
    kind: random.pick(['reboot', 'deaf', 'listen', 'channel'] as const),
  }));
}

function visits(random: Random, greetingBytes: number, kind: Kind): Visit[][] {
  let number = 0;
  const isLarge = random.chance(0.15);
  return Array.from({ length: 1 + random.below(3) }, () =>
    Array.from({ length: 1 + random.below(4) }, () => {
      const pipelined = isLarge ? 1 : random.pick([1, 1, 3]);
      const conversation = new Conversation(number, random, {
        turns: 1 + random.below(isLarge ? 2 : 6),
        pipelined,
        requestBytes: () => (isLarge ? random.below(100_000) : random.below(random.chance(0.1) ? 8000 : 500)),
        answerBytes: () => 1 + random.below(random.chance(0.1) ? 30_000 : 500),
      });
      number += 1;
      return {
        conversation,
        manner: clientManner(random, greetingBytes, kind, pipelined),
        pauseMs: random.pick([0, 1, 500]),
      };
    }),
  );
}

function clientManner(random: Random, greetingBytes: number, kind: Kind, pipelined: number): ClientManner {
  const thinkMs = random.pick([0, 0, 5, 300]);
  return {
    thinkMs: () => thinkMs,
    // Who has answers before it has said all cannot be told from one who begins another turn; nor, where octets were not
    // captured, a request in pieces from several.
    writeBytes: pipelined > 1 || kind === 'capture' || kind === 'all' ? 0 : random.pick([0, 0, 50, 3000]),
    writeMs: random.pick([0.2, 10]),
    end: random.pick(['close', 'close', 'abort', 'half-close', 'vanish']),
    abortAfterMs: kind !== 'path' && random.chance(0.1) ? 1 + random.below(500) : 0,
    greetingBytes,
  };
}
