/** What a copy does that finds seconds of captured packets at once: connections whose clients have gone are opened a windowful at a time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OPENINGS_AT_FIRST } from '../../src/session/opening-window.js';
import type { TargetConnection } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { ENDPOINT, mappingTo, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';
import { batchOf } from '../kit/segment.js';

const ANSWER_BYTES = 100;
const answerAll = { answer: () => ANSWER_BYTES };
const limits = { ...CONFIG.limits, connectionsMax: 4096, sessionsMax: 4096 };

/** All packets of a connection that made one request. */
function wholeConnection(index: number): Uint8Array[] {
  const client = new Client({ clientPort: 10_000 + index });
  const packets = [client.syn(), client.acknowledge(), client.send(`request ${index}`)];
  client.hear(ANSWER_BYTES);
  return [...packets, client.acknowledge(), client.fin()];
}

/** So many connections, one after the other, found at once. */
function captureBurst(rig: Rig, connections: number): void {
  const packets = Array.from({ length: connections }, (_, index) => wholeConnection(index)).flat();
  rig.engine.ingestCaptured(batchOf(packets), rig.nowMs);
}

function synsSent(rig: Rig): number {
  return rig.target.log.filter((packet) => packet === 'SYN').length;
}

describe('connections whose clients have gone', () => {
  it('are opened a windowful at a time, and the others take no port', () => {
    const rig = new Rig({}, { silent: true });
    captureBurst(rig, 300);
    rig.settle();
    assert.equal(synsSent(rig), OPENINGS_AT_FIRST);
  });

  it('are all copied, in the order in which they came', () => {
    const rig = new Rig({}, answerAll);
    captureBurst(rig, 1000);
    rig.settle();
    rig.wait(1000);
    assert.deepEqual(rig.terminals(), { copied: 1000 });
    assert.deepEqual(
      rig.target.streams(),
      Array.from({ length: 1000 }, (_, index) => `request ${index}`),
    );
    rig.checkEnd();
  });

  it('that had said nothing are copied as well', () => {
    const rig = new Rig({}, answerAll);
    const packets = Array.from({ length: 200 }, (_, index) => {
      const client = new Client({ clientPort: 10_000 + index });
      return [client.syn(), client.acknowledge(), client.fin()];
    }).flat();
    rig.engine.ingestCaptured(batchOf(packets), rig.nowMs);
    rig.settle();
    rig.wait(1000);
    assert.equal(rig.target.connections.length, 200);
    assert.deepEqual(rig.terminals(), { copied: 200 });
    rig.checkEnd();
  });

  it('hold up nobody whose client is there', () => {
    const rig = new Rig({}, { silent: true });
    captureBurst(rig, 300);
    const client = new Client({ clientPort: 9000 });
    rig.capture(client.syn(), client.acknowledge(), client.send('of now'));
    assert.equal(synsSent(rig), OPENINGS_AT_FIRST + 1);
  });

  it('give up their places when the target refuses them, resets them, or does not answer them', () => {
    const refusing = new Rig({}, { refuse: true });
    captureBurst(refusing, 300);
    refusing.settle();
    assert.deepEqual(refusing.lost(), { targetRefused: 300 });
    refusing.checkEnd();

    const resetting = new Rig({}, { answer: () => 1, after: () => 'reset' });
    captureBurst(resetting, 300);
    resetting.settle();
    resetting.wait(1000);
    assert.equal(resetting.engine.counters.turnsDelivered, 300);
    resetting.checkEnd();

    const silent = new Rig({}, { silent: true });
    captureBurst(silent, 300);
    silent.wait(CONFIG.responseTimeoutMs + 1);
    const { noResponse = 0, shed = 0 } = silent.lost();
    assert.ok(noResponse >= OPENINGS_AT_FIRST, `${noResponse}`);
    assert.ok(shed > 0, 'who waited as long for a place as for a response is shed');
    silent.wait(2 * CONFIG.responseTimeoutMs);
    assert.equal(silent.engine.counters.turnsPending, 0);
    silent.checkEnd();
  });

  it('that wait go to another endpoint when theirs is taken out of the settings', () => {
    const rig = new Rig({ limits, lanes: 2 }, { answer: () => 0 });
    captureBurst(rig, 300);
    rig.settle();
    rig.targetOf(1).behaviour = answerAll;
    const other = { ...ENDPOINT, lane: 1, address: Uint8Array.of(10, 0, 0, 4) };
    rig.engine.setMappings([mappingTo(targetAt('target', other))], rig.nowMs);
    rig.settle();
    rig.wait(1000);
    assert.equal(rig.engine.counters.turnsDelivered, 300);
    assert.equal(rig.targetOf(1).connections.length, 300 - OPENINGS_AT_FIRST);
    rig.checkEnd();
  });
});

describe('a listener with room for 100 that takes 40 connections in 10 ms', () => {
  const ROOM = 100;
  const CONNECTIONS = 2000;

  it('gets 2,000 connections of one moment within seconds, and few SYNs twice', () => {
    const waiting: TargetConnection[] = [];
    const isSyn = (packet: Uint8Array): boolean => (packet[33]! & 2) !== 0;
    const rig = new Rig(
      { limits, responseTimeoutMs: 60_000 },
      {
        lose: (packet) => isSyn(packet) && waiting.length >= ROOM,
        answer: (connection) => {
          waiting.push(connection);
          return 0;
        },
      },
    );
    captureBurst(rig, CONNECTIONS);
    rig.settle();
    const beganMs = rig.nowMs;
    while (rig.engine.counters.turnsDelivered < CONNECTIONS && rig.nowMs < beganMs + 60_000) {
      rig.wait(10);
      for (const connection of waiting.splice(0, 40)) rig.target.send(connection, ANSWER_BYTES);
      rig.settle();
    }
    const { turnsDelivered } = rig.engine.counters;
    const repeated = synsSent(rig) - CONNECTIONS;
    assert.equal(turnsDelivered, CONNECTIONS);
    assert.ok(repeated < CONNECTIONS / 10, `${repeated} SYNs repeated`);
    const neededMs = (CONNECTIONS / 40) * 10;
    assert.ok(rig.nowMs - beganMs < neededMs + 4000, `${rig.nowMs - beganMs} ms`);
  });
});
