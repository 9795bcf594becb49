/** When the next turn may go. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client } from '../kit/client.js';
import { Rig } from '../kit/rig.js';

describe('turn gating', () => {
  it('holds the next turn until the target has answered the one before', () => {
    let isReady = false;
    const rig = new Rig({}, { answer: () => (isReady ? 100 : 0) });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'));
    assert.deepEqual(rig.target.streams(), ['one']);
    isReady = true;
    rig.target.send(rig.target.connections[0]!, 100);
    rig.settle();
    assert.deepEqual(rig.target.streams(), ['onetwo']);
  });

  it('is skipped with wait off (-W)', () => {
    const rig = new Rig({ wait: false }, {});
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'));
    assert.deepEqual(rig.target.streams(), ['onetwo']);
  });

  it('waits for the greeting of a server-first protocol', () => {
    const rig = new Rig({}, { answer: () => 10 });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    client.hear(78);
    rig.capture(client.acknowledge());
    rig.capture(client.send('login'));
    assert.deepEqual(rig.target.streams(), ['']);
    rig.target.send(rig.target.connections[0]!, 95);
    rig.settle();
    assert.deepEqual(rig.target.streams(), ['login']);
  });

  it('lets a much shorter answer pass after a quiet time, and at once when that has proved right', () => {
    const rig = new Rig({}, { answer: () => 10 });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    for (let turn = 0; turn < 6; turn += 1) {
      rig.capture(client.send('x'));
      client.hear(5000);
      const before = rig.target.connections[0]!.received.length;
      if (turn > 0 && turn < 4) {
        assert.equal(before, turn);
        rig.wait(12);
      }
      assert.equal(rig.target.connections[0]!.received.length, turn + 1);
      if (turn > 0 && turn < 4) continue;
    }
  });

  it('goes on after a short quiet time when what online sent after a turn had come from the target before it', () => {
    const answers = [5000, 0, 0, 0];
    const rig = new Rig({}, { answer: () => answers.shift() ?? 0 });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('request;'));
    for (const part of ['window update;', 'another;']) {
      // Of an answer of 5,000 octets the client takes 2,000, says so, and takes the rest.
      client.hear(2000);
      rig.capture(client.send(part));
    }
    assert.deepEqual(rig.target.streams(), ['request;window update;']);
    rig.wait(50);
    assert.deepEqual(rig.target.streams(), ['request;window update;another;']);
    client.hear(2000);
    rig.capture(client.send('too much;'));
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['request;window update;another;'], 'only what the target had sent counts');
  });

  it('never blocks longer than the timeout, and says why the turn was lost', () => {
    const rig = new Rig({}, {});
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'));
    rig.capture(client.fin());
    rig.wait(6000);
    assert.deepEqual(rig.lost(), { noResponse: 1 });
    assert.deepEqual(rig.terminals(), { noResponse: 1 });
    assert.equal(rig.engine.counters.turnsDelivered, 1);
  });
});
