/** What the capture did not get, or only in part. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACK } from '../../src/wire/tcp.js';
import { answerAll } from '../kit/bench-target.js';
import { Rig } from '../kit/rig.js';
import { textOf } from '../kit/segment.js';

describe('a gap', () => {
  it('in a packet that the capture cut resets the target, and the next turn gets a fresh connection', () => {
    const answerWhole = (_: unknown, text: Uint8Array): number => (text.at(-1) === ';'.charCodeAt(0) ? 100 : 0);
    const rig = new Rig({}, { answer: answerWhole });
    const client = rig.open();
    rig.capture(client.send('one;'));
    client.hear(100);
    const whole = client.send('two is cut;');
    rig.capture(whole.subarray(0, whole.length - 4));
    client.hear(100);
    // Whether this begins a turn or goes on with the one that was cut cannot be known: the target has not answered.
    rig.capture(client.send('three;'));
    client.hear(100);
    rig.capture(client.acknowledge());
    rig.wait(2000);
    assert.equal(rig.engine.counters.captureGaps, 1);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
    assert.equal(rig.target.connections[0]!.state, 'reset');
    rig.capture(client.send('four;'));
    assert.deepEqual(rig.target.streams(), ['one;two is ', 'four;']);
  });

  it('behind octets of a turn that the target answered early resets it: half a turn would stand before the next', () => {
    const rig = new Rig({}, { answer: (connection) => (connection.received.length === 4 ? 50 : 100) });
    const client = rig.open();
    const first = client.packet({ flags: ACK, text: textOf('one,') });
    client.send('one,two;');
    rig.capture(first);
    assert.equal(rig.engine.counters.turnsDelivered, 1, 'it has had an answer');
    client.hear(150);
    rig.capture(client.send('three;'));
    client.hear(100);
    rig.capture(client.acknowledge());
    rig.wait(1500);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
    assert.equal(rig.target.connections[0]!.state, 'reset');
    rig.capture(client.send('four;'));
    const streams = rig.target.streams();
    assert.equal(streams[0], 'one,');
    assert.equal(streams.at(-1)!.endsWith('four;'), true);
  });

  it('of a full segment may be the beginning of a turn: what follows is not taken for one', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    rig.capture(client.send('one'));
    client.hear(500);
    client.send('x'.repeat(1460));
    rig.capture(client.send('rest of two'));
    client.hear(100);
    rig.capture(client.acknowledge());
    rig.wait(1500);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
    rig.capture(client.send('three'));
    assert.deepEqual(rig.target.streams(), ['onethree']);
  });

  it('that a client leaves behind when it resets was never at online either: what came before it is delivered', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    rig.capture(client.send('one'));
    client.send('two');
    rig.capture(client.send('three'), client.reset());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['one']);
    assert.deepEqual(rig.lost(), {});
    rig.checkEnd();
  });

  it('of one request costs this one, and those behind it go one by one, each when the one before is answered', () => {
    const rig = new Rig({}, { answer: () => 0 });
    const client = rig.open();
    rig.capture(client.send('one'));
    rig.target.send(rig.target.connections[0]!, 100);
    client.hear(100);
    client.send('two');
    for (const text of ['three', 'four', 'five']) {
      client.hear(100);
      rig.capture(client.packet({ flags: ACK }), client.send(text));
    }
    rig.wait(1500);
    assert.deepEqual(rig.target.streams(), ['onethree']);
    rig.target.send(rig.target.connections[0]!, 100);
    rig.wait(100);
    assert.deepEqual(rig.target.streams(), ['onethreefour']);
    rig.target.send(rig.target.connections[0]!, 100);
    rig.wait(100);
    assert.deepEqual(rig.target.streams(), ['onethreefourfive']);
    assert.equal(rig.engine.counters.turnsCaptured, 5);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
  });

  it('of the first request of a connection costs this one only', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    client.send('one');
    for (const text of ['two', 'three']) {
      client.hear(100);
      rig.capture(client.send(text));
    }
    rig.wait(1500);
    assert.deepEqual(rig.target.streams(), ['twothree']);
    assert.equal(rig.engine.counters.turnsDelivered, 2);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
  });

  it('in the first request of a connection: the rest of it is not taken for a request', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    client.send('on');
    rig.capture(client.send('e'));
    client.hear(100);
    rig.capture(client.send('two'));
    rig.wait(1500);
    assert.deepEqual(rig.target.streams(), ['two']);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
  });

  it('behind the greeting of a server that speaks first: the rest of the request is not taken for one', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    rig.target.send(rig.target.connections[0]!, 50);
    client.hear(50);
    client.send('on');
    rig.capture(client.send('e'));
    client.hear(100);
    rig.capture(client.send('two'));
    rig.wait(1500);
    assert.deepEqual(rig.target.streams(), ['two']);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
  });

  it('is the same for each of several sessions', () => {
    const rig = new Rig({ copies: 3 }, answerAll);
    const client = rig.open();
    rig.capture(client.send('one'));
    client.hear(100);
    client.send('two');
    client.hear(100);
    rig.capture(client.send('three'));
    rig.wait(1500);
    client.hear(100);
    rig.capture(client.send('four'), client.fin());
    rig.wait(2000);
    assert.deepEqual(rig.lost(), { captureGap: 3 });
    assert.deepEqual(rig.terminals(), { captureGap: 3 });
    assert.equal(rig.engine.counters.turnsDelivered, 9);
    assert.equal(rig.engine.heldBytes, 0);
  });

  it('in a turn of which a part went out: what follows goes to a fresh connection, also where the turn before is not acknowledged yet', () => {
    let isLosing = false;
    const rig = new Rig({ wait: false, responseTimeoutMs: 60_000 }, { ...answerAll, lose: () => isLosing });
    const client = rig.open();
    isLosing = true;
    rig.capture(client.send('first,'));
    client.hear(100);
    rig.capture(client.send('half of the second'));
    client.send(' and its other half');
    client.hear(100);
    rig.capture(client.send('third,'));
    client.hear(100);
    rig.capture(client.acknowledge());
    rig.wait(1100);
    assert.equal(rig.engine.counters.captureGaps, 1);
    rig.capture(client.send('fourth'));
    isLosing = false;
    rig.wait(20_000);
    assert.deepEqual(rig.target.streams(), ['first,half of the second', 'fourth']);
    rig.capture(client.fin());
    rig.wait(5000);
    assert.equal(rig.lost()['captureGap'], rig.engine.counters.turnsCaptured - 2);
    assert.equal(rig.engine.counters.turnsDelivered, 2);
    rig.checkEnd();
  });
});

describe('a connection whose only turn was cut by the capture', () => {
  for (const end of ['fin', 'reset'] as const) {
    it(`${end}: does not wait for an answer that nobody owes, and is named after the gap`, () => {
      const rig = new Rig({}, answerAll);
      const client = rig.open();
      client.send('not captured');
      rig.capture(client.send('of this only the rest'));
      client.hear(1000);
      rig.capture(client.acknowledge(), client[end]());
      rig.wait(1500);
      assert.deepEqual(rig.lost(), { captureGap: 1 });
      assert.deepEqual(rig.terminals(), { captureGap: 1 });
      rig.checkEnd();
    });
  }
});

describe('the rest of a turn that was lost', () => {
  it('is no request: a target that refuses an upload loses one turn, not one for each packet', () => {
    const rig = new Rig({}, { refuse: true });
    const client = rig.open();
    for (let part = 0; part < 10; part += 1) rig.capture(client.send('part of an upload'));
    assert.deepEqual(rig.lost(), { targetRefused: 1 });
    rig.wait(2000);
    client.hear(100);
    rig.target.behaviour = answerAll;
    rig.capture(client.send('next'));
    assert.deepEqual(rig.target.streams(), ['next']);
  });

  it('is not sent to a fresh connection after a reset in mid-upload', () => {
    const rig = new Rig({}, {});
    const client = rig.open();
    rig.capture(client.send('upload '));
    rig.target.reset(rig.target.connections[0]!);
    rig.settle();
    rig.capture(client.send('its rest '), client.send('and more'));
    rig.wait(3000);
    assert.deepEqual(rig.target.streams(), ['upload ']);
    client.hear(100);
    rig.target.behaviour = answerAll;
    rig.capture(client.send('next'));
    assert.deepEqual(rig.target.streams(), ['upload ', 'next']);
  });
});
