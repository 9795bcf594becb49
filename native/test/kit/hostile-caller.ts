/** Calls the addon itself, past the checks of lib/, with everything that JavaScript can hand over: it may refuse, and nothing else. */
import assert from 'node:assert/strict';
import { PACKET_ENTRY_FIELDS } from '@trafficcopy/core';
import { Random } from '@trafficcopy/fuzz';
import { type Addon, addon } from '../../lib/addon.js';
import { batchOf, packet } from './packet-list.js';

export interface HostileTask {
  readonly seed: number;
  /** Nothing leaves this namespace. */
  readonly netnsPath: string;
  readonly source: string;
  readonly destination: string;
  readonly queueNumber: number;
}

type Method = (...values: unknown[]) => unknown;
type Methods = { readonly [name: string]: Method };

const RING_METHODS = ['memory', 'next', 'release', 'setFilter', 'stop', 'statistics'];
const SENDER_METHODS = ['send', 'statistics', 'errors'];
const QUEUE_METHODS = ['read', 'stop', 'statistics'];
/** A batch has so many entries at most here. */
const ENTRIES_MAX = 40;

export class HostileCaller {
  readonly #random: Random;
  readonly #task: HostileTask;
  readonly #addon: Addon = addon();
  /** Packets that senders said they had handed over. */
  sent = 0;
  /** Entries that rings and queues listed. */
  listed = 0;
  refused = 0;

  constructor(task: HostileTask) {
    this.#task = task;
    this.#random = new Random(task.seed);
  }

  round(): void {
    this.#construct();
    this.#abuseRing();
    this.#abuseSender();
    this.#abuseQueue();
  }

  /** Objects of nonsense: what cannot be is refused, and what can be is closed. */
  #construct(): void {
    const { PacketRing, RawSender, ResponseQueue } = this.#addon;
    for (const [Native, count] of [
      [PacketRing, 6],
      [RawSender, 4],
      [ResponseQueue, 6],
    ] as const) {
      const values = Array.from({ length: count }, () => this.#junk());
      const made = this.#attempt(() =>
        Reflect.construct(Native, [...values, this.#random.pick([this.#task.netnsPath, '/', 7])]),
      );
      (made as { close(): void } | undefined)?.close();
    }
    this.#attempt(() => this.#addon.compileFilter(this.#junk() as string));
    this.#attempt(() => this.#addon.unacknowledgedOctets(this.#junk() as number));
    this.#attempt(() => this.#addon.inNamespace(this.#junk() as string, this.#junk() as () => void));
  }

  #abuseRing(): void {
    const ring = new this.#addon.PacketRing('', 'ip', 4096, 4, 1, 0, 1, this.#task.netnsPath, 0, 1, new Uint32Array(2));
    const bytes = new Uint8Array(ring.memory());
    const entries = new Uint32Array(ENTRIES_MAX * PACKET_ENTRY_FIELDS);
    for (let calls = 0; calls < 30; calls += 1) {
      // Packets arrive, and somebody writes over what the kernel says about them.
      this.#loopback();
      if (this.#random.chance(0.7)) this.#scribble(bytes);
      const count = ring.next(entries);
      assert.ok(count <= ENTRIES_MAX);
      this.#checkEntries(entries, count, bytes.length);
      this.#callAny(ring as unknown as Methods, RING_METHODS);
    }
    ring.close();
    assert.equal(bytes.length, 0, 'closed: the ring’s pages cannot be reached');
    for (let calls = 0; calls < 6; calls += 1)
      this.#callAny(ring as unknown as Methods, [...RING_METHODS, 'start', 'close']);
    ring.close();
  }

  #abuseSender(): void {
    const family = this.#random.pick([4, 6]);
    const segmentBytes = this.#random.pick([0, 1, 60, 68, 100, 1500, 65_535]);
    const sender = new this.#addon.RawSender(family, 0, 65_536, segmentBytes, this.#task.netnsPath);
    for (let calls = 0; calls < 30; calls += 1) {
      const { bytes, entries } = this.#lyingBatch();
      const count = this.#random.pick([entries.length / PACKET_ENTRY_FIELDS, 1, 0, 2 ** 31]);
      const sent = sender.send(bytes, entries, count);
      assert.ok(sent <= Math.min(count, ENTRIES_MAX));
      this.sent += sent;
      this.#callAny(sender as unknown as Methods, SENDER_METHODS);
    }
    sender.close();
    for (let calls = 0; calls < 6; calls += 1)
      this.#callAny(sender as unknown as Methods, [...SENDER_METHODS, 'close']);
  }

  #abuseQueue(): void {
    const { netnsPath, queueNumber } = this.#task;
    const slotBytes = this.#random.pick([64, 640, 4096]);
    const queue = new this.#addon.ResponseQueue(queueNumber, 128, 64, 65_536, slotBytes, 8, netnsPath);
    for (let calls = 0; calls < 30; calls += 1) {
      this.#loopback();
      const bytes = new Uint8Array(
        new ArrayBuffer(65_536),
        this.#random.below(9),
        this.#random.pick([0, 100, 4096, 65_000]),
      );
      const entries = new Uint32Array(this.#random.below(ENTRIES_MAX) * PACKET_ENTRY_FIELDS);
      const count = queue.read(bytes, entries);
      this.#checkEntries(entries, count, bytes.length);
      this.#callAny(queue as unknown as Methods, QUEUE_METHODS);
    }
    queue.close();
    for (let calls = 0; calls < 6; calls += 1)
      this.#callAny(queue as unknown as Methods, [...QUEUE_METHODS, 'start', 'close']);
  }

  /** What was listed lies within the bytes. */
  #checkEntries(entries: Uint32Array, count: number, bytes: number): void {
    for (let index = 0; index < count; index += 1) {
      const [offset, captured] = [entries[index * PACKET_ENTRY_FIELDS]!, entries[index * PACKET_ENTRY_FIELDS + 1]!];
      assert.ok(offset + captured <= bytes, `${offset} + ${captured} of ${bytes}`);
    }
    this.listed += count;
  }

  /** Some packets through the namespace's lo: they come to the ring and to the queue. */
  #loopback(): void {
    const sender = new this.#addon.RawSender(4, 0, 65_536, 65_535, this.#task.netnsPath);
    const { source, destination } = this.#task;
    const length = this.#random.pick([0, 1, 500, 1400]);
    const one = packet({
      source,
      destination: this.#random.chance(0.5) ? source : destination,
      sourcePort: 7000,
      payload: this.#random.bytes(length),
    });
    const { bytes, entries, count } = batchOf([one, one, one]);
    sender.send(bytes, entries, count);
    sender.close();
  }

  /** Valid packets with changed octets, in entries some of which lead anywhere. */
  #lyingBatch(): { bytes: Uint8Array; entries: Uint32Array } {
    const { source, destination } = this.#task;
    const random = this.#random;
    const packets = Array.from({ length: 1 + random.below(8) }, () =>
      packet({ source, destination, payload: random.bytes(random.pick([0, 1, 99, 3000])), flags: random.below(256) }),
    );
    const { bytes, entries } = batchOf(packets);
    for (let changes = random.below(12); changes > 0; changes -= 1) {
      // The destination stays: nothing is sent beyond the network of the test.
      const at = random.below(bytes.length);
      if (at % 1500 < 16 || at % 1500 > 40) bytes[at] = random.below(256);
    }
    for (let lies = random.below(4); lies > 0; lies -= 1) {
      entries[random.below(entries.length)] = random.pick([
        0,
        1,
        19,
        20,
        39,
        40,
        41,
        bytes.length,
        2 ** 31,
        2 ** 32 - 1,
      ]);
    }
    return { bytes, entries };
  }

  #scribble(bytes: Uint8Array): void {
    const random = this.#random;
    for (let writes = 1 + random.below(20); writes > 0; writes -= 1) {
      // Mostly the headers of blocks, and of packets in them.
      const at = random.below(4) * 4096 + random.below(random.chance(0.8) ? 160 : 4096);
      bytes[at] = random.pick([0, 1, 2, 48, 255, random.below(256)]);
    }
  }

  #callAny(object: Methods, names: readonly string[]): void {
    const method = object[this.#random.pick(names)]!;
    const receiver = this.#random.chance(0.9) ? object : this.#random.pick<unknown>([{}, undefined, 5]);
    this.#attempt(() =>
      Reflect.apply(
        method,
        receiver,
        Array.from({ length: this.#random.below(4) }, () => this.#junk()),
      ),
    );
  }

  #attempt(call: () => unknown): unknown {
    try {
      return call();
    } catch (error) {
      assert.ok(error instanceof Error, String(error));
      this.refused += 1;
      return undefined;
    }
  }

  #junk(): unknown {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return random.pick([
          0,
          1,
          -1,
          4,
          6,
          4096,
          65_536,
          2 ** 31,
          2 ** 32,
          2 ** 53,
          0.5,
          Number.NaN,
          Infinity,
          -(2 ** 31),
        ]);
      case 1:
        return random.pick([
          '',
          'eth0',
          'x'.repeat(40),
          'tcp',
          '\u0000',
          '(((',
          `${'('.repeat(200)}tcp`,
          '/proc/self/ns/net',
        ]);
      case 2:
        return random.pick([undefined, null, true, {}, [], () => undefined, Symbol('s'), 10n]);
      case 3:
        return new Uint8Array(random.pick([0, 1, 19, 100, 5000]));
      case 4:
        return new Uint32Array(random.pick([0, 1, 3, 4, 400]));
      case 5:
        return new Float64Array(random.pick([0, 1, 4, 5, 40]));
      case 6:
        return new Uint8Array(structuredClone(new ArrayBuffer(8), { transfer: [] }), 1, 5);
      default:
        return detached();
    }
  }
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(64);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}
