/** The limits of docs/session.md that no other test reaches: what happens at each of them, and that nothing grows beyond it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RECORD_RELEASE, REPLAY_RECORD_HEADER_BYTES, type ReplayBatch } from '../../src/batch/replay-batch.js';
import { Engine } from '../../src/engine.js';
import { ENDPOINTS_MAX, TARGETS_MAX } from '../../src/engine-config.js';
import { OUT_OF_ORDER_BYTES_MAX } from '../../src/session/captured.js';
import { readU16 } from '../../src/wire/bytes.js';
import { ACK, PSH } from '../../src/wire/tcp.js';
import { Client } from '../kit/client.js';
import { mappingTo, TARGET, targetAt } from '../kit/engine-setup.js';
import { CONFIG, Rig } from '../kit/rig.js';
import { batchOf } from '../kit/segment.js';

const answerAll = { answer: () => 10 };
const ONLINES_MAX = 4096;

describe('addresses and ports of online', () => {
  it(`beyond ${ONLINES_MAX} are unmapped`, () => {
    const rig = new Rig({}, answerAll);
    for (let online = 0; online < ONLINES_MAX + 3; online += 1) {
      const client = new Client({ onlineAddress: [10, 1, online >> 8, online & 255] });
      rig.engine.ingestCaptured(batchOf([client.syn(), client.reset()]), rig.nowMs);
    }
    const { packetsUnmapped, connectionsSeen } = rig.engine.counters;
    assert.deepEqual([connectionsSeen, packetsUnmapped], [ONLINES_MAX, 2 * 3]);
  });
});

describe('octets beyond a gap', () => {
  /** Segments behind one that is missing, `bytes` in all. */
  function sendEarly(rig: Rig, client: Client, bytes: number): void {
    const first = client.seq;
    client.seq += 100;
    for (let sent = 0; sent < bytes; sent += 60_000) {
      const text = new Uint8Array(60_000);
      rig.engine.ingestCaptured(batchOf([client.packet({ flags: ACK | PSH, text })]), rig.nowMs);
      client.seq += text.length;
    }
    assert.ok(client.seq > first);
  }

  it('of one connection: more than its limit ends the wait for what is missing at once', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, heldBytesMax: 64 * 2 ** 20 } }, answerAll);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge());
    sendEarly(rig, client, OUT_OF_ORDER_BYTES_MAX - 120_000);
    assert.equal(rig.engine.counters.captureGaps, 0, 'it may still come');
    sendEarly(rig, client, 240_000);
    assert.equal(rig.engine.counters.captureGaps, 1);
  });

  for (const [heldMiB, gaps] of [
    [24, 1],
    // More than 32 bits can say; the memory is never touched.
    [4096 + 16, 0],
  ] as const) {
    it(`of all connections: a quarter of what may be held, ${heldMiB} MiB`, () => {
      const rig = new Rig({ limits: { ...CONFIG.limits, heldBytesMax: heldMiB * 2 ** 20 } }, answerAll);
      for (let index = 0; index < 3; index += 1) {
        const client = new Client({ clientPort: 41_000 + index });
        rig.capture(client.syn(), client.acknowledge());
        sendEarly(rig, client, 2_500_000);
      }
      assert.equal(rig.engine.counters.captureGaps, gaps, '7.5 MB wait, and 6 MiB are a quarter of 24');
    });
  }
});

describe('turns that wait', () => {
  it('of all connections: the one that brings more loses what waits, and goes on', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, turnsMax: 1000 } }, { answer: () => 0 });
    const clients = Array.from({ length: 4 }, (_, index) => new Client({ clientPort: 41_000 + index }));
    for (const client of clients) rig.capture(client.syn(), client.acknowledge());
    for (let turn = 0; turn < 400; turn += 1) {
      for (const client of clients) {
        rig.engine.ingestCaptured(batchOf([client.send('x')]), rig.nowMs);
        client.hear(10);
        assert.ok(rig.engine.counters.turnsPending <= 1000 + 2, `${rig.engine.counters.turnsPending}`);
      }
    }
    const { shed = 0 } = rig.lost();
    assert.ok(shed > 0, 'some were shed');
    rig.target.behaviour = answerAll;
    for (const client of clients) rig.capture(client.fin());
    rig.wait(60_000);
    rig.checkEnd();
    assert.ok(rig.engine.counters.turnsDelivered > 0);
  });
});

describe('settings', () => {
  const refused = (work: () => unknown): void => assert.throws(work, /at most/);

  it('with more lanes, targets or endpoints than there may be are refused', () => {
    const engine = new Engine({ ...CONFIG, lanes: CONFIG.limits.lanesMax }, 1);
    for (let lane = 0; lane < CONFIG.limits.lanesMax; lane += 1) engine.addLane();
    refused(() => engine.addLane());
    const targets = Array.from({ length: TARGETS_MAX + 1 }, (_, index) => targetAt(`target ${index}`, {}));
    refused(() => engine.setMappings([mappingTo(...targets)], 1));
    const endpoints = Array.from({ length: ENDPOINTS_MAX + 1 }, (_, index) => ({ port: 1000 + index }));
    refused(() => engine.setMappings([mappingTo(targetAt('target', ...endpoints))], 1));
  });
});

describe('sessions whose end finds no room in the output', () => {
  const SESSIONS_MAX = 8;

  it('keep their places until it is drained: what waits is never more than there may be sessions, and the rest is shed', () => {
    const limits = {
      ...CONFIG.limits,
      sessionsMax: SESSIONS_MAX,
      connectionsMax: SESSIONS_MAX,
      batchPacketsMax: 4,
      batchBytesMax: 400,
    };
    const engine = new Engine({ ...CONFIG, limits, mappings: [mappingTo(TARGET)] }, 1);
    const connections = 20 * SESSIONS_MAX;
    for (let index = 0; index < connections; index += 1) {
      const client = new Client({ clientPort: 41_000 + index });
      engine.ingestCaptured(batchOf([client.syn(), client.reset()]), 1000);
    }
    assert.equal(engine.sessionsOpen, SESSIONS_MAX);
    assert.equal(engine.counters.terminal.shed, connections - SESSIONS_MAX);
    let released = 0;
    for (let drains = 0; drains < connections; drains += 1) {
      released += releasesOf(engine.outputs[0]!);
      engine.outputs[0]!.clear();
      engine.advance(1000 + drains * 1000);
    }
    assert.deepEqual([engine.sessionsOpen, released], [0, SESSIONS_MAX]);
  });
});

function releasesOf(batch: ReplayBatch): number {
  let count = 0;
  for (let at = batch.headroomBytes; at < batch.length; ) {
    if (batch.bytes[at + 6] === RECORD_RELEASE) count += 1;
    at += REPLAY_RECORD_HEADER_BYTES + ((readU16(batch.bytes, at + 4) + 3) & ~3);
  }
  return count;
}
