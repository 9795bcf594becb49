/**
 * Random recordings to targets of random manners, over real sockets: whatever a target does, every turn is accounted for and none is read
 * twice; where it answers everything and stays, none is lost. A failure names its seed; TEST_SEED repeats it.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type ArrivedStream, replayConnected, StandTarget } from '../kit/connect-stand.js';
import { RecordedConversations } from '../kit/recorded-conversations.js';

const directory = mkdtempSync(join(tmpdir(), 'connect-chaos-'));
after(() => rmSync(directory, { recursive: true }));

const CONVERSATIONS = 25;
const SEEDS = 4;
const FIRST_SEED = Number(process.env['TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** A generator of its own, so that a seed makes the same recording everywhere (xorshift32). */
class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 1;
  }

  below(end: number): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) % end;
  }

  pick<T>(...values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** Conversations beside each other; returns the turns, each a line of its own. */
function record(dice: Dice, path: string): string[] {
  const recorded = new RecordedConversations();
  const turns: string[] = [];
  const running = Array.from({ length: CONVERSATIONS }, (_, index) => ({
    index,
    left: 1 + dice.below(6),
    conversation: recorded.open({ clientPort: 30_000 + index }),
  }));
  while (running.length > 0) {
    const place = dice.below(running.length);
    const one = running[place]!;
    if (dice.below(4) === 0) recorded.pause(dice.below(15));
    if (one.left === 0) {
      if (dice.below(5) === 0) one.conversation.resets();
      else one.conversation.closes();
      running.splice(place, 1);
      continue;
    }
    one.left -= 1;
    const turn = `${one.index}.${one.left} ${'x'.repeat(dice.pick(1, 50, 3000, 70_000))}\n`;
    turns.push(turn);
    one.conversation.says(turn).hears(1 + dice.below(400));
  }
  writeFileSync(path, recorded.file());
  return turns;
}

type Manner = 'answer' | 'late' | 'close' | 'leave' | 'reset' | 'silence';

/** A target that does something else after each line; what comes after it has closed it reads no more. */
async function listen(dice: Dice, manners: readonly Manner[]): Promise<StandTarget> {
  const done = new Map<ArrivedStream, number>();
  const closed = new Set<ArrivedStream>();
  return await StandTarget.listen((stream) => {
    const { socket, text } = stream;
    if (closed.has(stream) || stream.end !== 'open') return;
    const lines = text.split('\n').length - 1;
    const answered = done.get(stream) ?? 0;
    done.set(stream, lines);
    for (let line = answered; line < lines; line += 1) {
      const octets = 1 + dice.below(400);
      const manner = dice.pick(...manners);
      if (manner === 'answer') socket.write('a'.repeat(octets));
      if (manner === 'late') setTimeout(() => socket.writable && socket.write('a'.repeat(octets)), dice.below(40));
      // Both directions, as a server does: what comes afterwards its host answers with a reset.
      if (manner === 'close') socket.end('a'.repeat(octets), () => socket.destroy());
      if (manner === 'leave') socket.destroy();
      if (manner === 'reset') socket.resetAndDestroy();
      if (manner !== 'close' && manner !== 'leave' && manner !== 'reset') continue;
      closed.add(stream);
      // The rest is not read.
      socket.removeAllListeners('data').pause();
      return;
    }
  });
}

/** Turns that arrived, as often as they did. */
function arrivals({ streams }: StandTarget): string[] {
  return streams.flatMap(({ text }) => text.split('\n').slice(0, -1)).map((line) => `${line}\n`);
}

describe('random recordings to random targets', { concurrency: true }, () => {
  for (let round = 0; round < SEEDS; round += 1) {
    const seed = FIRST_SEED + round;
    const isPatient = round % 2 === 0;
    const manners: readonly Manner[] = isPatient
      ? ['answer', 'answer', 'late']
      : ['answer', 'answer', 'answer', 'late', 'close', 'leave', 'reset', 'silence'];
    it(`${isPatient ? 'that answer and stay' : 'that do anything'} (TEST_SEED=${seed})`, async () => {
      const dice = new Dice(seed);
      const path = join(directory, `${seed}.pcap`);
      const turns = record(dice, path);
      const target = await listen(dice, manners);
      const words = `-x 80-127.0.0.1:${target.port} -i ${path} --connect -t 2s ${dice.pick('-a 1', '-a max')}`;
      const { figures } = await replayConnected(words);
      await target.close();
      const { turnsCaptured, turnsDelivered, turnsPending, turnsLost, terminal } = figures.engine;
      const lost = Object.values(turnsLost).reduce((sum, count) => sum + count, 0);
      assert.equal(turnsPending, 0);
      assert.equal(turnsCaptured, turnsDelivered + lost);
      assert.equal(
        Object.values(terminal).reduce((sum, count) => sum + count, 0),
        CONVERSATIONS,
      );
      // A turn is known by what stands before its first blank.
      const names = (all: readonly string[]): string[] => all.map((turn) => turn.slice(0, turn.indexOf(' '))).sort();
      const arrived = arrivals(target);
      assert.equal(new Set(arrived).size, arrived.length, 'nothing is read twice');
      assert.ok(
        arrived.every((turn) => turns.includes(turn)),
        'nothing comes out of nothing',
      );
      if (!isPatient) return;
      assert.deepEqual(names(arrived), names(turns));
      assert.deepEqual([lost, terminal.copied], [0, CONVERSATIONS]);
    });
  }
});
