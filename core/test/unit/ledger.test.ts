/** What every turn and session ends as, also when capture or engine end. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { CONFIG, Rig } from '../kit/rig.js';

describe('the ledger', () => {
  it('names a reset instead of the last answer, though every turn was delivered', () => {
    const rig = new Rig({}, {});
    const client = rig.open();
    rig.capture(client.send('one'));
    client.hear(100);
    rig.capture(client.fin());
    rig.target.reset(rig.target.connections[0]!);
    rig.settle();
    assert.deepEqual(rig.terminals(), { targetReset: 1 });
    assert.equal(rig.engine.counters.turnsDelivered, 1);
  });

  it('closes with what joins, waits and runs', () => {
    const rig = new Rig({}, {});
    rig.capture(new Client().send('part'));
    rig.capture(rig.open(new Client({ clientPort: 41_000 })).send('one'));
    rig.open(new Client({ clientPort: 41_001 }));
    rig.engine.close(rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.terminals(), { midStreamSkipped: 1, interrupted: 2 });
    assert.equal(rig.engine.connectionsOpen, 0);
    assert.equal(rig.engine.sessionsOpen, 0);
  });

  it('closes with a gap: the turn that was not captured is lost, and not in silence', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    rig.capture(client.send('one'));
    client.hear(100);
    client.send('two');
    client.hear(100);
    rig.capture(client.send('three'));
    rig.engine.close(rig.nowMs);
    rig.settle();
    const { turnsCaptured, turnsDelivered, captureGaps } = rig.engine.counters;
    assert.equal(captureGaps, 1);
    assert.equal(rig.lost()['captureGap'], 1);
    assert.equal(turnsDelivered, 1);
    const lost = Object.values(rig.lost()).reduce((sum, count) => sum + count, 0);
    assert.equal(turnsCaptured, turnsDelivered + lost);
    rig.checkEnd();
  });
});

describe('the end of the capture', () => {
  it('ends connections whose end was not captured, when all is delivered', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    rig.capture(client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'), client.acknowledge());
    assert.equal(rig.engine.sessionsOpen, 1);
    rig.engine.endCapture(rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.terminals(), { copied: 1 });
    assert.equal(rig.engine.counters.turnsDelivered, 2);
    rig.checkEnd();
  });

  it('with turns that wait for the target: they are delivered first', () => {
    const rig = new Rig();
    const client = rig.open();
    rig.capture(client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'));
    rig.engine.endCapture(rig.nowMs);
    rig.settle();
    assert.equal(rig.engine.counters.turnsPending, 1);
    assert.equal(rig.engine.sessionsOpen, 1);
    rig.target.send(rig.target.connections[0]!, 100);
    rig.settle();
    assert.equal(rig.engine.counters.turnsDelivered, 2);
    rig.checkEnd();
  });

  it('gives up gaps at once, and forgets what was never joined or found no room', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, sessionsMax: 1 } }, answerAll);
    const client = rig.open();
    client.seq += 10;
    rig.capture(client.send('behind a gap'));
    rig.open(new Client({ clientPort: 41_000 }));
    const running = new Client({ clientPort: 42_000 });
    rig.capture(running.send('in mid-request'));
    assert.equal(rig.engine.connectionsOpen, 3);
    rig.engine.endCapture(rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.lost(), { captureGap: 1 });
    assert.deepEqual(rig.terminals(), { midStreamSkipped: 1, captureGap: 1, shed: 1 });
    rig.checkEnd();
  });

  it('a later connection of the same client with the same numbers is another one', () => {
    const rig = new Rig({}, answerAll);
    for (let run = 0; run < 2; run += 1) {
      const client = rig.open();
      rig.capture(client.send('one'));
      rig.engine.endCapture(rig.nowMs);
      rig.settle();
    }
    assert.deepEqual(rig.terminals(), { copied: 2 });
    rig.checkEnd();
  });
});

describe('the end', () => {
  it('resets what is open and closes the ledger', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one'));
    rig.engine.close(rig.nowMs);
    rig.settle();
    assert.equal(rig.target.connections[0]!.state, 'reset');
    assert.equal(rig.engine.sessionsOpen, 0);
    assert.equal(rig.engine.connectionsOpen, 0);
    assert.equal(rig.engine.counters.turnsPending, 0);
    assert.deepEqual(rig.terminals(), { interrupted: 1 });
  });
});
