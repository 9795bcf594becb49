/** What there is no room for: connections, sessions, streams that wait. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TURNS_MAX } from '../../src/session/turns.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';

describe('a connection for which there is no room', () => {
  const limits = { ...CONFIG.limits, sessionsMax: 1 };

  it('is shed once, however much it goes on to send, and a repeated SYN is no other', () => {
    const rig = new Rig({ limits }, answerAll);
    rig.open();
    const late = new Client({ clientPort: 41_000 });
    const syn = late.syn();
    rig.capture(syn, late.acknowledge());
    rig.capture(syn);
    for (let turn = 0; turn < 5; turn += 1) {
      rig.capture(late.send('x'));
      late.hear(100);
    }
    assert.deepEqual(rig.terminals(), { shed: 1 });
    assert.equal(rig.engine.counters.connectionsSeen, 2);
    assert.equal(rig.engine.connectionsOpen, 2);
    rig.capture(late.fin());
    assert.equal(rig.engine.connectionsOpen, 1);
  });

  it('gives its place up when it is idle, and when its port is used again', () => {
    const rig = new Rig({ limits, idleTimeoutMs: 60_000 }, answerAll);
    const first = rig.open();
    const late = new Client({ clientPort: 41_000 });
    rig.capture(late.syn());
    rig.capture(new Client({ clientPort: 41_000, seq: 7 }).syn());
    assert.equal(rig.engine.connectionsOpen, 2);
    assert.deepEqual(rig.terminals(), { shed: 2 });
    rig.wait(30_000);
    rig.capture(first.acknowledge());
    rig.wait(31_000);
    assert.equal(rig.engine.connectionsOpen, 1);
  });

  it('is shed while its lane is congested', () => {
    const rig = new Rig({}, answerAll);
    rig.engine.setLaneCongested(0, true);
    const client = rig.open();
    rig.engine.setLaneCongested(0, false);
    rig.capture(client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'), client.fin());
    assert.deepEqual(rig.terminals(), { shed: 1 });
    assert.equal(rig.engine.connectionsOpen, 0);
    rig.open(new Client({ clientPort: 41_000 }));
    assert.equal(rig.target.connections.length, 1);
  });

  it('in the table of connections is counted as shed', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, connectionsMax: 2 } }, answerAll);
    for (let index = 0; index < 5; index += 1) rig.open(new Client({ clientPort: 41_000 + index }));
    assert.deepEqual(rig.terminals(), { shed: 3 });
    assert.equal(rig.target.connections.length, 2);
  });
});

describe('a full table of sessions', () => {
  const limits = { ...CONFIG.limits, sessionsMax: 2 };
  const closeAll = { ...answerAll, after: () => 'close' as const };

  function serveUnended(rig: Rig, clientPort: number): Client {
    const client = rig.open(new Client({ clientPort }));
    rig.capture(client.send('one'));
    client.hear(100);
    rig.capture(client.acknowledge());
    return client;
  }

  it('has room for a new one in place of one whose target has closed and whose end was never captured', () => {
    const rig = new Rig({ limits }, closeAll);
    for (const clientPort of [41_000, 41_001]) serveUnended(rig, clientPort);
    serveUnended(rig, 42_000);
    assert.deepEqual(rig.terminals(), { shed: 1 }, 'they were heard of just now');
    rig.wait(1000);
    for (const clientPort of [43_000, 43_001]) serveUnended(rig, clientPort);
    assert.deepEqual(rig.terminals(), { copied: 2, shed: 1 });
    assert.equal(rig.engine.sessionsOpen, 2);
    assert.deepEqual(rig.target.streams(), ['one', 'one', 'one', 'one']);
  });

  it('joins a connection again that it had taken for ended', () => {
    const rig = new Rig({ limits }, closeAll);
    const early = serveUnended(rig, 41_000);
    serveUnended(rig, 41_001);
    rig.wait(1000);
    for (const clientPort of [43_000, 43_001]) serveUnended(rig, clientPort);
    rig.wait(1000);
    for (const text of ['two', 'three']) {
      rig.capture(early.send(text));
      early.hear(100);
    }
    assert.equal(rig.engine.counters.turnsBeforeJoin, 1);
    assert.equal(rig.target.streams().at(-1), 'three');
  });

  it('leaves those alone whose target is still there', () => {
    const rig = new Rig({ limits }, answerAll);
    for (const clientPort of [41_000, 41_001]) serveUnended(rig, clientPort);
    rig.wait(1000);
    serveUnended(rig, 42_000);
    assert.deepEqual(rig.terminals(), { shed: 1 });
  });
});

describe('a full table of connections', () => {
  it('has room for a new one in place of one that was never joined', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, connectionsMax: 3 } }, answerAll);
    const running = rig.open(new Client({ clientPort: 41_000 }));
    for (let index = 1; index < 5; index += 1) rig.capture(new Client({ clientPort: 41_000 + index }).send('part'));
    assert.equal(rig.engine.counters.connectionsSeen, 3, 'what is running already makes no room for itself');
    rig.open(new Client({ clientPort: 42_000 }));
    assert.deepEqual(rig.terminals(), { shed: 1 }, 'they were heard of just now');
    rig.wait(1000);
    for (let index = 0; index < 3; index += 1) rig.open(new Client({ clientPort: 43_000 + index }));
    assert.deepEqual(rig.terminals(), { midStreamSkipped: 2, shed: 2 });
    rig.capture(running.send('one'));
    assert.equal(rig.target.streams()[0], 'one');
    assert.equal(rig.target.connections.length, 3);
  });
});

describe('a stream that waits', () => {
  it('beyond its limit is shed, and the connection goes on with its next turn', () => {
    const limits = { ...CONFIG.limits, heldBytesPerConnectionMax: 10_000 };
    const rig = new Rig({ limits }, { answer: (_, text) => (text.length > 0 ? 100 : 0) });
    const client = rig.open();
    rig.engine.setLaneUp(0, false, rig.nowMs);
    for (let part = 0; part < 5; part += 1) rig.capture(client.send(new Uint8Array(3000)));
    assert.deepEqual(rig.lost(), { shed: 1 });
    assert.equal(rig.engine.heldBytes, 0);
    rig.engine.setLaneUp(0, true, rig.nowMs);
    client.hear(100);
    rig.capture(client.send('next'));
    rig.wait(2000);
    assert.equal(rig.target.streams().at(-1), 'next');
    rig.capture(client.fin());
    rig.wait(2000);
    assert.deepEqual(rig.terminals(), { shed: 1 });
    assert.equal(rig.engine.counters.turnsDelivered, 1);
  });

  it('for one slow target costs the others of its connection nothing', () => {
    const limits = { ...CONFIG.limits, heldBytesPerConnectionMax: 10_000 };
    const slow = targetAt('slow', { port: 81, lane: 1 });
    const rig = new Rig({ limits, lanes: 2, mappings: [mappingTo(TARGET, slow)] }, answerAll);
    rig.engine.setLaneUp(1, false, rig.nowMs);
    const client = rig.open();
    let sent = '';
    for (let turn = 0; turn < 50; turn += 1) {
      const text = `${turn} ${'x'.repeat(990)}`;
      rig.capture(client.send(text));
      client.hear(100);
      sent += text;
    }
    assert.deepEqual(rig.target.streams(), [sent]);
    assert.equal(rig.engine.counters.turnsDelivered, 50);
    assert.ok(rig.lost()['shed']! >= 40);
    rig.capture(client.fin());
    rig.wait(20_000);
    assert.deepEqual(rig.terminals(), { copied: 1, channelLost: 1 });
  });

  it('of all connections has a limit too', () => {
    const limits = { ...CONFIG.limits, heldBytesMax: 64 * 1024 };
    const rig = new Rig({ limits }, answerAll);
    rig.engine.setLaneUp(0, false, rig.nowMs);
    for (let index = 0; index < 100; index += 1) {
      const client = rig.open(new Client({ clientPort: 41_000 + index }));
      rig.capture(client.send('x'));
    }
    assert.equal(rig.engine.heldBytes, 64 * 1024);
    assert.deepEqual(rig.lost(), { shed: 68 });
  });

  it('in too many turns is shed', () => {
    const rig = new Rig({ responseTimeoutMs: 1e9 }, {});
    const client = rig.open();
    rig.engine.setLaneUp(0, false, rig.nowMs);
    for (let turn = 0; turn < TURNS_MAX + 10; turn += 1) {
      rig.capture(client.send('x'));
      client.hear(1);
    }
    assert.ok(rig.lost()['shed']! >= TURNS_MAX);
    assert.ok(rig.engine.counters.turnsPending < 20);
  });
});
