/** What is captured, and what comes of it: the engine between clients and a target of the kit. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TURNS_MAX } from '../../src/session/turns.js';
import { ACK, FIN, PSH, SYN } from '../../src/wire/tcp.js';
import { Client } from '../kit/client.js';
import { mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';
import { textOf } from '../kit/segment.js';

const answerAll = { answer: (): number => 100 };

function open(rig: Rig, client = new Client()): Client {
  rig.capture(client.syn(), client.acknowledge());
  return client;
}

describe('a connection for which there is no room', () => {
  const limits = { ...CONFIG.limits, sessionsMax: 1 };

  it('is shed once, however much it goes on to send, and a repeated SYN is no other', () => {
    const rig = new Rig({ limits }, answerAll);
    open(rig);
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
    const first = open(rig);
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
    const client = open(rig);
    rig.engine.setLaneCongested(0, false);
    rig.capture(client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'), client.fin());
    assert.deepEqual(rig.terminals(), { shed: 1 });
    assert.equal(rig.engine.connectionsOpen, 0);
    open(rig, new Client({ clientPort: 41_000 }));
    assert.equal(rig.target.connections.length, 1);
  });

  it('in the table of connections is counted as shed', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, connectionsMax: 2 } }, answerAll);
    for (let index = 0; index < 5; index += 1) open(rig, new Client({ clientPort: 41_000 + index }));
    assert.deepEqual(rig.terminals(), { shed: 3 });
    assert.equal(rig.target.connections.length, 2);
  });
});

describe('a full table of sessions', () => {
  const limits = { ...CONFIG.limits, sessionsMax: 2 };
  const closeAll = { ...answerAll, after: () => 'close' as const };

  function serveUnended(rig: Rig, clientPort: number): Client {
    const client = open(rig, new Client({ clientPort }));
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
    const running = open(rig, new Client({ clientPort: 41_000 }));
    for (let index = 1; index < 5; index += 1) rig.capture(new Client({ clientPort: 41_000 + index }).send('part'));
    assert.equal(rig.engine.counters.connectionsSeen, 3, 'what is running already makes no room for itself');
    open(rig, new Client({ clientPort: 42_000 }));
    assert.deepEqual(rig.terminals(), { shed: 1 }, 'they were heard of just now');
    rig.wait(1000);
    for (let index = 0; index < 3; index += 1) open(rig, new Client({ clientPort: 43_000 + index }));
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
    const client = open(rig);
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
    const client = open(rig);
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
      const client = open(rig, new Client({ clientPort: 41_000 + index }));
      rig.capture(client.send('x'));
    }
    assert.equal(rig.engine.heldBytes, 64 * 1024);
    assert.deepEqual(rig.lost(), { shed: 68 });
  });

  it('in too many turns is shed', () => {
    const rig = new Rig({ responseTimeoutMs: 1e9 }, {});
    const client = open(rig);
    rig.engine.setLaneUp(0, false, rig.nowMs);
    for (let turn = 0; turn < TURNS_MAX + 10; turn += 1) {
      rig.capture(client.send('x'));
      client.hear(1);
    }
    assert.ok(rig.lost()['shed']! >= TURNS_MAX);
    assert.ok(rig.engine.counters.turnsPending < 20);
  });
});

describe('segments that come too early', () => {
  it('are given up at their limit, as one gap', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
    const { seq } = client;
    const at = (offset: number, text: string): Uint8Array =>
      client.packet({ seq: (seq + offset) >>> 0, flags: ACK | PSH, text: textOf(text) });
    rig.capture(at(4, 'efgh'), at(2, 'cdEF'), at(3, 'd'), at(0, 'ab'), at(6, 'GHij'));
    assert.deepEqual(rig.target.streams(), ['abcdEFghij']);
  });

  it('far beyond any window belong to no stream (RFC 7323 2.3)', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    rig.capture(client.packet({ seq: (client.seq + 0x4000_0000) >>> 0, flags: ACK | PSH, text: textOf('x') }));
    rig.wait(3000);
    rig.capture(client.send('one'));
    assert.deepEqual(rig.target.streams(), ['one']);
    assert.equal(rig.engine.counters.captureGaps, 0);
  });

  it('with a FIN end the stream in its place', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
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
    const client = open(rig);
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

describe('a gap', () => {
  it('in a packet that the capture cut resets the target, and the next turn gets a fresh connection', () => {
    const answerWhole = (_: unknown, text: Uint8Array): number => (text.at(-1) === ';'.charCodeAt(0) ? 100 : 0);
    const rig = new Rig({}, { answer: answerWhole });
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
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

describe('the rest of a turn that was lost', () => {
  it('is no request: a target that refuses an upload loses one turn, not one for each packet', () => {
    const rig = new Rig({}, { refuse: true });
    const client = open(rig);
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
    const client = open(rig);
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

describe('the ledger', () => {
  it('names a reset instead of the last answer, though every turn was delivered', () => {
    const rig = new Rig({}, {});
    const client = open(rig);
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
    rig.capture(open(rig, new Client({ clientPort: 41_000 })).send('one'));
    open(rig, new Client({ clientPort: 41_001 }));
    rig.engine.close(rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.terminals(), { midStreamSkipped: 1, interrupted: 2 });
    assert.equal(rig.engine.connectionsOpen, 0);
    assert.equal(rig.engine.sessionsOpen, 0);
  });

  it('closes with a gap: the turn that was not captured is lost, and not in silence', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
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

describe('a lane', () => {
  it('that is down holds turns up to the timeout, and they go out when it comes back', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
    rig.engine.setLaneUp(0, false, rig.nowMs);
    rig.capture(client.send('one'));
    rig.wait(3000);
    assert.deepEqual(rig.target.streams(), ['']);
    rig.engine.setLaneUp(0, true, rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.target.streams(), ['one']);
    rig.engine.setLaneUp(0, false, rig.nowMs);
    client.hear(100);
    rig.capture(client.send('two'));
    rig.wait(6000);
    assert.deepEqual(rig.lost(), { channelLost: 1 });
  });

  it('that is down when a connection begins gets it when it comes back', () => {
    const rig = new Rig({}, answerAll);
    rig.engine.setLaneUp(0, false, rig.nowMs);
    const client = open(rig);
    rig.capture(client.send('one'));
    rig.engine.setLaneUp(0, true, rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.target.streams(), ['one']);
  });

  it('whose batch is full tells of its open flows in parts', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, batchPacketsMax: 40 } }, answerAll);
    for (let index = 0; index < 100; index += 1) open(rig, new Client({ clientPort: 41_000 + index }));
    rig.wait(1000);
    rig.target.log.length = 0;
    rig.engine.setLaneUp(0, false, rig.nowMs);
    rig.engine.reopenFlows(0);
    const output = rig.engine.outputs[0]!;
    assert.equal(output.count, 40);
    output.clear();
    rig.engine.setLaneUp(0, true, rig.nowMs);
    rig.settle();
    assert.equal(rig.target.log.filter((entry) => entry === 'SYN').length, 60);
    assert.equal(rig.engine.nextDeadlineMs() > 0, true);
  });

  it('whose batch is full releases its flows later', () => {
    const limits = { ...CONFIG.limits, batchPacketsMax: 64, batchBytesMax: 4000 };
    const rig = new Rig({ limits }, answerAll);
    const clients = Array.from({ length: 60 }, (_, index) => new Client({ clientPort: 41_000 + index }));
    for (const client of clients) rig.capture(client.syn(), client.acknowledge());
    for (const client of clients) rig.capture(client.send('x'));
    for (const client of clients) client.hear(100);
    rig.capture(...clients.map((client) => client.reset()));
    rig.wait(3000);
    assert.deepEqual(rig.terminals(), { copied: 60 });
    assert.equal(new Set(rig.target.released).size, 60);
    assert.ok(rig.engine.counters.outputOverflows > 0, 'the batch was full');
  });
});

describe('what comes late of an earlier connection on the same port', () => {
  it('says nothing of this one, and does not end it', () => {
    const rig = new Rig({}, answerAll);
    const before = open(rig);
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

describe('a connection whose only turn was cut by the capture', () => {
  for (const end of ['fin', 'reset'] as const) {
    it(`${end}: does not wait for an answer that nobody owes, and is named after the gap`, () => {
      const rig = new Rig({}, answerAll);
      const client = open(rig);
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

describe('the end of the capture', () => {
  it('ends connections whose end was not captured, when all is delivered', () => {
    const rig = new Rig({}, answerAll);
    const client = open(rig);
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
    const client = open(rig);
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
    const client = open(rig);
    client.seq += 10;
    rig.capture(client.send('behind a gap'));
    open(rig, new Client({ clientPort: 41_000 }));
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
      const client = open(rig);
      rig.capture(client.send('one'));
      rig.engine.endCapture(rig.nowMs);
      rig.settle();
    }
    assert.deepEqual(rig.terminals(), { copied: 2 });
    rig.checkEnd();
  });
});
