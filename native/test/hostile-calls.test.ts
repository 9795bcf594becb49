/**
 * The addon against its own side of the border: wrong types, lengths and offsets that lie, a ring that is written over, calls after close, threads
 * that end in the middle. native/test/run-asan.sh runs it with the sanitizers. Seeded: TEST_SEED=<seed> runs it again.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { addon } from '../lib/addon.js';
import { PacketRing, RawSender } from '../lib/index.js';
import { HostileCaller, type HostileTask } from './kit/hostile-caller.js';
import { packet } from './kit/packet-list.js';
import { skipWithoutRoot, TestNetwork } from './kit/test-network.js';

const SEED = Number(process.env['TEST_SEED'] ?? Date.now()) >>> 0;
const QUEUE = 3950;
const THREADS = 2;

describe('the addon, called by somebody hostile', { skip: skipWithoutRoot }, () => {
  let network: TestNetwork;
  before(() => {
    network = new TestNetwork();
    const rule = ['-A', 'OUTPUT', '-t', 'mangle', '-p', 'tcp', '--sport', '7000', '-j', 'NFQUEUE', '--queue-balance'];
    network.run(network.a.netns, 'iptables', ...rule, `${QUEUE}:${QUEUE + THREADS}`);
  });
  after(() => network.close());

  const task = (seed: number, queueNumber: number): HostileTask => {
    const { netnsPath, ipv4 } = network.a;
    return { seed, netnsPath, source: ipv4, destination: network.b.ipv4, queueNumber };
  };

  it('refuses what it cannot do, and lists and sends only what is there', (context) => {
    context.diagnostic(`TEST_SEED=${SEED}`);
    const caller = new HostileCaller(task(SEED, QUEUE));
    for (let rounds = 0; rounds < 20; rounds += 1) caller.round();
    // It is no empty exercise: packets came and went, and calls were refused.
    assert.ok(caller.sent > 0 && caller.listed > 0 && caller.refused > 0, JSON.stringify(caller));
  });

  it('does so in several threads at once, each of which is ended in the middle of a call', async (context) => {
    context.diagnostic(`TEST_SEED=${SEED}`);
    const threads = Array.from({ length: THREADS }, async (_, index) => {
      for (let restarts = 0; restarts < 4; restarts += 1) {
        const worker = new Worker(new URL('./kit/hostile-worker.js', import.meta.url), {
          workerData: task(SEED + index * 10 + restarts, QUEUE + 1 + index),
        });
        await new Promise<void>((resolve, reject) => {
          let rounds = 0;
          worker.on('message', () => {
            rounds += 1;
            if (rounds === 1 + restarts) resolve();
          });
          worker.once('error', reject);
          worker.once('exit', (code) => reject(new Error(`thread ${index} ended with ${code}`)));
        });
        await worker.terminate();
      }
    });
    await Promise.all(threads);
  });

  it('opens nothing for arguments of wrong types', () => {
    const { RawSender: Native, PacketRing: NativeRing, ResponseQueue: NativeQueue } = addon();
    for (const construct of [
      () => Reflect.construct(Native, ['4', 0, 65_536, 65_535, network.a.netnsPath]),
      () => Reflect.construct(Native, [4, 0, 65_536, 65_535, undefined]),
      () => Reflect.construct(NativeRing, ['eth0', '', 4096, 4, 1, -1, 7]),
      () => Reflect.construct(NativeQueue, [QUEUE, 128, 64, 65_536, '640', 8, network.a.netnsPath]),
    ]) {
      assert.throws(construct, /was expected/);
    }
  });

  it('refuses sizes of a queue that no kernel message fits into, or no memory', () => {
    const { ResponseQueue: Native } = addon();
    const open = (slotBytes: number, slots: number) => () =>
      new Native(QUEUE, 128, 64, 65_536, slotBytes, slots, network.a.netnsPath);
    for (const [slotBytes, slots] of [
      [0, 8],
      [63, 8],
      [640, 0],
      [640, 2 ** 32 - 1],
    ] as const) {
      assert.throws(open(slotBytes, slots), { errnoName: 'EINVAL' });
    }
  });

  it('a raw sender is of IPv4 or IPv6, and sends no packet that is longer than any', () => {
    const family = 5 as unknown as 4;
    assert.throws(() => new RawSender({ family, netnsPath: network.a.netnsPath }), { code: 'ERR_NATIVE_OPTION' });
    const sender = new RawSender({ family: 4, netnsPath: network.a.netnsPath, segmentBytesMax: 68 });
    const { ipv4: source } = network.a;
    const bytes = packet({ source, destination: network.b.ipv4, payload: new Uint8Array(2 ** 20) });
    assert.equal(sender.send({ bytes, entries: Uint32Array.of(0, bytes.length, bytes.length, 0), count: 1 }), 0);
    assert.deepEqual(sender.statistics().errors, { EMSGSIZE: 1 });
    sender.close();
  });

  it('a ring whose headers were written over lists nothing outside, and goes on', () => {
    const ring = new PacketRing({
      interfaceName: 'eth0',
      filter: '',
      blockBytes: 4096,
      blockCount: 2,
      retireMs: 1,
      netnsPath: network.a.netnsPath,
    });
    // Every block looks filled, with a number of packets that no block holds.
    new Uint32Array(ring.bytes.buffer).fill(0xffff_ffff);
    for (let reads = 0; reads < 8; reads += 1) {
      assert.equal(ring.next(), false);
      ring.release();
    }
    assert.ok(ring.statistics().malformed > 0);
    ring.close();
  });
});
