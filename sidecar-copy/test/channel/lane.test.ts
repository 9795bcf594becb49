import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FRAME,
  type FrameType,
  HEADERS_PREFIX_BYTES,
  RECORD_OPEN,
  RECORD_PACKET,
  RESPONSE_RECORD_BYTES,
  ReplayBatch,
  writeHeadersPrefix,
} from '@trafficcopy/core';
import { Lane, type LaneConnection, type LaneEngine } from '../../src/channel/lane.js';
import { TunnelSink } from '../../src/sink/tunnel-sink.js';

/** Engine and connection of a lane in one: writes down in order what the lane tells either. */
class Surroundings implements LaneEngine, LaneConnection {
  readonly calls: string[] = [];
  readonly outputs = [new ReplayBatch(4096, 64)];
  readonly remote = '10.0.0.2:36524';
  queuedBytes = 0;
  framesDropped = 0;
  isQueueFull = false;

  setLaneUp(_lane: number, isUp: boolean): void {
    this.calls.push(isUp ? 'up' : 'down');
  }

  setLaneCongested(_lane: number, isCongested: boolean): void {
    this.calls.push(isCongested ? 'congested' : 'free');
  }

  reopenFlows(): void {
    this.calls.push('reopen');
    this.outputs[0]!.append(7, RECORD_OPEN, 40);
  }

  noteDropped(_lane: number, packets: number): void {
    this.calls.push(`dropped ${packets}`);
  }

  sendBatch(type: FrameType, batch: ReplayBatch): boolean {
    this.calls.push(`${type === FRAME.REGISTER ? 'REGISTER' : 'PACKETS'} ${batch.count}`);
    return !this.isQueueFull;
  }

  flush(): void {}
}

function laneWith(around: Surroundings): { lane: Lane; responses: number[] } {
  const responses: number[] = [];
  const lane = new Lane({
    index: 0,
    name: '10.0.0.2:36524',
    sink: new TunnelSink(),
    engine: around,
    nowMs: () => 5,
    congestedBytes: 1000,
    onResponses: (_lane, batch) => responses.push(batch.count),
    onOutput: () => around.calls.push('output'),
  });
  return { lane, responses };
}

test('a lane begins down', () => {
  const around = new Surroundings();
  const { lane } = laneWith(around);
  assert.deepEqual(around.calls, ['down']);
  assert.equal(lane.isUp, false);
});

test('a channel that comes up: open flows are registered before anything is sent on them', () => {
  const around = new Surroundings();
  const { lane } = laneWith(around);
  around.outputs[0]!.append(1, RECORD_PACKET, 40);
  lane.up(around);
  assert.deepEqual(around.calls, ['down', 'reopen', 'REGISTER 1', 'up', 'output']);
  assert.equal(lane.sink.counters.packetsWithoutChannel, 1);
  assert.ok(around.outputs[0]!.isEmpty);
});

test('a channel that is lost: nothing is sent any more, and what its queue dropped stays counted', () => {
  const around = new Surroundings();
  const { lane } = laneWith(around);
  lane.up(around);
  around.framesDropped = 3;
  lane.down();
  lane.down();
  around.calls.length = 0;
  const batch = new ReplayBatch(100, 1);
  batch.append(1, RECORD_PACKET, 40);
  lane.send(batch);
  assert.deepEqual(around.calls, []);
  assert.equal(lane.framesDropped, 3);
  assert.equal(lane.counters.losses, 1);
  around.framesDropped = 2;
  lane.up(around);
  assert.equal(lane.framesDropped, 5);
});

test('a queue that grows holds new sessions off until three quarters of it have left', () => {
  const around = new Surroundings();
  const { lane } = laneWith(around);
  lane.up(around);
  around.calls.length = 0;
  for (const queuedBytes of [1000, 1001, 5000, 251, 250, 900]) {
    around.queuedBytes = queuedBytes;
    lane.checkQueue();
  }
  assert.deepEqual(around.calls, ['congested', 'free']);
  around.queuedBytes = 2000;
  lane.checkQueue();
  lane.down();
  assert.deepEqual(around.calls.slice(2), ['congested', 'free', 'down']);
  assert.equal(lane.counters.congestions, 2);
});

test('a lane that is away is held off for the sake of others until it is up again', () => {
  const around = new Surroundings();
  const { lane } = laneWith(around);
  lane.holdOff(true);
  lane.checkQueue();
  lane.holdOff(true);
  assert.equal(lane.isCongested, true);
  lane.up(around);
  assert.deepEqual(around.calls, ['down', 'congested', 'reopen', 'REGISTER 1', 'up', 'free', 'output']);
});

test('HEADERS go to the engine; malformed ones are counted, other frames skipped', () => {
  const around = new Surroundings();
  const { lane, responses } = laneWith(around);
  const bytes = new Uint8Array(HEADERS_PREFIX_BYTES + 2 * RESPONSE_RECORD_BYTES);
  writeHeadersPrefix(bytes, 0, RESPONSE_RECORD_BYTES, 2);
  lane.frame(FRAME.HEADERS, bytes, 0, bytes.length);
  lane.frame(FRAME.HEADERS, bytes, 0, bytes.length - 1);
  lane.frame(FRAME.STATS, bytes, 0, bytes.length);
  assert.deepEqual(responses, [2]);
  assert.equal(lane.counters.framesMalformed, 1);
  assert.equal(lane.counters.headersFrames, 2);
});

test('a queue that takes no more: the engine hears how many packets it had', () => {
  const around = new Surroundings();
  const { lane } = laneWith(around);
  lane.up(around);
  around.calls.length = 0;
  around.outputs[0]!.append(1, RECORD_PACKET, 40);
  lane.send(around.outputs[0]!);
  around.isQueueFull = true;
  lane.send(around.outputs[0]!);
  assert.deepEqual(around.calls, ['PACKETS 1', 'PACKETS 1', 'dropped 1']);
});
