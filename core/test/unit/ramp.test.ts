/** Load that is raised over time (-g), small shares (-r below 1), and replaced addresses (-c) of both IP versions. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EngineConfig } from '../../src/engine-config.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { Rig } from '../kit/rig.js';

const HOUR_MS = 3_600_000;

function clients(count: number, firstPort = 20_000): Client[] {
  return Array.from({ length: count }, (_, index) => new Client({ clientPort: firstPort + index }));
}

function rigWith(config: Partial<EngineConfig>): Rig {
  return new Rig({ sample: { fraction: 1, by: 'connection', seed: 5 }, ...config }, answerAll);
}

function open(rig: Rig, client: Client): void {
  rig.capture(client.syn(), client.acknowledge());
  turn(rig, client);
}

function turn(rig: Rig, client: Client, text = 'x'): void {
  rig.capture(client.send(text));
  client.hear(100);
}

function end(rig: Rig, all: readonly Client[]): void {
  for (const client of all) rig.capture(client.acknowledge(), client.fin());
  rig.wait(11_000);
  rig.checkEnd();
}

/** With how many copies connections are copied that are opened after so much of the ramp, by the port of the client. */
function copiesAfter(share: number, count: number, config: Partial<EngineConfig>): Map<number, number> {
  const rig = rigWith(config);
  rig.engine.setRamp(rig.nowMs, HOUR_MS);
  rig.wait(share * HOUR_MS);
  const copies = new Map<number, number>();
  const all = clients(count);
  for (const client of all) {
    const before = rig.target.connections.length;
    open(rig, client);
    copies.set(client.base.clientPort, rig.target.connections.length - before);
  }
  end(rig, all);
  return copies;
}

function sumOf(copies: ReadonlyMap<number, number>): number {
  return [...copies.values()].reduce((sum, count) => sum + count, 0);
}

describe('a ramp', () => {
  it('begins with nothing, ends with all copies, and has as large a share of them as of its time in between', () => {
    const shares = [0, 0.1, 0.25, 0.5, 0.9, 1];
    const steps = shares.map((share) => copiesAfter(share, 600, { copies: 3 }));
    assert.equal(sumOf(steps[0]!), 0);
    assert.deepEqual(new Set(steps[5]!.values()), new Set([3]));
    for (const [index, share] of shares.entries()) {
      // Of 600 connections a share of 0.5 at most is chosen by chance: five standard deviations are 62.
      assert.ok(Math.abs(sumOf(steps[index]!) - 1800 * share) <= 62, `${sumOf(steps[index]!)} at ${share}`);
      // Uniform: no connection is two copies ahead of another.
      const least = Math.min(...steps[index]!.values());
      assert.ok([...steps[index]!.values()].every((copies) => copies - least <= 1));
    }
    for (const [index, step] of steps.slice(1).entries()) {
      for (const [port, copies] of steps[index]!) assert.ok(step.get(port)! >= copies, `sticky: ${port}`);
    }
  });

  it('of a share (-r) raises that share and nothing else', () => {
    const sample = { fraction: 0.2, by: 'connection', seed: 5 } as const;
    const whole = copiesAfter(1, 600, { sample });
    const half = copiesAfter(0.5, 600, { sample });
    const chosen = [...whole].filter(([, copies]) => copies === 1).map(([port]) => port);
    const early = [...half].filter(([, copies]) => copies === 1).map(([port]) => port);
    // Binomial(600, 0.2) and (600, 0.1): five standard deviations are 49 and 37.
    assert.ok(Math.abs(chosen.length - 120) <= 49, `${chosen.length}`);
    assert.ok(Math.abs(early.length - 60) <= 37, `${early.length}`);
    assert.ok(early.every((port) => chosen.includes(port)));
  });

  it('a running connection gets its further copies with its next turns, and they begin there', () => {
    const rig = rigWith({ copies: 4 });
    rig.engine.setRamp(rig.nowMs, 400_000);
    const client = new Client();
    rig.wait(100_000);
    open(rig, client);
    assert.equal(rig.target.connections.length, 1);
    const numbers: number[] = [];
    for (const name of ['b', 'c', 'd', 'e']) {
      rig.wait(100_000);
      turn(rig, client, name);
      numbers.push(rig.target.connections.length);
    }
    assert.deepEqual(numbers, [2, 3, 4, 4]);
    assert.deepEqual(rig.target.streams().sort(), ['cde', 'de', 'xbcde', 'bcde'].sort());
    end(rig, [client]);
    assert.deepEqual(rig.terminals(), { copied: 4 });
    assert.deepEqual(rig.lost(), {});
  });

  it('a running connection that was not due is joined at a turn when it is', () => {
    const rig = rigWith({});
    rig.engine.setRamp(rig.nowMs, 100_000);
    const client = new Client();
    open(rig, client);
    assert.equal(rig.target.connections.length, 0);
    rig.wait(100_000);
    // The first turn makes it known as running, the next one is joined.
    turn(rig, client, 'y');
    turn(rig, client, 'z');
    assert.deepEqual(rig.target.streams(), ['z']);
    end(rig, [client]);
    assert.deepEqual(rig.terminals(), { copied: 1, sampledOut: 1 });
  });

  it('copies that a connection did not live to get are in the ledger as sampledOut', () => {
    const rig = rigWith({ copies: 5 });
    rig.engine.setRamp(rig.nowMs, 500_000);
    rig.wait(200_000);
    const client = new Client();
    open(rig, client);
    end(rig, [client]);
    assert.deepEqual(rig.terminals(), { copied: 2, sampledOut: 3 });
  });
});

describe('a share below one percent', () => {
  it('-r 0.5 of 20,000 connections is within binomial bounds, and part of -r 1', () => {
    const chosen = (fraction: number): Set<number> => {
      const rig = rigWith({ sample: { fraction, by: 'connection', seed: 5 } });
      const ports = new Set<number>();
      for (let index = 0; index < 20_000; index += 1) {
        const client = new Client({ clientPort: 20_000 + index });
        const before = rig.engine.counters.sessionsStarted;
        rig.capture(client.syn());
        if (rig.engine.counters.sessionsStarted === before) continue;
        ports.add(20_000 + index);
        rig.capture(client.acknowledge(), client.reset());
      }
      assert.equal(rig.engine.counters.terminal.sampledOut, 20_000 - ports.size);
      return ports;
    };
    const half = chosen(0.005);
    const one = chosen(0.01);
    // Binomial(20,000, 0.005) and (20,000, 0.01): five standard deviations are 50 and 70.
    assert.ok(Math.abs(half.size - 100) <= 50, `${half.size}`);
    assert.ok(Math.abs(one.size - 200) <= 70, `${one.size}`);
    assert.ok([...half].every((port) => one.has(port)));
    assert.ok([...one].some((port) => !half.has(port)));
  });
});
