import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TURN_CONTINUES, Turns } from '../../src/session/turns.js';

describe('turns', () => {
  it('keep what was begun and not forgotten, whatever is done', () => {
    const step = fc.record({ kind: fc.constantFrom('begin', 'begin', 'trim', 'break'), size: fc.nat(10) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const turns = new Turns();
        const model: { offset: number; answer: number; continues: boolean; broken: boolean }[] = [];
        let first = 0;
        for (const { kind, size } of steps) {
          if (kind === 'begin') {
            const offset = model.length * 2 ** 31;
            const continues = size > 7;
            turns.begin(offset, size, continues ? TURN_CONTINUES : 0);
            model.push({ offset, answer: size, continues, broken: false });
          } else if (kind === 'trim') {
            turns.trimTo(first + size);
            first = Math.min(first + size, model.length);
          } else {
            turns.breakLast();
            if (first < model.length) model.at(-1)!.broken = true;
          }
          assert.equal(turns.firstIndex, first);
          assert.equal(turns.endIndex, model.length);
          assert.equal(turns.count, model.length - first);
          assert.equal(turns.brokenCount, model.slice(first).filter((turn) => turn.broken).length);
          for (let index = first; index < model.length; index += 1) {
            const turn = model[index]!;
            assert.equal(turns.offsetOf(index), turn.offset);
            assert.equal(turns.answerBefore(index), turn.answer);
            assert.equal(turns.isContinuation(index), turn.continues);
            assert.equal(turns.isBroken(index), turn.broken);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('that are forgotten or not begun are no turns', () => {
    const turns = new Turns();
    turns.begin(0, 0);
    turns.begin(10, 5);
    turns.trimTo(1);
    assert.throws(() => turns.offsetOf(0), /internal error/);
    assert.throws(() => turns.offsetOf(2), /internal error/);
    turns.trimTo(99);
    assert.equal(turns.firstIndex, 2);
    turns.trimTo(0);
    assert.equal(turns.firstIndex, 2);
  });
});
