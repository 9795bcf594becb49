/**
 * Capture files that somebody broke, into the parser: each comes to its end, and what it lists lies within the batch. native/test/run-asan.sh runs it with
 * the sanitizers. Seeded: TEST_SEED=<seed> runs it again.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENTRY_CAPTURED_BYTES, ENTRY_OFFSET, ENTRY_WIRE_BYTES, PACKET_ENTRY_FIELDS } from '@trafficcopy/core';
import { Random } from '@trafficcopy/fuzz';
import { addon } from '../lib/addon.js';
import { BatchFilter, CaptureParser } from '../lib/index.js';
import { pcap, pcapng, type RecordedFrame } from './kit/capture-bytes.js';

const SEED = Number(process.env['TEST_SEED'] ?? Date.now()) >>> 0;
const FILES = 150;
const FRAMES: readonly RecordedFrame[] = [0, 14, 60, 1500].map((length, index) => ({
  bytes: new Uint8Array(length).fill(index + 0x45),
  seconds: 1_700_000_000 + index,
  fraction: 999_999,
  wireBytes: length + index,
}));
const VALID = [
  pcap(FRAMES),
  pcap(FRAMES, { isBigEndian: true, isNanoseconds: true }),
  pcapng(FRAMES),
  pcapng(FRAMES, [1, 101]),
];

function broken(random: Random): Uint8Array {
  const file = Uint8Array.from(random.pick(VALID));
  for (let changes = random.below(6); changes >= 0; changes -= 1) {
    // Mostly lengths and stamps, which stand in words.
    const at = random.below(file.length);
    if (random.chance(0.5)) file[at] = random.below(256);
    else
      file.set(
        random
          .pick([
            [0xff, 0xff, 0xff, 0x7f],
            [0, 0, 0, 0],
            [0, 0, 0, 0x80],
            [4, 0, 0, 0],
          ])
          .slice(0, file.length - at),
        at,
      );
  }
  return random.chance(0.3) ? file.subarray(0, random.below(file.length + 1)) : file;
}

/** Returns how many frames there were. */
async function parse(file: Uint8Array, pieceBytes: number, filter: BatchFilter): Promise<number> {
  const parser = new CaptureParser();
  let frames = 0;
  try {
    for (let at = 0; at < file.length; at += pieceBytes) parser.feed(file.subarray(at, at + pieceBytes));
    parser.feedEnd();
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        try {
          while (parser.next()) frames += taken(parser, filter);
          if (parser.look().hasEnded) resolve();
        } catch (error) {
          reject(error);
        }
      };
      parser.start(look);
      look();
    });
    assert.ok(parser.look().frames >= frames && parser.look().consumedBytes <= file.length);
  } finally {
    parser.close();
  }
  return frames;
}

function taken(parser: CaptureParser, filter: BatchFilter): number {
  const { entries, bytes, timesUs, count } = parser;
  for (let index = 0; index < count; index += 1) {
    const at = index * PACKET_ENTRY_FIELDS;
    const captured = entries[at + ENTRY_CAPTURED_BYTES]!;
    assert.ok(entries[at + ENTRY_OFFSET]! + captured <= bytes.length && captured <= entries[at + ENTRY_WIRE_BYTES]!);
    assert.ok(!Number.isNaN(timesUs[index]));
  }
  assert.ok(filter.select(bytes, entries, timesUs, count) <= count);
  return count;
}

describe('broken capture files', () => {
  it('come to an end, and list nothing that is not there', async (context) => {
    context.diagnostic(`TEST_SEED=${SEED}`);
    const random = new Random(SEED);
    const filter = new BatchFilter('tcp port 80 or ip6');
    let frames = 0;
    for (const file of VALID.slice(0, 3)) frames += await parse(file, 7, filter);
    assert.equal(frames, 3 * FRAMES.length, 'those that are whole are read');
    for (let count = 0; count < FILES; count += 1) frames += await parse(broken(random), 1 + random.below(400), filter);
    assert.ok(frames > FILES / 2, `${frames} frames were read of broken files`);
  });

  it('that are given up in the middle end with their parser', () => {
    const random = new Random(SEED);
    for (let count = 0; count < 20; count += 1) {
      const parser = new CaptureParser();
      parser.feed(broken(random));
      parser.close();
      parser.feed(VALID[0]!);
      assert.equal(parser.next(), false);
    }
  });
});

describe('the addon’s parser and filter', () => {
  it('refuse wrong types, and batches without room', () => {
    const { CaptureParser: Parser, BatchFilter: Filter } = addon();
    assert.throws(() => Reflect.construct(Parser, ['1', {}]), /was expected/);
    assert.throws(() => Reflect.construct(Filter, [7]), /was expected/);
    for (const [bytes, frames] of [
      [0, 8],
      [1024, 0],
      [2 ** 32 - 1, 8],
    ] as const) {
      assert.throws(() => new Parser(bytes, frames), { errnoName: 'EINVAL' });
    }
    const filter = new Filter('tcp');
    for (const junk of [undefined, null, {}, 'x', new Float64Array(1)]) {
      assert.throws(() => Reflect.apply(filter.select, filter, [junk, junk, junk, junk]), /was expected/);
      assert.equal(Reflect.apply(filter.select, filter, [junk, junk, junk, 9]), 0);
    }
    // Entries that lie.
    const entries = Uint32Array.of(0, 100, 100, 0, 2 ** 32 - 1, 40, 40, 0, 10, 2 ** 32 - 1, 0, 0);
    assert.equal(filter.select(new Uint8Array(60), entries, new Float64Array(3), 3), 0);
  });
});
