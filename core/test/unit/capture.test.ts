/** What is captured, and which stream comes of it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACK, FIN, PSH } from '../../src/wire/tcp.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { Rig } from '../kit/rig.js';
import { textOf } from '../kit/segment.js';

describe('capture', () => {
  it('reordered and repeated gives the same stream', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    const first = client.send('abc');
    const second = client.send('def');
    const third = client.send('ghi');
    rig.capture(third, first);
    rig.capture(third);
    rig.capture(second, first);
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['abcdefghi']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });

  it('joins a running connection at the start of a turn', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.send('half of a request'));
    rig.capture(client.send('its rest'));
    client.hear(100);
    rig.capture(client.send('whole'));
    client.hear(100);
    rig.capture(client.send('second'));
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['wholesecond']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
    assert.equal(rig.engine.counters.turnsBeforeJoin, 1);
  });

  it('with -O leaves running connections alone', () => {
    const rig = new Rig({ fullSessionsOnly: true }, answerAll);
    const client = new Client();
    rig.capture(client.send('a'));
    client.hear(100);
    rig.capture(client.send('b'));
    assert.deepEqual(rig.target.streams(), []);
  });

  it('with a turn missing loses that turn and goes on', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    for (let turn = 0; turn < 10; turn += 1) {
      const packet = client.send(`r${turn};`);
      if (turn !== 4) rig.capture(packet);
      client.hear(100);
      rig.wait(10);
    }
    rig.wait(3000);
    rig.capture(client.fin());
    rig.wait(1000);
    assert.equal(rig.target.streams().join(''), 'r0;r1;r2;r3;r5;r6;r7;r8;r9;');
    assert.deepEqual(rig.lost(), { captureGap: 1 });
    assert.deepEqual(rig.terminals(), { captureGap: 1 });
  });

  it('of thirty connections from one port copies thirty', () => {
    const rig = new Rig({}, answerAll);
    for (let round = 0; round < 30; round += 1) {
      const client = new Client({ seq: 1000 + round * 70_000 });
      rig.capture(client.syn(), client.acknowledge(), client.send(`r${round}`));
      client.hear(100);
      rig.capture(round % 2 === 0 ? client.reset() : client.fin());
    }
    rig.wait(2000);
    assert.deepEqual(
      rig.target.streams(),
      Array.from({ length: 30 }, (_, round) => `r${round}`),
    );
    assert.deepEqual(rig.terminals(), { copied: 30 });
  });
});

describe('segments that come too early', () => {
  it('are given up at their limit, as one gap', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    client.seq += 10;
    // Ends of nothing cost memory as well.
    for (let index = 0; index < 20_000; index += 1) {
      rig.capture(client.packet({ flags: ACK | PSH, text: textOf('x') }));
      client.seq += 2;
    }
    assert.equal(rig.engine.counters.captureGaps, 1);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
  });

  it('and are repeated are kept once', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    const first = client.send('a');
    const second = client.send('b');
    for (let index = 0; index < 30_000; index += 1) rig.capture(second);
    rig.capture(first);
    rig.wait(3000);
    assert.deepEqual(rig.target.streams(), ['ab']);
    assert.equal(rig.engine.counters.captureGaps, 0);
  });

  it('are overlapped and cut: first octets win', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    const { seq } = client;
    const at = (offset: number, text: string): Uint8Array =>
      client.packet({ seq: (seq + offset) >>> 0, flags: ACK | PSH, text: textOf(text) });
    rig.capture(at(4, 'efgh'), at(2, 'cdEF'), at(3, 'd'), at(0, 'ab'), at(6, 'GHij'));
    assert.deepEqual(rig.target.streams(), ['abcdEFghij']);
  });

  it('far beyond any window belong to no stream (RFC 7323 2.3)', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    rig.capture(client.packet({ seq: (client.seq + 0x4000_0000) >>> 0, flags: ACK | PSH, text: textOf('x') }));
    rig.wait(3000);
    rig.capture(client.send('one'));
    assert.deepEqual(rig.target.streams(), ['one']);
    assert.equal(rig.engine.counters.captureGaps, 0);
  });

  it('with a FIN end the stream in its place', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    const first = client.send('ab');
    const last = client.packet({ flags: ACK | FIN | PSH, text: textOf('cd') });
    rig.capture(last);
    rig.capture(first);
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['abcd']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });

  it('whose front never comes end as a gap with the FIN', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
    client.send('ab');
    rig.capture(client.packet({ flags: ACK | FIN | PSH, text: textOf('cd') }));
    rig.wait(9000);
    assert.deepEqual(rig.lost(), {});
    rig.wait(2000);
    assert.deepEqual(rig.lost(), { captureGap: 1 });
    assert.deepEqual(rig.terminals(), { captureGap: 1 });
    assert.equal(rig.engine.connectionsOpen, 0);
  });
});
