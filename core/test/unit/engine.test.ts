/** Whole sessions, copies and samples of them, and what the packets look like. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';

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
