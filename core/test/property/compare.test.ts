/** Answers are the same however they are cut into segments, repeated and reordered on their way. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Answer } from '../../src/compare/answer.js';
import { compareAnswers } from '../../src/compare/answer-verdict.js';
import { ComparedClient, CompareRig, type Split } from '../kit/compare-rig.js';

const BYTES_MAX = 64;

/** Cuts `bytes` octets into pieces of the sizes, in turn. */
function splitBy(sizes: readonly number[]): Split {
  return (bytes) => {
    const pieces: number[] = [];
    for (let done = 0, index = 0; done < bytes; index += 1) {
      const piece = Math.min(sizes[index % sizes.length]!, bytes - done);
      pieces.push(piece);
      done += piece;
    }
    return pieces;
  };
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 });

describe('an answer', () => {
  it('has the same octets whatever segments bring it, in order and repeated', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), sizes, fc.integer({ min: 0, max: 5 }), (octets, pieces, back) => {
        const answer = new Answer(BYTES_MAX);
        let at = 0;
        for (const piece of splitBy(pieces)(octets.length)) {
          const from = Math.max(at - back, 0);
          answer.take(from, octets, from, at + piece - from, at + piece - from, 7);
          at += piece;
        }
        const kept = octets.slice(0, BYTES_MAX);
        assert.equal(answer.totalBytes, octets.length);
        assert.equal(answer.haveBytes, kept.length);
        assert.deepEqual(answer.bytes.slice(0, answer.haveBytes), kept);
        assert.ok(answer.isWhole);
      }),
    );
  });

  it('in any order: what is there without a hole is right, and a hole is not overlooked', () => {
    const segment = fc.record({ from: fc.nat(90), bytes: fc.integer({ min: 1, max: 30 }), present: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 20 }), (segments) => {
        const octets = Uint8Array.from({ length: 128 }, (_, index) => (index * 37) & 0xff);
        const answer = new Answer(BYTES_MAX);
        const isThere = new Array<boolean>(256).fill(false);
        for (const { from, bytes, present } of segments) {
          answer.take(from, octets, from, Math.min(present, bytes), bytes, 7);
          isThere.fill(true, from, from + Math.min(present, bytes));
        }
        const hole = isThere.indexOf(false);
        assert.ok(answer.haveBytes <= Math.min(hole, BYTES_MAX), 'no octet is invented');
        assert.deepEqual(answer.bytes.slice(0, answer.haveBytes), octets.slice(0, answer.haveBytes));
        // So few islands are all remembered.
        if (segments.length <= 8) assert.equal(answer.haveBytes, Math.min(hole, BYTES_MAX));
      }),
    );
  });
});

describe('a verdict', () => {
  function answerOf(octets: Uint8Array): Answer {
    const answer = new Answer(BYTES_MAX);
    answer.take(0, octets, 0, octets.length, octets.length, 7);
    return answer;
  }

  it('no octets make it throw; equal answers are equal; of two targets the order does not matter', () => {
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc
        .stringMatching(/^HTTP\/1\.1 200 OK(\r\n[a-c:]{0,4})*(\r\n\r\n[a-d ]{0,8})?$/)
        .map((s) => new TextEncoder().encode(s)),
    );
    fc.assert(
      fc.property(text, text, text, (online, a, b) => {
        const ignored = new Set(['a']);
        const equal = compareAnswers(answerOf(online), [answerOf(online), answerOf(online)], ignored);
        assert.deepEqual(equal, {
          targets: [
            { fields: [], offset: equal.targets[0]!.offset },
            { fields: [], offset: equal.targets[1]!.offset },
          ],
          noise: [],
        });
        const ab = compareAnswers(answerOf(online), [answerOf(a), answerOf(b)], ignored);
        const ba = compareAnswers(answerOf(online), [answerOf(b), answerOf(a)], ignored);
        assert.deepEqual(
          ab.targets.map(({ fields }) => [...fields].sort()),
          ba.targets.map(({ fields }) => [...fields].sort()).reverse(),
        );
        assert.deepEqual([...ab.noise].sort(), [...ba.noise].sort());
      }),
    );
  });
});

describe('the comparison', () => {
  it('finds the same turns, differences and octets whatever segments bring the answers', () => {
    const turn = fc.record({ online: fc.nat(3), a: fc.nat(3), b: fc.nat(3), bytes: fc.integer({ min: 1, max: 300 }) });
    fc.assert(
      fc.property(
        fc.array(turn, { minLength: 1, maxLength: 6 }),
        sizes,
        sizes,
        fc.boolean(),
        (turns, one, other, isReversed) => {
          const found = [undefined, { one, other }].map((cut) => {
            const text = (who: 'online' | 'a' | 'b', index: number): string =>
              `${turns[index]![who]} ${'.'.repeat(turns[index]!.bytes)}`;
            const reply = (who: 'a' | 'b') => (request: string) => text(who, Number(request));
            const split = cut && { split: splitBy(cut.other) };
            const rig = new CompareRig([
              { reply: reply('a'), ...split },
              { reply: reply('b'), ...split },
            ]);
            const client = new ComparedClient(rig, 40_000, cut && splitBy(cut.one));
            for (let index = 0; index < turns.length; index += 1) {
              // More pieces than are remembered behind a hole would be a hole.
              const reorder = (packets: Uint8Array[]): Uint8Array[] =>
                isReversed && cut !== undefined && packets.length <= 8 ? [...packets].reverse() : packets;
              client.ask(String(index), text('online', index), reorder);
            }
            client.end();
            assert.equal(rig.comparison.answersInUse, 0);
            const { turns: compared, equal, different, noise } = rig.comparison.report;
            assert.equal(compared, turns.length);
            const differences = rig.differences().map(({ request, online, targets }) => ({
              request,
              online: online.bytes,
              targets: targets.map(({ bytes, fields, offset }) => ({ bytes, fields, offset })),
            }));
            return { equal, different, noise, differences };
          });
          assert.deepEqual(found[1], found[0]);
          const isSame = turns.filter(({ online, a, b }) => online === a && a === b).length;
          assert.equal(found[0]!.equal, isSame);
        },
      ),
      { numRuns: 60 },
    );
  });
});
