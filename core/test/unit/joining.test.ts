/** Connections that ran before the capture, and what comes late of others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACK, FIN, PSH, SYN } from '../../src/wire/tcp.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { CONFIG, Rig } from '../kit/rig.js';
import { textOf } from '../kit/segment.js';

describe('joining', () => {
  it('takes a last request that comes with the FIN', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.send('part'));
    client.hear(100);
    rig.capture(client.packet({ flags: ACK | PSH | FIN, text: textOf('last') }));
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['last']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });

  it('begins no turn behind text that did not end with PSH: the client had more of it to say', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.packet({ flags: ACK, text: textOf('part of one') }));
    client.seq += 11;
    client.hear(100);
    rig.capture(client.send(' and its rest'));
    client.hear(100);
    rig.capture(client.send('two'));
    assert.deepEqual(rig.target.streams(), ['two']);
  });

  it('is not put off by retransmissions and keep-alive probes', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    const request = client.send('request');
    rig.capture(request);
    client.hear(100);
    rig.capture(client.packet({ seq: (client.seq - 1) >>> 0, flags: ACK, text: textOf('t') }));
    rig.capture(client.packet({ seq: (client.seq - 7) >>> 0, flags: ACK | PSH, text: textOf('request') }));
    rig.capture(client.send('whole'));
    assert.deepEqual(rig.target.streams(), ['whole']);
  });

  it('does not happen when the connection ends before: midStreamSkipped', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.send('part'));
    rig.capture(client.fin());
    assert.deepEqual(rig.terminals(), { midStreamSkipped: 1 });
    assert.equal(rig.engine.counters.turnsBeforeJoin, 1);
    assert.equal(rig.engine.connectionsOpen, 0);
  });

  it('is not done for acknowledgements, ends and strangers', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.acknowledge(), client.fin(), client.reset());
    rig.capture(client.packet({ flags: SYN | ACK }));
    rig.capture(client.packet({ flags: ACK, onlinePort: 81, text: textOf('x') }));
    assert.equal(rig.engine.counters.connectionsSeen, 0);
    assert.equal(rig.engine.counters.packetsUnmapped, 1);
  });
});

describe('what comes late of a connection that is over', () => {
  /** A connection that is over, and its two turns. */
  function ended(rig: Rig): { client: Client; one: Uint8Array; two: Uint8Array } {
    const client = rig.open();
    const one = client.send('one');
    client.hear(100);
    const two = client.send('two');
    client.hear(100);
    rig.capture(one, two, client.fin());
    rig.wait(2000);
    rig.checkEnd();
    return { client, one, two };
  }

  it('is not joined, and nothing of it is delivered once more', () => {
    const rig = new Rig({}, answerAll);
    const { client, one, two } = ended(rig);
    rig.capture(one, two, client.packet({ flags: ACK | PSH, seq: client.seq - 4, text: textOf('two') }));
    rig.wait(2000);
    assert.deepEqual(rig.target.streams(), ['onetwo']);
    assert.equal(rig.engine.counters.connectionsSeen, 1);
    assert.equal(rig.engine.counters.captureDuplicates, 3);
    rig.checkEnd();
  });

  it('is not joined either where that one was never joined itself', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    const part = client.send('part');
    rig.capture(part, client.fin(), part);
    assert.deepEqual(rig.terminals(), { midStreamSkipped: 1 });
    assert.equal(rig.engine.connectionsOpen, 0);
  });

  it('is told from a connection on the same port that runs already', () => {
    const rig = new Rig({}, answerAll);
    const { client } = ended(rig);
    client.seq += 100_000;
    rig.capture(client.send('part'));
    client.hear(100);
    rig.capture(client.send('whole'));
    assert.deepEqual(rig.target.streams(), ['onetwo', 'whole']);
  });

  it('is known for 60 s', () => {
    const rig = new Rig({}, answerAll);
    const { one } = ended(rig);
    rig.wait(57_900);
    rig.capture(one);
    assert.equal(rig.engine.connectionsOpen, 0);
    rig.wait(200);
    rig.capture(one);
    assert.equal(rig.engine.connectionsOpen, 1);
  });

  it('is known in a place that another connection may take: then it is joined', () => {
    const limits = { ...CONFIG.limits, connectionsMax: 1 };
    const rig = new Rig({ limits }, answerAll);
    const { one } = ended(rig);
    const other = rig.open(new Client({ clientPort: 40_001 }));
    rig.capture(other.fin());
    rig.wait(2000);
    rig.capture(one);
    assert.equal(rig.engine.connectionsOpen, 1);
  });
});

describe('what comes late of an earlier connection on the same port', () => {
  it('says nothing of this one, and does not end it', () => {
    const rig = new Rig({}, answerAll);
    const before = rig.open();
    rig.capture(before.send('before'), before.fin());
    const client = new Client({ seq: before.seq + 100_000, ack: before.ack + 5_000_000 });
    rig.capture(client.syn());
    before.hear(90_000_000);
    rig.capture(
      before.acknowledge(),
      before.reset(),
      before.packet({ flags: ACK | PSH, seq: before.seq - 4, text: textOf('old') }),
    );
    rig.capture(client.acknowledge(), client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'), client.fin());
    rig.wait(2000);
    assert.deepEqual(rig.target.streams(), ['before', 'onetwo']);
    assert.equal(rig.engine.counters.turnsDelivered, 3);
    rig.checkEnd();
  });
});
