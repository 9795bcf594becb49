import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BLOCK_BYTES, ByteStore, NO_BLOCK } from '../../src/session/byte-store.js';
import { StreamBuffer } from '../../src/session/stream-buffer.js';

/** The octet of stream `stream` at an offset. */
const octet = (stream: number, offset: number): number => (offset * 31 + (offset >> 8) * 7 + stream * 101) & 255;

function bytesOf(stream: number, offset: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => octet(stream, offset + index));
}

describe('stream buffers on one store', () => {
  it('hold what was appended and not trimmed, whatever is done', () => {
    const step = fc.record({
      kind: fc.constantFrom('append', 'append', 'read', 'trim', 'restart'),
      stream: fc.nat(2),
      size: fc.oneof(fc.nat(70), fc.nat(6000), fc.constantFrom(0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1)),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const store = new ByteStore(10 * BLOCK_BYTES);
        const buffers = [new StreamBuffer(), new StreamBuffer(), new StreamBuffer()];
        for (const { kind, stream, size, share } of steps) {
          const buffer = buffers[stream]!;
          const { startOffset, endOffset } = buffer;
          if (kind === 'append') {
            const padded = new Uint8Array(size + 5);
            padded.set(bytesOf(stream, endOffset, size), 3);
            const took = buffer.append(store, padded, 3, size);
            assert.equal(buffer.endOffset, took ? endOffset + size : endOffset);
            if (!took) assert.ok(store.usedBytes + size > 9 * BLOCK_BYTES - BLOCK_BYTES, 'refused only near the limit');
          } else if (kind === 'read') {
            const from = startOffset + Math.floor(share * (endOffset - startOffset));
            const length = Math.min(size, endOffset - from);
            if (length === 0) continue;
            const out = new Uint8Array(length + 2);
            buffer.read(store, from, length, out, 1);
            assert.deepEqual(out.subarray(1, length + 1), bytesOf(stream, from, length));
            assert.equal(out[0], 0);
            assert.equal(out[length + 1], 0);
          } else if (kind === 'trim') {
            buffer.trimTo(store, startOffset + Math.floor(share * (endOffset - startOffset)));
          } else {
            buffer.restartAt(store, endOffset + size);
          }
          const held = buffers.reduce((sum, each) => sum + each.heldBytes, 0);
          assert.ok(store.usedBytes >= held);
          assert.ok(
            store.usedBytes <= held + 3 * 2 * BLOCK_BYTES,
            'no more than a part of two blocks is lost for each',
          );
        }
        for (const buffer of buffers) buffer.restartAt(store, 0);
        assert.equal(store.usedBytes, 0);
      }),
      { numRuns: 300 },
    );
  });

  it('give their last block back when nothing is left', () => {
    const store = new ByteStore(4 * BLOCK_BYTES);
    const buffer = new StreamBuffer();
    buffer.append(store, bytesOf(0, 0, 100), 0, 100);
    assert.equal(store.usedBytes, BLOCK_BYTES);
    buffer.trimTo(store, 100);
    assert.equal(store.usedBytes, 0);
  });

  it('refuse whole what does not fit, and take it when there is room', () => {
    const store = new ByteStore(2 * BLOCK_BYTES);
    const buffer = new StreamBuffer();
    assert.ok(buffer.append(store, bytesOf(0, 0, BLOCK_BYTES), 0, BLOCK_BYTES));
    assert.equal(buffer.append(store, bytesOf(0, BLOCK_BYTES, BLOCK_BYTES + 1), 0, BLOCK_BYTES + 1), false);
    assert.equal(store.usedBytes, BLOCK_BYTES);
    assert.equal(buffer.endOffset, BLOCK_BYTES);
    buffer.trimTo(store, BLOCK_BYTES);
    assert.ok(buffer.append(store, bytesOf(0, BLOCK_BYTES, BLOCK_BYTES + 1), 0, BLOCK_BYTES + 1));
  });

  it('are read at two places in turns', () => {
    const store = new ByteStore(40 * BLOCK_BYTES);
    const buffer = new StreamBuffer();
    buffer.append(store, bytesOf(0, 0, 20 * BLOCK_BYTES), 0, 20 * BLOCK_BYTES);
    const out = new Uint8Array(1000);
    for (let at = 0; at < 9 * BLOCK_BYTES; at += 777) {
      for (const from of [at, at + 10 * BLOCK_BYTES]) {
        buffer.read(store, from, 1000, out, 0);
        assert.deepEqual(out, bytesOf(0, from, 1000));
      }
    }
  });

  it('count offsets beyond 4 GB', () => {
    const store = new ByteStore(4 * BLOCK_BYTES);
    const buffer = new StreamBuffer();
    const start = 3 * 2 ** 32 + 5;
    buffer.restartAt(store, start);
    buffer.append(store, bytesOf(0, 5, 3000), 0, 3000);
    const out = new Uint8Array(100);
    buffer.read(store, start + 2000, 100, out, 0);
    assert.deepEqual(out, bytesOf(0, 2005, 100));
    buffer.trimTo(store, start + 3000);
    assert.equal(store.usedBytes, 0);
  });
});

describe('the byte store', () => {
  it('gives each block once and takes it back', () => {
    const store = new ByteStore(3 * BLOCK_BYTES);
    const blocks = [store.allocate(), store.allocate(), store.allocate()];
    assert.equal(new Set(blocks).size, 3);
    assert.equal(store.allocate(), NO_BLOCK);
    store.release(blocks[1]!);
    assert.equal(store.allocate(), blocks[1]);
    assert.throws(() => store.release(99), /internal error/);
  });
});
