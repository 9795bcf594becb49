import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { ProgramLog, StatusLine } from '@trafficcopy/runtime';
import { Leftovers } from '../../src/node/leftovers.js';
import { ProcessScan } from '../../src/node/process-scan.js';
import { ProcessTable } from '../../src/rules/process-table.js';

/** Of no namespace that there could be. */
const INODE = '4026539999999';

describe('leftovers of killed intercepts', () => {
  let directory: string;
  let nowMs: number;
  let leftovers: Leftovers;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tcI-leftovers-'));
    nowMs = 0;
    mkdirSync(join(directory, 'intercept'));
    mkdirSync(join(directory, 'proc'));
    writeFileSync(join(directory, 'intercept', `netns-${INODE}.json`), '{}');
    writeFileSync(join(directory, 'intercept', 'netns-x.json'), 'not ours');
    const config = { logFile: undefined, logLevel: 'silent' } as const;
    const procPath = join(directory, 'proc');
    leftovers = new Leftovers({
      stateDirectory: directory,
      instance: 'node',
      procPath,
      processes: new ProcessTable(procPath),
      scan: new ProcessScan(procPath, () => nowMs),
      nowMs: () => nowMs,
      logger: new ProgramLog({ program: 'intercept', config, statusLine: new StatusLine() }).logger,
    });
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const none = () => Promise.resolve(new Set<string>());
  const journals = (): string[] => readdirSync(join(directory, 'intercept')).sort();

  it('are reported while it is not known yet which pods are targets, and not touched', async () => {
    await leftovers.sweep(none, true);
    nowMs = 60_000;
    await leftovers.sweep(none, true);
    const [report] = leftovers.reports();
    assert.equal(report?.uid, `netns:${INODE}`);
    assert.match(report.message, /waits for settings/);
    assert.equal(journals().length, 2);
  });

  it('of a namespace that is gone: the journal goes, after a while in which containers could start again', async () => {
    await leftovers.sweep(none, false);
    assert.match(leftovers.reports()[0]!.message, /no process is in it any more/);
    nowMs = 29_000;
    await leftovers.sweep(none, false);
    assert.equal(journals().length, 2);
    nowMs = 30_000;
    await leftovers.sweep(none, false);
    assert.deepEqual(journals(), ['netns-x.json']);
    assert.deepEqual(leftovers.reports(), []);
  });

  it('are not those of a namespace that a target pod has', async () => {
    await leftovers.sweep(none, false);
    nowMs = 60_000;
    await leftovers.sweep(() => Promise.resolve(new Set([INODE])), false);
    assert.deepEqual(leftovers.reports(), []);
    assert.equal(journals().length, 2);
  });
});
