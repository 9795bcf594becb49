import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Client } from '../kit/client.js';
import { mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';
import { batchOf } from '../kit/segment.js';

const answerAll = { answer: (): number => 100 };

describe('a whole session', () => {
  it('is copied: handshake, one turn, answer, close', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.syn());
    rig.capture(client.acknowledge());
    rig.capture(client.send('GET / HTTP/1.1\r\n\r\n'));
    client.hear(100);
    rig.capture(client.acknowledge());
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['GET / HTTP/1.1\r\n\r\n']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
    assert.equal(rig.engine.counters.turnsDelivered, 1);
    assert.equal(rig.engine.counters.turnsAnswered, 1);
    assert.equal(rig.target.connections[0]!.state, 'closed');
    assert.equal(rig.engine.sessionsOpen, 0);
    assert.equal(rig.engine.connectionsOpen, 0);
    assert.equal(rig.engine.heldBytes, 0);
    assert.deepEqual(rig.target.released, [rig.target.connections[0]!.sessionId]);
  });

  it('of twenty turns on one connection delivers each once and in order', () => {
    const rig = new Rig({}, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    let sent = '';
    for (let turn = 0; turn < 20; turn += 1) {
      rig.capture(client.send(`request ${turn};`));
      sent += `request ${turn};`;
      client.hear(100);
      rig.wait(3);
    }
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), [sent]);
    assert.equal(rig.engine.counters.turnsCaptured, 20);
    assert.equal(rig.engine.counters.turnsDelivered, 20);
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });

  it('that was captured in one batch is replayed turn by turn', () => {
    const texts: number[] = [];
    const answer = (_: unknown, text: Uint8Array): number => {
      texts.push(text.length);
      return 100;
    };
    const rig = new Rig({}, { answer });
    const client = new Client();
    const packets = [client.syn(), client.acknowledge(), client.send('aaa')];
    client.hear(100);
    packets.push(client.send('bbbb'));
    client.hear(100);
    packets.push(client.send('ccccc'), client.fin());
    rig.capture(...packets);
    rig.wait(1000);
    assert.deepEqual(texts, [3, 4, 5]);
    assert.deepEqual(rig.target.streams(), ['aaabbbbccccc']);
    assert.deepEqual(rig.terminals(), { copied: 1 });
  });

  it('with an upload of 1 MB arrives byte for byte', () => {
    const rig = new Rig({}, {});
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    const body = Uint8Array.from({ length: 1_000_000 }, (_, index) => (index * 7 + (index >> 8)) & 255);
    for (let at = 0; at < body.length; at += 40_000) rig.capture(client.send(body.subarray(at, at + 40_000)));
    rig.wait(2000);
    assert.deepEqual(Uint8Array.from(rig.target.connections[0]!.received), body);
    rig.capture(client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.terminals(), { copied: 1 });
    assert.equal(rig.engine.heldBytes, 0);
  });
});

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

describe('copies and samples', () => {
  it('-n 3 with 100 connections makes exactly 300, no two with the same source', () => {
    const rig = new Rig({ copies: 3 }, answerAll);
    for (let index = 0; index < 100; index += 1) {
      const client = new Client({ clientPort: 40_000 + index * 32 });
      rig.capture(client.syn(), client.acknowledge(), client.send('x'));
      client.hear(100);
      rig.capture(client.acknowledge());
    }
    assert.equal(rig.target.connections.length, 300);
    assert.equal(new Set(rig.target.connections.map((connection) => connection.source)).size, 300);
    assert.equal(rig.target.streams().filter((stream) => stream === 'x').length, 300);
  });

  it('-r 10 of 2,000 connections chooses about 200, and the same again', () => {
    const chosen = (): string[] => {
      const rig = new Rig({ sample: { fraction: 0.1, by: 'connection', seed: 5 } }, answerAll);
      for (let index = 0; index < 2000; index += 1) {
        const client = new Client({ clientPort: 20_000 + index });
        rig.capture(client.syn(), client.acknowledge(), client.send('x'), client.fin());
      }
      rig.wait(2000);
      assert.equal(rig.terminals()['sampledOut']! + rig.terminals()['copied']!, 2000);
      return rig.target.connections.map((connection) => connection.source);
    };
    const first = chosen();
    // Binomial(2000, 0.1): five standard deviations are 67.
    assert.ok(Math.abs(first.length - 200) < 67, `${first.length}`);
    assert.deepEqual(chosen(), first);
  });

  it('to two targets delivers everything to both', () => {
    const rig = new Rig({ mappings: [mappingTo(TARGET, targetAt('other', { port: 8081 }))] }, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('one'));
    client.hear(100);
    rig.capture(client.send('two'), client.fin());
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['onetwo', 'onetwo']);
    assert.deepEqual(rig.terminals(), { copied: 2 });
  });
});

describe('packets', () => {
  const v6 = (last: number): number[] => [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
  const v4Mapping = CONFIG.mappings[0]!;
  const v6Target = targetAt('six', { address: Uint8Array.from(v6(3)) });

  it('of IPv6 are replayed like those of IPv4, each by the mapping of its version', () => {
    const mappings = [v4Mapping, { onlinePort: 80, ipVersion: 6 as const, targets: [v6Target] }];
    const rig = new Rig({ mappings }, answerAll);
    const four = new Client();
    const six = new Client({ clientAddress: v6(1), onlineAddress: v6(2) });
    for (const client of [four, six]) rig.capture(client.syn(), client.acknowledge(), client.send('x'.repeat(4000)));
    for (const client of [four, six]) {
      client.hear(100);
      rig.capture(client.fin());
    }
    rig.wait(1000);
    assert.deepEqual(rig.target.streams(), ['x'.repeat(4000), 'x'.repeat(4000)]);
    assert.deepEqual(rig.terminals(), { copied: 2 });
    assert.equal(rig.target.connections[1]!.source, `${v6(1).join('.')}:40000`);
  });

  it('carry our mark where delivery needs it, and are no larger for it', () => {
    const sizes: number[] = [];
    const marked: boolean[] = [];
    const lose = (packet: Uint8Array): boolean => {
      sizes.push(packet.length);
      const optionsEnd = 20 + ((packet[32]! >> 4) << 2);
      marked.push(packet.subarray(optionsEnd - 4, optionsEnd).join() === '253,4,116,99');
      return false;
    };
    const rig = new Rig({ markSegments: true, mtuBytes: 600 }, { ...answerAll, lose });
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('x'.repeat(4000)));
    client.hear(100);
    rig.capture(client.reset());
    assert.ok(marked.length > 8);
    assert.ok(marked.every((isMarked) => isMarked));
    assert.equal(Math.max(...sizes), 600);
    assert.deepEqual(rig.target.streams(), ['x'.repeat(4000)]);
  });

  it('come from an address of -c, always the same for a client', () => {
    const clientAddresses = [1, 2, 3].map((last) => ({ address: Uint8Array.of(192, 0, 2, last), prefixBits: 32 }));
    const rig = new Rig({ clientAddresses }, answerAll);
    for (let index = 0; index < 60; index += 1) {
      const client = new Client({ clientAddress: [127, 0, 0, 1 + (index % 20)], clientPort: 41_000 });
      client.seq = index * 100_000;
      rig.capture(client.syn(), client.acknowledge(), client.send('x'), client.reset());
    }
    rig.wait(1000);
    const sources = rig.target.connections.map(({ source }) => source.replace(/:.*/, ''));
    assert.deepEqual(sources.slice(0, 20), sources.slice(20, 40));
    assert.deepEqual([...new Set(sources)].sort(), ['192.0.2.1', '192.0.2.2', '192.0.2.3']);
    assert.deepEqual(rig.terminals(), { copied: 60 });
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
