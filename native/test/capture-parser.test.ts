import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ENTRY_CAPTURED_BYTES, ENTRY_OFFSET, ENTRY_WIRE_BYTES, PACKET_ENTRY_FIELDS } from '@trafficcopy/core';
import { CaptureParser, type CaptureParserState } from '../lib/index.js';
import { pcap, pcapng, type RecordedFrame } from './kit/capture-bytes.js';

interface Parsed {
  readonly frames: { text: string; wireBytes: number; timeUs: number }[];
  readonly state: CaptureParserState;
  readonly problem: string | undefined;
  readonly linkTypeText: string;
}

/** Feeds a file in pieces as there is room, takes every batch, until the end. */
async function parse(file: Uint8Array, pieceBytes = 65_536, parser = new CaptureParser()): Promise<Parsed> {
  const frames: Parsed['frames'] = [];
  let fed = 0;
  let isFed = false;
  await new Promise<void>((resolve) => {
    const onChange = (): void => {
      while (parser.next()) take(parser, frames);
      while (fed < file.length && parser.look().wantsMore) {
        parser.feed(file.subarray(fed, fed + pieceBytes));
        fed += pieceBytes;
      }
      if (fed >= file.length && !isFed) {
        isFed = true;
        parser.feedEnd();
      }
      if (parser.look().hasEnded) resolve();
    };
    parser.start(onChange);
    onChange();
  });
  const { problem, linkTypeText } = parser;
  parser.close();
  return { frames, state: parser.look(), problem, linkTypeText };
}

function take(parser: CaptureParser, frames: Parsed['frames']): void {
  for (let index = 0; index < parser.count; index += 1) {
    const at = index * PACKET_ENTRY_FIELDS;
    const offset = parser.entries[at + ENTRY_OFFSET]!;
    const bytes = parser.bytes.subarray(offset, offset + parser.entries[at + ENTRY_CAPTURED_BYTES]!);
    const wireBytes = parser.entries[at + ENTRY_WIRE_BYTES]!;
    frames.push({ text: Buffer.from(bytes).toString('latin1'), wireBytes, timeUs: parser.timesUs[index]! });
  }
}

function frame(text: string, seconds = 1, fraction = 0): RecordedFrame {
  return { bytes: Buffer.from(text, 'latin1'), seconds, fraction };
}

const TWO = [frame('first', 1_700_000_000, 1), frame('second', 1_700_000_001, 999_999)];
const TWO_TIMES = [1_700_000_000_000_001, 1_700_000_001_999_999];

describe('CaptureParser reads', () => {
  const files: readonly [string, Buffer][] = [
    ['a pcap file', pcap(TWO)],
    ['one of the other byte order', pcap(TWO, { isBigEndian: true })],
    ['a pcapng file', pcapng(TWO)],
    ['a pcapng file with two interfaces of one link type', pcapng(TWO, [1, 1])],
  ];
  for (const [name, file] of files) {
    for (const pieceBytes of [1, 7, 65_536]) {
      it(`${name}, in pieces of ${pieceBytes}`, async () => {
        const { frames, state, problem } = await parse(file, pieceBytes);
        assert.deepEqual(
          frames.map(({ text, timeUs }) => [text, timeUs]),
          [
            ['first', TWO_TIMES[0]],
            ['second', TWO_TIMES[1]],
          ],
        );
        assert.equal(problem, undefined);
        assert.equal(state.linkType, 1);
        assert.equal(state.frames, 2);
        assert.equal(state.consumedBytes, file.length);
      });
    }
  }

  it('stamps of nanoseconds, which keep their order within a microsecond', async () => {
    const { frames } = await parse(pcap([frame('a', 5, 1_250), frame('b', 5, 1_750)], { isNanoseconds: true }));
    assert.deepEqual(
      frames.map(({ timeUs }) => timeUs),
      [5_000_001.25, 5_000_001.75],
    );
  });

  it('frames that were cut, with their length on the wire, and the snap length', async () => {
    const { frames, state } = await parse(pcap([{ ...frame('half'), wireBytes: 1500 }], { snapBytes: 96 }));
    assert.deepEqual([frames[0]?.text, frames[0]?.wireBytes, state.snapBytes], ['half', 1500, 96]);
  });

  it('more than its queues hold, in order and each frame once', async () => {
    const count = 20_000;
    const file = pcap(Array.from({ length: count }, (_, index) => frame(`${index} ${'x'.repeat(200)}`, index)));
    const { frames, state } = await parse(file, 300_000);
    assert.equal(state.frames, count);
    assert.deepEqual(
      frames.map(({ text }) => Number.parseInt(text, 10)),
      Array.from({ length: count }, (_, index) => index),
    );
  });

  it('what a slow pipe has brought, before it brings the next frame', async () => {
    const parser = new CaptureParser();
    const file = pcap(TWO);
    const firstEnd = 24 + 16 + 5;
    const batches: string[][] = [];
    await new Promise<void>((resolve) => {
      parser.start(() => {
        while (parser.next()) {
          const frames: Parsed['frames'] = [];
          take(parser, frames);
          batches.push(frames.map(({ text }) => text));
          if (batches.length === 1) {
            parser.feed(file.subarray(firstEnd + 8));
            parser.feedEnd();
          }
        }
        if (parser.look().hasEnded) resolve();
      });
      // With the first half of the next frame's header.
      parser.feed(file.subarray(0, firstEnd + 8));
    });
    parser.close();
    assert.deepEqual(batches, [['first'], ['second']]);
  });
});

describe('CaptureParser gives up in words', () => {
  const refused: readonly [string, Buffer, RegExp][] = [
    ['an empty file', Buffer.alloc(0), /truncated/],
    ['a file of 10 octets', pcap([]).subarray(0, 10), /truncated/],
    ['something else', Buffer.from('GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n'), /unknown file format/],
    ['a pcapng file whose interfaces differ', pcapng(TWO, [1, 113]), /interface .* type .* different/],
  ];
  for (const [name, file, problem] of refused) {
    it(name, async () => {
      const parsed = await parse(file);
      assert.match(parsed.problem ?? '', problem);
    });
  }

  it('a file that is cut in the middle, with what comes before', async () => {
    const file = pcap(TWO);
    const parsed = await parse(file.subarray(0, file.length - 3));
    assert.deepEqual(
      parsed.frames.map(({ text }) => text),
      ['first'],
    );
    assert.match(parsed.problem ?? '', /truncated/);
  });

  it('a link type is named', async () => {
    const parsed = await parse(pcap([frame('x')], { linkType: 105 }));
    assert.equal(parsed.state.linkType, 105);
    assert.match(parsed.linkTypeText, /^IEEE802_11, 802\.11/);
  });

  it('octets at random behind a good header: never more than the file holds', async () => {
    let state = 0x2545f491;
    const random = (): number => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state >>> 0;
    };
    for (let round = 0; round < 60; round += 1) {
      const file = round % 2 === 0 ? pcap(TWO) : pcapng(TWO);
      const spoiled = Buffer.concat([file, file, file]);
      for (let hit = 0; hit < 12; hit += 1) spoiled[24 + (random() % (spoiled.length - 24))] = random();
      const { frames } = await parse(spoiled, 1 + (random() % 64));
      const octets = frames.reduce((sum, { text }) => sum + text.length, 0);
      assert.ok(octets <= spoiled.length, `round ${round}: ${octets} octets out of ${spoiled.length}`);
    }
  });
});

describe('a CaptureParser that is closed early', () => {
  it('while it waits for more, while batches wait, and twice', async () => {
    const waiting = new CaptureParser();
    waiting.start(() => {});
    waiting.feed(pcap(TWO).subarray(0, 30));
    waiting.close();
    waiting.close();
    assert.equal(waiting.look().hasEnded, true);
    const full = new CaptureParser();
    const big = { ...frame(''), bytes: new Uint8Array(200_000) };
    full.feed(pcap(Array.from({ length: 40 }, () => big)));
    await new Promise<void>((resolve) => {
      full.start(() => {
        if (full.look().hasBatch) resolve();
      });
    });
    full.close();
    assert.equal(full.next(), false);
    full.feed(new Uint8Array(10));
    full.feedEnd();
  });
});
