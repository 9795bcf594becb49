/** Connections that ran before the capture, and what comes late of others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ACK, FIN, PSH, SYN } from '../../src/wire/tcp.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { Rig } from '../kit/rig.js';
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
