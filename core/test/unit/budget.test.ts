/** The safety budget: a second share, of the connections that -r chooses, and sessions that end for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SHARE_PPM_MAX } from '../../src/engine-config.js';
import { BLOCK_BYTES, ByteStore } from '../../src/session/byte-store.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { Rig } from '../kit/rig.js';

const HALF = SHARE_PPM_MAX / 2;

function clients(count: number, firstPort = 41_000): Client[] {
  return Array.from({ length: count }, (_, index) => new Client({ clientPort: firstPort + index }));
}

function turn(rig: Rig, client: Client, text: string): void {
  rig.capture(client.send(text));
  client.hear(100);
}

function open(rig: Rig, all: readonly Client[]): void {
  for (const client of all) {
    rig.capture(client.syn(), client.acknowledge());
    turn(rig, client, 'one');
  }
}

function end(rig: Rig, all: readonly Client[]): void {
  for (const client of all) rig.capture(client.fin());
  rig.wait(11_000);
}

/** Ports of the clients that arrived at the target. */
function portsOf(rig: Rig): Set<string> {
  return new Set(rig.target.connections.map(({ source }) => source.replace(/.*:/, '')));
}

function rigWith(budgetSharePpm: number, fraction = 1): Rig {
  const rig = new Rig({ sample: { fraction, by: 'connection', seed: 5 } }, answerAll);
  rig.engine.setBudgetShare(budgetSharePpm);
  return rig;
}

describe('beyond the safety budget', () => {
  it('a share of the connections is copied; the others end as overBudget, told from those that -r left out', () => {
    const rig = rigWith(HALF, 0.5);
    const all = clients(400);
    open(rig, all);
    end(rig, all);
    const { copied = 0, sampledOut = 0, overBudget = 0 } = rig.terminals();
    // Binomial(400, 0.5) and (400, 0.25): five standard deviations are 50 and 43.
    assert.ok(Math.abs(sampledOut - 200) < 50, `${sampledOut}`);
    assert.ok(Math.abs(overBudget - 100) < 43, `${overBudget}`);
    assert.equal(copied + sampledOut + overBudget, 400);
    assert.deepEqual(rig.lost(), {});
    rig.checkEnd();
  });

  it('a smaller share is a subset of a larger one', () => {
    const ports = [SHARE_PPM_MAX, HALF, HALF / 2, HALF / 10].map((share) => {
      const rig = rigWith(share);
      open(rig, clients(200));
      return portsOf(rig);
    });
    for (const [index, smaller] of ports.slice(1).entries()) {
      const larger = ports[index]!;
      assert.ok(smaller.size > 0 && smaller.size < larger.size);
      assert.ok([...smaller].every((port) => larger.has(port)));
    }
  });

  it('running sessions go on when the share becomes smaller, even none', () => {
    const rig = rigWith(SHARE_PPM_MAX);
    const all = clients(20);
    open(rig, all);
    rig.engine.setBudgetShare(0);
    for (const client of all) turn(rig, client, 'two');
    end(rig, all);
    assert.equal(rig.engine.counters.turnsDelivered, 40);
    assert.deepEqual(rig.terminals(), { copied: 20 });
    rig.checkEnd();
  });

  it('the share stays when -r changes', () => {
    const rig = rigWith(0);
    rig.engine.setSampleFraction(0.999_999_999);
    const all = clients(10);
    open(rig, all);
    assert.deepEqual(rig.terminals(), { overBudget: 10 });
  });

  it('a connection that was left out is joined like a running one when there is room again', () => {
    const rig = rigWith(0);
    const all = clients(5);
    open(rig, all);
    assert.equal(rig.target.connections.length, 0);
    rig.engine.setBudgetShare(SHARE_PPM_MAX);
    for (const client of all) turn(rig, client, 'not from its beginning');
    for (const client of all) turn(rig, client, 'joined');
    end(rig, all);
    assert.equal(rig.engine.counters.turnsDelivered, 5);
    assert.deepEqual(rig.terminals(), { copied: 5, overBudget: 5 });
    rig.checkEnd();
  });

  it('a connection that waits to be joined is left out by then', () => {
    const rig = rigWith(SHARE_PPM_MAX);
    const client = new Client();
    turn(rig, client, 'running');
    rig.engine.setBudgetShare(0);
    turn(rig, client, 'next');
    assert.deepEqual(rig.terminals(), { overBudget: 1 });
    rig.checkEnd();
  });
});

describe('far beyond the safety budget', () => {
  it('sessions of connections outside of the share end, newest first, reset at the target and counted', () => {
    const rig = rigWith(SHARE_PPM_MAX);
    const all = clients(20);
    open(rig, all);
    rig.engine.setBudgetShare(0);
    assert.equal(rig.engine.shedOverBudget(5, rig.nowMs), 5);
    rig.settle();
    assert.deepEqual(rig.terminals(), { overBudget: 5 });
    const wasReset = rig.target.connections.filter(({ state }) => state === 'reset');
    const reset = wasReset.map(({ source }) => Number(source.replace(/.*:/, '')));
    assert.deepEqual(reset.sort(), [41_015, 41_016, 41_017, 41_018, 41_019]);
    for (const client of all) turn(rig, client, 'two');
    end(rig, all);
    assert.equal(rig.engine.counters.turnsDelivered, 35, 'those that stay go on; the others are not joined again');
    assert.deepEqual(rig.terminals(), { copied: 15, overBudget: 5 });
    rig.checkEnd();
  });

  it('sessions that the share still chooses never end for it', () => {
    const rig = rigWith(SHARE_PPM_MAX);
    open(rig, clients(100));
    rig.engine.setBudgetShare(HALF);
    const ended = rig.engine.shedOverBudget(1000, rig.nowMs);
    const again = rigWith(HALF);
    open(again, clients(100));
    assert.equal(ended, 100 - again.engine.sessionsOpen);
    assert.equal(rig.engine.shedOverBudget(1000, rig.nowMs), 0);
    assert.equal(rigWith(SHARE_PPM_MAX).engine.shedOverBudget(1000, 1), 0);
  });

  it('a turn on its way is lost as overBudget', () => {
    const rig = new Rig({}, { silent: true });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('no answer'));
    rig.engine.setBudgetShare(0);
    rig.engine.shedOverBudget(1, rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.lost(), { overBudget: 1 });
    rig.checkEnd();
  });

  it('memory of streams goes back to the system once nothing is held, and is there again when it is needed', () => {
    const store = new ByteStore(10 * BLOCK_BYTES);
    assert.equal(store.giveBack(0), false, 'nothing was touched');
    const block = store.allocate();
    store.bytes[block * BLOCK_BYTES] = 7;
    const { bytes } = store;
    assert.equal(store.giveBack(0), false, 'a block is in use');
    store.release(block);
    assert.equal(store.giveBack(2 ** 20), false, 'too little to be worth it');
    assert.equal(store.giveBack(0), true);
    assert.notEqual(store.bytes, bytes);
    const blocks = Array.from({ length: 10 }, () => store.allocate());
    assert.equal(new Set(blocks).size, 10);
    assert.equal(store.allocate(), -1);
    assert.equal(store.usedBytes, 10 * BLOCK_BYTES);
  });
});
