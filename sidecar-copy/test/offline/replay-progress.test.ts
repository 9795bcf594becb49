/** How far a replay is follows what has gone to the engine, however much of a file was read ahead. The clock is the test's. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ENGINE_LIMITS_DEFAULT } from '@trafficcopy/core';
import type { OfflineFigures } from '../../src/offline/offline-figures.js';
import type { OfflinePlan } from '../../src/offline/offline-plan.js';
import { OfflineReplay } from '../../src/offline/offline-replay.js';
import { recordingsOf } from '../../src/offline/recording.js';
import { RecordedTraffic } from '../kit/recorded-traffic.js';

const STEP_MS = 100;
const PLAN: Omit<OfflinePlan, 'files'> = {
  speed: 1,
  idleMsMax: undefined,
  rate: undefined,
  runs: 1,
  from: undefined,
  until: undefined,
};
const ROOM = {
  ...{ isUp: true, isCongested: false, responses: 0, sessionsOpen: 0, connectionsOpen: 0, heldBytes: 0 },
  ...{ turnsPending: 0, turnsCaptured: 0 },
};

const directory = mkdtempSync(join(tmpdir(), 'progress-'));
after(() => rmSync(directory, { recursive: true }));

/** A recording of `sessions` short sessions one after the other, a frame each 100 ms, which begins `seconds` later than it does by itself. */
function recording(name: string, sessions: number, seconds = 0): { path: string; frames: number; lastMs: number } {
  const traffic = new RecordedTraffic({ sessions, concurrency: 1, kind: 'short', stepUs: STEP_MS * 1000 });
  const file = traffic.whole();
  for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) {
    file.writeUInt32LE(file.readUInt32LE(at) + seconds, at);
  }
  const path = join(directory, name);
  writeFileSync(path, file);
  const { frames } = traffic.expected;
  return { path, frames, lastMs: seconds * 1000 + (frames - 1) * STEP_MS };
}

class Replayed {
  private readonly replay: OfflineReplay;
  private timeMs = 0;

  static async of(files: readonly string[], plan: Partial<OfflinePlan> = {}): Promise<Replayed> {
    const whole = { ...PLAN, files, ...plan };
    return new Replayed(whole, await recordingsOf(files, whole.runs));
  }

  private constructor(plan: OfflinePlan, recordings: Awaited<ReturnType<typeof recordingsOf>>) {
    const nowMs = (): number => this.timeMs;
    const options = { limits: ENGINE_LIMITS_DEFAULT, sessionsForEach: 1, nowMs, onNote: assert.fail };
    this.replay = new OfflineReplay({ plan, recordings, ...options }).openAs('dst port 80');
    this.replay.feed({ load: () => ROOM, endCapture: () => {} }, () => {});
    this.replay.start(() => this.handOver());
  }

  /** So much has passed since the start. What is due goes, once `frames` were read from the files. */
  async at(timeMs: number, frames: number): Promise<OfflineFigures> {
    this.timeMs = timeMs;
    do {
      this.handOver();
      await setImmediate();
    } while (this.replay.figures().frames < frames);
    this.handOver();
    return this.replay.figures();
  }

  private handOver(): void {
    while (this.replay.next()) this.replay.release();
  }

  close(): void {
    this.replay.close();
  }
}

describe('the progress of a replay', () => {
  it('of a file that was read at once follows the recorded times', async () => {
    const { path, frames, lastMs } = recording('small.pcap', 9);
    const replayed = await Replayed.of([path]);
    assert.equal((await replayed.at(0, frames)).doneFraction, 0);
    for (const share of [0.25, 0.5, 0.9]) {
      const { doneFraction, leftMs, positionMs } = await replayed.at(lastMs * share, frames);
      assert.ok(Math.abs(doneFraction! - share) < 0.001, `${doneFraction} at ${share}`);
      assert.ok(Math.abs(leftMs! - lastMs * (1 - share)) < 10, `${leftMs} ms left at ${share}`);
      assert.ok(Math.abs(positionMs - lastMs * share) < 1);
    }
    replayed.close();
  });

  it('goes on in a pause of the recording, and twice as fast with -a 2', async () => {
    const first = recording('first.pcap', 1);
    const second = recording('second.pcap', 1, 60);
    const replayed = await Replayed.of([first.path, second.path], { speed: 2 });
    const frames = first.frames + second.frames;
    // The second file is open: it begins after a minute, half of which has passed.
    const { doneFraction, positionMs } = await replayed.at(15_000, frames);
    assert.ok(Math.abs(doneFraction! - 30_000 / second.lastMs) < 0.001, String(doneFraction));
    assert.equal(positionMs, 30_000);
    replayed.close();
  });

  it('with --from and --until counts from the one to the other', async () => {
    const { path, frames } = recording('stretch.pcap', 20);
    const from = { kind: 'offset', offsetUs: 2_000_000 } as const;
    const until = { kind: 'offset', offsetUs: 6_000_000 } as const;
    const replayed = await Replayed.of([path], { from, until });
    const { doneFraction } = await replayed.at(2000, frames);
    // The first packet of a client behind 2 s may come a little later.
    assert.ok(doneFraction! > 0.45 && doneFraction! < 0.55, String(doneFraction));
    replayed.close();
  });

  for (const [name, plan] of [
    ['at a rate of connections', { rate: { of: 'connections', perSecond: 1 } }],
    ['without long pauses (-I)', { idleMsMax: 10 }],
  ] as const) {
    it(`${name} follows the packets that have gone`, async () => {
      const { path, frames } = recording('rate.pcap', 10);
      const replayed = await Replayed.of([path], plan);
      const { doneFraction } = await replayed.at(0, frames);
      assert.ok(doneFraction! > 0 && doneFraction! < 0.2, String(doneFraction));
      const fractions: number[] = [];
      for (const second of [1, 2, 3, 4, 5]) fractions.push((await replayed.at(second * 100, frames)).doneFraction!);
      assert.deepEqual(
        fractions,
        [...fractions].sort((a, b) => a - b),
      );
      replayed.close();
    });
  }
});
