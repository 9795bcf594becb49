/** Targets that close, refuse, reset, forget, lag and lose, and the way to them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { mappingTo, TARGET } from '../kit/engine-setup.js';
import { Rig } from '../kit/rig.js';
import { batchOf } from '../kit/segment.js';

describe('targets that do not play along', () => {
  it('refuse: the turns are lost as targetRefused', () => {
    const rig = new Rig({}, { refuse: true });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    rig.capture(client.send('one'));
    rig.capture(client.fin());
    assert.deepEqual(rig.lost(), { targetRefused: 1 });
    assert.deepEqual(rig.terminals(), { targetRefused: 1 });
  });

  it('never answer the SYN: noResponse after the timeout', () => {
    const rig = new Rig({}, { silent: true });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one'), client.fin());
    rig.wait(10_000);
    assert.deepEqual(rig.lost(), { noResponse: 1 });
    assert.deepEqual(rig.terminals(), { noResponse: 1 });
    assert.ok(rig.target.log.filter((entry) => entry === 'SYN').length >= 3, 'the SYN is repeated');
  });

  it('close after each turn: the next one goes to a fresh connection, none twice', () => {
    const rig = new Rig(
      {},
      {
        answer: (connection) => {
          rig.target.send(connection, 100);
          rig.target.send(connection, 0, 0x11);
          return 0;
        },
      },
    );
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    for (let turn = 0; turn < 5; turn += 1) {
      rig.capture(client.send(`r${turn}`));
      client.hear(100);
    }
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['r0', 'r1', 'r2', 'r3', 'r4']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
    assert.equal(rig.engine.counters.turnsDelivered, 5);
  });

  it('reset on each request: every turn is sent once, the session is named targetReset', () => {
    const rig = new Rig(
      {},
      {
        answer: (connection) => {
          rig.target.reset(connection);
          return 0;
        },
      },
    );
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    for (let turn = 0; turn < 3; turn += 1) {
      rig.capture(client.send(`r${turn}`));
      client.hear(100);
    }
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['r0', 'r1', 'r2']);
    assert.deepEqual(rig.terminals(), { targetReset: 1 });
  });
});

describe('a target that says something, closes its side at once and goes on reading', () => {
  it('is sent all turns on that connection', () => {
    const rig = new Rig({}, {});
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    client.hear(20);
    rig.capture(client.send('one;'));
    rig.target.send(rig.target.connections[0]!, 20, 0x19);
    rig.settle();
    rig.capture(client.send('more;'), client.fin());
    rig.wait(2000);
    assert.deepEqual(rig.target.streams(), ['one;more;']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });
});

describe('a target that is not known yet', () => {
  const unknown = { ...TARGET, closesAfterAnswer: undefined };

  it('is given time to close behind its answer before the next turn goes', () => {
    const rig = new Rig({ mappings: [mappingTo(unknown)] }, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one;'));
    client.hear(100);
    rig.capture(client.send('two;'));
    rig.wait(10);
    assert.deepEqual(rig.target.streams(), ['one;']);
    rig.target.send(rig.target.connections[0]!, 0, 0x11);
    rig.settle();
    assert.deepEqual(rig.target.streams(), ['one;', 'two;']);
  });

  it('gets its turns without delay once it has answered often and not closed', () => {
    const rig = new Rig({ mappings: [mappingTo(unknown)] }, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    for (let turn = 0; turn < 40; turn += 1) {
      rig.capture(client.send('x'));
      client.hear(100);
      const before = rig.nowMs;
      if (turn < 32) rig.wait(25);
      assert.equal(rig.target.connections[0]!.received.length, turn + 1);
      if (turn > 33) assert.equal(rig.nowMs, before);
    }
    assert.equal(rig.target.connections.length, 1);
  });
});

describe('a target that closes while the next turn is on its way', () => {
  it('gets that turn on a fresh connection, even if its kernel still takes it on the old one', () => {
    const rig = new Rig(
      {},
      {
        answer: (connection) => {
          rig.target.send(connection, 100);
          return 0;
        },
      },
    );
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one;'));
    const [first] = rig.target.connections;
    client.hear(100);
    // Its answer lets the next turn go, which is on its way when the target closes.
    rig.target.behaviour = { ...rig.target.behaviour, lose: () => true };
    rig.capture(client.send('two;'));
    rig.target.behaviour = answerAll;
    rig.target.send(first!, 0, 0x11);
    rig.settle();
    rig.wait(10);
    rig.capture(client.fin());
    rig.wait(2000);
    assert.deepEqual(rig.target.streams(), ['one;', 'two;']);
    assert.equal(first!.state, 'reset');
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });
});

describe('a target that forgets half-open connections', () => {
  it('gets the turn on a fresh connection, as it has taken nothing', () => {
    let forgotten = 0;
    const rig = new Rig(
      {},
      {
        lose: (packet) => {
          const connection = rig.target.connections.at(-1);
          if (forgotten === 2 || packet.length < 60 || connection === undefined || connection.state !== 'open')
            return false;
          if ((packet[33]! & 0x08) === 0) return false;
          forgotten += 1;
          rig.target.reset(connection, 0x04);
          return true;
        },
        ...answerAll,
      },
    );
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    rig.capture(client.send('a request of some length'));
    client.hear(100);
    rig.capture(client.fin());
    rig.wait(5000);
    assert.equal(forgotten, 2);
    assert.deepEqual(rig.target.streams(), ['', '', 'a request of some length']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
    assert.deepEqual(rig.lost(), {});
  });
});

describe('loss on the way to the target', () => {
  it('of any one packet is repaired', () => {
    for (let victim = 0; victim < 8; victim += 1) {
      let seen = 0;
      const lose = (): boolean => {
        seen += 1;
        return seen - 1 === victim;
      };
      const rig = new Rig({}, { ...answerAll, lose });
      const client = new Client();
      rig.capture(client.syn(), client.acknowledge());
      rig.capture(client.send('one'));
      client.hear(100);
      rig.capture(client.send('two'));
      client.hear(100);
      rig.capture(client.fin());
      rig.wait(20_000);
      assert.deepEqual(rig.target.streams(), ['onetwo'], `packet ${victim} lost`);
      assert.deepEqual(rig.terminals(), { copied: 1 }, `packet ${victim} lost`);
    }
  });

  it('of one in ten in an upload is repaired', () => {
    let seen = 0;
    const lose = (): boolean => {
      seen += 1;
      return seen % 10 === 7;
    };
    const rig = new Rig({}, { lose });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    const body = Uint8Array.from({ length: 200_000 }, (_, index) => index & 255);
    for (let at = 0; at < body.length; at += 20_000) rig.capture(client.send(body.subarray(at, at + 20_000)));
    rig.capture(client.fin());
    rig.wait(200_000);
    assert.deepEqual(Uint8Array.from(rig.target.connections[0]!.received), body);
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });
});

describe('a target that lags', () => {
  /** SYNs that a silent target gets of a connection in 2.3 s, after one whose SYN it answered in `firstMs`. */
  function synsAfter(firstMs: number): number {
    const rig = new Rig();
    rig.engine.ingestCaptured(batchOf([new Client({ clientPort: 41_000 }).syn()]), rig.nowMs);
    rig.nowMs += firstMs;
    rig.settle();
    rig.target.behaviour = { silent: true };
    rig.target.log.length = 0;
    rig.capture(new Client({ clientPort: 41_001 }).syn());
    rig.wait(2300);
    return rig.target.log.filter((entry) => entry === 'SYN').length;
  }

  it('gets the SYN of the next connection again no sooner than it was seen to answer (RFC 9040)', () => {
    assert.equal(synsAfter(800), 1);
  });

  it('gets it again after 1 s when it does not lag (RFC 6298 2.1)', () => {
    assert.equal(synsAfter(0), 2);
  });
});

describe('a loss probe', () => {
  /** Connections of which one turn was answered; of the next everything is lost. */
  function deaf(connections: number): Rig {
    let isDeaf = false;
    const rig = new Rig({}, { ...answerAll, lose: () => isDeaf });
    const clients = Array.from({ length: connections }, (_, index) => new Client({ clientPort: 20_000 + index }));
    for (const client of clients) {
      rig.capture(client.syn(), client.acknowledge());
      rig.capture(client.send('one'));
      client.hear(100);
    }
    isDeaf = true;
    for (const client of clients) rig.capture(client.send('two'));
    return rig;
  }

  it('that comes late waits until what arrived meanwhile is read', () => {
    const rig = deaf(1);
    const { counters } = rig.engine;
    rig.nowMs += 82;
    rig.engine.advance(rig.nowMs);
    assert.equal(counters.lossProbes, 0, 'due since 12 ms');
    rig.wait(9);
    assert.equal(counters.lossProbes, 0);
    rig.wait(1);
    assert.equal(counters.lossProbes, 1);
  });

  it('goes out where the lane is up only, and the timer comes in its place', () => {
    const rig = deaf(1);
    const { counters } = rig.engine;
    rig.engine.setLaneUp(0, false, rig.nowMs);
    rig.wait(100);
    assert.equal(counters.lossProbes, 0);
    rig.engine.setLaneUp(0, true, rig.nowMs);
    rig.wait(2);
    assert.equal(counters.lossProbes, 0);
    assert.equal(counters.segmentsRetransmitted, 1);
  });

  it('has a limit for all connections of an endpoint: 64 at once, and one more for each eight acknowledgements', () => {
    const rig = deaf(100);
    const { counters } = rig.engine;
    rig.wait(70);
    assert.equal(counters.lossProbes, 64);
    assert.equal(counters.segmentsRetransmitted, 64);
    rig.wait(200);
    assert.equal(counters.segmentsRetransmitted, 64 + 100, 'the timer has no such limit');
  });

  it('that is not needed is not made, however long the target takes to answer', () => {
    const rig = new Rig({}, { ...answerAll });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    for (let turn = 0; turn < 20; turn += 1) {
      rig.capture(client.send('a turn'));
      client.hear(100);
      rig.wait(turn * 20);
    }
    assert.equal(rig.engine.counters.turnsAnswered, 20);
    assert.equal(rig.engine.counters.segmentsRetransmitted, 0);
  });
});
