/** Lanes that are down, and batches that are full. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RECORD_OPEN, REPLAY_RECORD_HEADER_BYTES, type ReplayBatch } from '../../src/batch/replay-batch.js';
import { readU16, readU32 } from '../../src/wire/bytes.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { CONFIG, Rig } from '../kit/rig.js';

/** Reads what is in the batch: of each flow first that it is open, then its packets. */
function takeRecords(batch: ReplayBatch, known: Set<number>): void {
  for (let at = batch.headroomBytes; at < batch.length; ) {
    const id = readU32(batch.bytes, at);
    if (batch.bytes[at + 6] === RECORD_OPEN) known.add(id);
    else assert.ok(known.has(id), `session ${id} sends, and nobody knows its flow`);
    at += REPLAY_RECORD_HEADER_BYTES + ((readU16(batch.bytes, at + 4) + 3) & ~3);
  }
  batch.clear();
}

describe('a lane', () => {
  it('that is down holds turns up to the timeout, and they go out when it comes back', () => {
    const rig = new Rig({}, answerAll);
    const client = rig.open();
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
    const client = rig.open();
    rig.capture(client.send('one'));
    rig.engine.setLaneUp(0, true, rig.nowMs);
    rig.settle();
    assert.deepEqual(rig.target.streams(), ['one']);
  });

  it('whose batch is full tells of its open flows in parts', () => {
    const rig = new Rig({ limits: { ...CONFIG.limits, batchPacketsMax: 40 } }, answerAll);
    for (let index = 0; index < 100; index += 1) rig.open(new Client({ clientPort: 41_000 + index }));
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

  it('whose batch is full sends nothing of a flow before it has told of it', () => {
    let isDeaf = false;
    const limits = { ...CONFIG.limits, batchPacketsMax: 40 };
    const rig = new Rig({ limits }, { ...answerAll, lose: () => isDeaf });
    const clients = Array.from({ length: 100 }, (_, index) => rig.open(new Client({ clientPort: 41_000 + index })));
    isDeaf = true;
    for (const client of clients) rig.capture(client.fin());
    rig.engine.setLaneUp(0, false, rig.nowMs);
    rig.wait(50);
    rig.engine.reopenFlows(0);
    const known = new Set<number>();
    takeRecords(rig.engine.outputs[0]!, known);
    rig.engine.setLaneUp(0, true, rig.nowMs);
    takeRecords(rig.engine.outputs[0]!, known);
    assert.equal(known.size, 80, 'and the timers of all are due');
    for (let call = 0; call < 10; call += 1) {
      rig.nowMs += 4;
      rig.engine.advance(rig.nowMs);
      takeRecords(rig.engine.outputs[0]!, known);
    }
    assert.equal(known.size, 100);
    assert.equal(rig.engine.counters.segmentsRetransmitted, 100);
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
