import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { add, inWindow, lessOrEqual, lessThan, max, seq, sizeBetween } from '../../src/seq.js';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const distance = fc.integer({ min: 0, max: 0x7fff_ffff });

describe('sequence numbers', () => {
  it('keep the bit pattern of the wire as a signed number', () => {
    assert.equal(seq(0xffff_ffff), -1);
    assert.equal(seq(0x8000_0000), -0x8000_0000);
    assert.equal(seq(2 ** 32 + 5), 5);
    assert.equal(seq(-1) >>> 0, 0xffff_ffff);
  });

  it('wrap at 2^32 and order across the sign bit', () => {
    assert.equal(add(seq(0xffff_ffff), 1), 0);
    assert.equal(sizeBetween(seq(0xffff_fff0), seq(0x10)), 0x20);
    assert.ok(lessThan(seq(0x7fff_ffff), seq(0x8000_0000)));
    assert.ok(lessThan(seq(0xffff_ffff), seq(0)));
    assert.equal(max(seq(0xffff_ffff), seq(3)), 3);
  });

  it('go forward and back by any distance below 2^31', () => {
    fc.assert(
      fc.property(u32, distance, (start, bytes) => {
        const from = seq(start);
        const to = add(from, bytes);
        assert.equal(sizeBetween(from, to), bytes);
        assert.equal(sizeBetween(to, from), bytes === 0 ? 0 : -bytes);
        assert.equal(lessThan(from, to), bytes > 0);
        assert.equal(lessOrEqual(from, to), true);
        assert.equal(max(from, to), to);
        assert.equal(max(to, from), to);
      }),
    );
  });

  it('advance by streams of many GB', () => {
    fc.assert(
      fc.property(u32, fc.maxSafeInteger(), (start, bytes) => {
        const expected = Number((BigInt(start) + BigInt(bytes)) & 0xffff_ffffn);
        // Sums beyond 2^53 do not occur: a stream of 8 PB.
        if (Math.abs(bytes) < 2 ** 52) assert.equal(add(seq(start), bytes) >>> 0, expected);
      }),
    );
  });

  it('lie in a window or not', () => {
    assert.ok(inWindow(seq(5), seq(0xffff_fff0), 0x20));
    assert.ok(inWindow(seq(0xffff_fff0), seq(0xffff_fff0), 1));
    assert.equal(inWindow(seq(0x10), seq(0xffff_fff0), 0x20), false);
    assert.equal(inWindow(seq(0xffff_ffef), seq(0xffff_fff0), 0x20), false);
    assert.equal(inWindow(seq(7), seq(7), 0), false);
  });
});
