/** How far the replay of capture files is, as people and the log see it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { type OfflineFigures, offlineProgress, offlineStatus } from '../../src/offline/offline-figures.js';
import { RecordedTraffic } from '../kit/recorded-traffic.js';
import { replayFiles } from '../kit/replay-stand.js';

const FIGURES: OfflineFigures = {
  frames: 10,
  notIp: 0,
  oversized: 0,
  outsideTime: 0,
  notWanted: 0,
  packets: 10,
  cut: 0,
  filesCutShort: 0,
  doneFraction: 0.5,
  leftMs: 65_000,
  run: 1,
  runs: 1,
  positionMs: 5000,
  skippedMs: 0,
  behindMs: 0,
};

const directory = mkdtempSync(join(tmpdir(), 'figures-'));
after(() => rmSync(directory, { recursive: true }));

describe('the progress bar', () => {
  const rows: readonly [name: string, figures: Partial<OfflineFigures>, parts: readonly string[]][] = [
    ['at the start', { doneFraction: 0, leftMs: undefined }, ['[                    ] 0 %']],
    ['in the middle, with the time left', {}, ['[==========          ] 50 %', '1:05 left']],
    [
      'before the end it is not full',
      { doneFraction: 0.974, leftMs: 900 },
      ['[=================== ] 97 %', '0:01 left'],
    ],
    ['at the end', { doneFraction: 1, leftMs: 0 }, ['[====================] 100 %', '0:00 left']],
    ['never beyond the end', { doneFraction: 1.2, leftMs: undefined }, ['[====================] 100 %']],
    [
      'of several runs',
      { run: 2, runs: 3, leftMs: 3_727_000 },
      ['[==========          ] 50 %', '1:02:07 left', 'run 2 of 3'],
    ],
    ['behind its times', { leftMs: undefined, behindMs: 2400 }, ['[==========          ] 50 %', '0:02 behind']],
    ['of a pipe, whose length nobody knows', { doneFraction: undefined, leftMs: undefined }, ['0:05 of the capture']],
  ];
  for (const [name, figures, parts] of rows) {
    it(name, () => assert.deepEqual(offlineStatus({ ...FIGURES, ...figures }), parts));
  }

  it('the log says the same in numbers', () => {
    assert.deepEqual(offlineProgress(FIGURES), { run: 1, positionMs: 5000, donePercent: 50, leftMs: 65_000 });
    const ofPipe = { ...FIGURES, doneFraction: undefined, leftMs: undefined };
    assert.deepEqual(offlineProgress(ofPipe), { run: 1, positionMs: 5000 });
  });

  it('grows with what is replayed, over all runs, and is full at the end', async () => {
    const traffic = new RecordedTraffic({ sessions: 250, kind: 'short', requestBytes: 20_000, stepUs: 200 });
    const path = join(directory, 'one.pcap');
    writeFileSync(path, traffic.whole());
    const seen: OfflineFigures[] = [];
    const onProgress = (figures: OfflineFigures): void => void seen.push(figures);
    const { figures } = await replayFiles([path], { plan: { speed: 1, runs: 2 }, onProgress });
    const fractions = [...seen, figures].map(({ doneFraction }) => doneFraction!);
    assert.deepEqual(
      fractions,
      [...fractions].sort((a, b) => a - b),
      'it never goes back',
    );
    assert.equal(figures.doneFraction, 1);
    assert.equal(figures.run, 2);
    // Each run is half of it; both were looked at.
    assert.ok(fractions.some((fraction) => fraction > 0 && fraction < 0.5));
    assert.ok(fractions.some((fraction) => fraction > 0.5 && fraction < 1));
    for (const { run, doneFraction, leftMs } of seen) {
      assert.ok(doneFraction! >= (run - 1) / 2 && doneFraction! <= run / 2, `run ${run} at ${doneFraction}`);
      if (leftMs !== undefined) assert.ok(leftMs >= 0 && Number.isFinite(leftMs));
    }
    assert.ok(seen.some(({ leftMs }) => leftMs !== undefined && leftMs > 0));
  });
});
