/**
 * Whole runs of clients, online, target and networks between them, each made by its seed. Runs as many as fit into the time:
 *
 *   TEST_SIMULATION_MS=600000 node --test core/dist/test/simulation/simulation.test.js    ten minutes of them
 *   TEST_FIRST_SEED=<seed> ...                                                            from another seed on than 1
 *   TEST_SEED=<seed> node --test core/dist/test/simulation/simulation.test.js             one, as a failure names it
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KINDS, scenarioOf } from './scenario.js';
import { World } from './world.js';

const BUDGET_MS = Number(process.env['TEST_SIMULATION_MS'] ?? 15_000);
/** In a time of nothing at all there are these. */
const SEEDS_MIN = 50;

function runSeed(seed: number): World {
  const { options, isLossless } = scenarioOf(seed);
  const world = new World(options);
  world.run();
  world.check();
  if (isLossless) world.checkLossless();
  return world;
}

function named(seed: number): World {
  try {
    return runSeed(seed);
  } catch (error) {
    const again = `TEST_SEED=${seed} node --test core/dist/test/simulation/simulation.test.js`;
    throw new Error(`seed ${seed} (${KINDS[seed % KINDS.length]}): ${(error as Error).message}; again: ${again}`, {
      cause: error,
    });
  }
}

describe('simulation', () => {
  it('keeps the ledger, delivers once and in order, and loses nothing where only the path loses', (context) => {
    const given = process.env['TEST_SEED'];
    if (given !== undefined) {
      named(Number(given));
      return;
    }
    const first = Number(process.env['TEST_FIRST_SEED'] ?? 1);
    const end = performance.now() + BUDGET_MS;
    const sums = { connections: 0, turns: 0, lost: 0, retransmissions: 0 };
    let seeds = 0;
    for (; performance.now() < end || seeds < SEEDS_MIN; seeds += 1) {
      const { counters } = named(first + seeds).engine;
      sums.connections += counters.connectionsSeen;
      sums.turns += counters.turnsCaptured;
      sums.lost += counters.turnsCaptured - counters.turnsDelivered;
      sums.retransmissions += counters.segmentsRetransmitted;
    }
    context.diagnostic(`${seeds} seeds from ${first}: ${JSON.stringify(sums)}`);
  });

  it('is the same run for the same seed', () => {
    for (let seed = 1; seed <= 2 * KINDS.length; seed += 1) {
      const once = runSeed(seed);
      const again = runSeed(seed);
      assert.equal(once.digest, again.digest, `seed ${seed}`);
      assert.deepEqual(once.engine.counters, again.engine.counters);
    }
  });
});
