import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ReplayBatch, type ResponseBatch } from '@trafficcopy/core';
import type { CaptureStatistics, PacketSource } from '../src/capture/packet-source.js';
import { Pipeline, type PipelineEngine } from '../src/pipeline.js';
import { MemorySink } from '../src/sink/memory-sink.js';

/** Answers each captured batch and each response batch with one packet for each lane; writes down who was called. */
class EngineStandIn implements PipelineEngine {
  readonly calls: string[];
  readonly outputs: readonly ReplayBatch[];
  deadlineMs = Number.POSITIVE_INFINITY;
  packetBytes = 40;

  constructor(calls: string[], lanes: number, batchBytesMax = 1024, batchPacketsMax = 16) {
    this.calls = calls;
    this.outputs = Array.from({ length: lanes }, () => new ReplayBatch(batchBytesMax, batchPacketsMax));
  }

  ingestCaptured(): void {
    this.calls.push('captured');
    this.emit();
  }

  ingestResponses(lane: number): void {
    this.calls.push(`responses ${lane}`);
    this.emit();
  }

  advance(): void {
    this.calls.push('advance');
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.emit();
  }

  nextDeadlineMs(): number {
    return this.deadlineMs;
  }

  close(): void {
    this.calls.push('close');
    this.emit();
  }

  private emit(): void {
    for (const output of this.outputs) {
      assert.ok(output.hasRoom(this.packetBytes), 'the walk drains a batch before it is full');
      output.append(1, 0, this.packetBytes);
    }
  }
}

class SourceStandIn implements PacketSource {
  readonly name = 'stand-in';
  readonly bytes = new Uint8Array(0);
  readonly entries = new Uint32Array(0);
  readonly count = 0;
  readonly calls: string[];
  blocks = 0;
  onReadable: () => void = () => {};

  constructor(calls: string[]) {
    this.calls = calls;
  }

  next(): boolean {
    if (this.blocks === 0) return false;
    this.blocks -= 1;
    return true;
  }

  release(): void {
    this.calls.push('release');
  }

  start(onReadable: () => void): void {
    this.onReadable = onReadable;
  }

  stop(): void {
    this.calls.push('stop');
  }

  statistics(): CaptureStatistics {
    return { packets: 0, drops: 0, freezes: 0, interfaceState: 'up' };
  }

  setFilter(): void {}

  close(): void {}
}

const NO_RESPONSES: ResponseBatch = { bytes: new Uint8Array(0), offset: 0, strideBytes: 32, count: 0 };

function walk(lanes = 1, engine?: EngineStandIn) {
  const calls: string[] = [];
  const standIn = engine ?? new EngineStandIn(calls, lanes);
  const source = new SourceStandIn(standIn.calls);
  const sinks = standIn.outputs.map(() => new MemorySink());
  const pipeline = new Pipeline({ engine: standIn, nowMs: () => Math.floor(performance.now()) });
  for (const [lane, sink] of sinks.entries()) pipeline.setOutlet(lane, sink);
  pipeline.addSource(source);
  return { engine: standIn, source, sinks, pipeline, calls: standIn.calls };
}

test('each block goes back to the kernel before the next one is read', () => {
  const { source, calls } = walk();
  source.blocks = 3;
  source.onReadable();
  assert.deepEqual(calls, ['captured', 'release', 'captured', 'release', 'captured', 'release']);
});

test('what the blocks of one wake-up brought goes out once for each lane', () => {
  const { source, sinks, engine } = walk(2);
  source.blocks = 3;
  source.onReadable();
  for (const sink of sinks) {
    assert.equal(sink.batches, 1);
    assert.equal(sink.packets.length, 3);
  }
  assert.ok(engine.outputs.every((output) => output.isEmpty));
});

test('what the frames of one read brought goes out once for each lane', async () => {
  const { pipeline, sinks } = walk(2);
  pipeline.ingestResponses(0, NO_RESPONSES);
  pipeline.ingestResponses(1, NO_RESPONSES);
  assert.equal(sinks[0]!.batches, 0);
  await turn();
  for (const sink of sinks) {
    assert.equal(sink.batches, 1);
    assert.equal(sink.packets.length, 2);
  }
});

test('a batch that is half full goes out before the next block is read', () => {
  const calls: string[] = [];
  const { source, sinks } = walk(1, new EngineStandIn(calls, 1, 256, 100));
  source.blocks = 4;
  source.onReadable();
  assert.equal(sinks[0]!.packets.length, 4);
  assert.ok(sinks[0]!.batches > 1);
});

test('a batch of which 64 KiB are there goes out before the next block is read', () => {
  const engine = new EngineStandIn([], 1, 4 * 1024 * 1024, 4096);
  engine.packetBytes = 40_000;
  const { source, sinks } = walk(1, engine);
  source.blocks = 4;
  source.onReadable();
  assert.equal(sinks[0]!.batches, 2);
});

test('one turn takes a bounded number of blocks', () => {
  const { source } = walk(1, new EngineStandIn([], 1, 1 << 20, 1000));
  source.blocks = 1000;
  source.onReadable();
  assert.ok(source.blocks > 0);
});

test('the timer follows the engine to an earlier deadline and runs what is due', async () => {
  const { engine, pipeline, sinks, calls } = walk();
  engine.deadlineMs = performance.now() + 60_000;
  pipeline.flush();
  engine.deadlineMs = performance.now() + 5;
  pipeline.flush();
  while (!calls.includes('advance')) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(sinks[0]!.packets.length, 1);
  pipeline.close();
});

test('a timer that is late lets what has arrived meanwhile go first', async (context) => {
  const { engine, pipeline, calls } = walk();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  context.after(() => {
    pipeline.close();
    for (const socket of [near, far]) socket.destroy();
    server.close();
  });
  near.on('data', () => pipeline.ingestResponses(0, NO_RESPONSES));
  // In a turn of its own, so that nothing of it is read before the thread stands still.
  await turn();
  engine.deadlineMs = performance.now() + 1;
  pipeline.flush();
  far.write('a response');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  while (!calls.includes('advance')) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(calls.slice(0, 2), ['responses 0', 'advance']);
});

test('closing stops the capture first, then ends the sessions and sends what that takes', () => {
  const { engine, pipeline, sinks, calls } = walk();
  engine.deadlineMs = 1;
  pipeline.close();
  assert.deepEqual(calls, ['stop', 'close']);
  assert.equal(sinks[0]!.packets.length, 1);
});
