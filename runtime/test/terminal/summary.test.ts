import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { StartError, SummaryFile, SummaryTable, WholeFile } from '../../src/index.js';

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-summary-'));
after(() => rmSync(directory, { recursive: true, force: true }));

describe('the summary table', () => {
  it('shows sections with numbers that can be read, and notes within the width', () => {
    const text = new SummaryTable()
      .add('Requests', [
        { label: 'captured', value: 1_234_567 },
        { label: 'lost', value: 3, note: 'the capture buffer was full 3 times: a larger -B/--capture-buffer helps' },
      ])
      .add('Empty', [])
      .render(80);
    assert.match(text, /Requests/);
    assert.match(text, /captured +│ +1,234,567/);
    assert.doesNotMatch(text, /Empty/);
    assert.match(text.replace(/[│\s]+/g, ' '), /the capture buffer was full 3 times: a larger/);
    for (const line of text.split('\n')) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
  });

  it('breaks notes at spaces only, not at no-break ones, and a long word where it has to be', () => {
    const text = new SummaryTable()
      .add('a', [
        { label: 'label', value: 1, note: `1234567890 1234567890 250\u00a0ms ${'x'.repeat(100)}` },
        { label: '  captured, but not understood, and so', value: 1 },
      ])
      .add('b', [{ label: 'm'.repeat(200), value: 1 }])
      .render(64);
    const lines = text.split('\n');
    for (const line of lines) assert.ok(line.length <= 64, `${line.length} columns: ${line}`);
    assert.match(text, /│ 1234567890 1234567890 +│\n.*│ 250 ms x+ │\n/);
    assert.equal(text.replace(/[^x]/g, '').length, 100);
    assert.match(text, /│ {3}captured, but not +│ +1 │ +│\n│ {3}understood, and so +│ +│/);
    // Without notes there is more room for labels; two lines are enough.
    assert.match(text, /│ (m{40,}) │ +1 │\n│ m{39,}… │ +│\n└/);
  });

  it('has no column for notes when there are none', () => {
    const text = new SummaryTable().add('Requests', [{ label: 'captured', value: '12 %' }]).render(80);
    assert.match(text, /captured +│ +12 % │\n/);
  });
});

describe('the summary file', () => {
  it('follows a symbolic link, and leaves a device what it is', () => {
    const [real, link] = [join(directory, 'real.json'), join(directory, 'link.json')];
    writeFileSync(real, 'old');
    symlinkSync(real, link);
    new SummaryFile(link).write({ captured: 3 });
    assert.deepEqual(JSON.parse(readFileSync(real, 'utf8')), { captured: 3 });
    assert.ok(lstatSync(link).isSymbolicLink());
    const device = join(directory, 'null');
    execFileSync('mknod', [device, 'c', '1', '3']);
    new SummaryFile(device).write({ captured: 3 });
    assert.ok(lstatSync(device).isCharacterDevice());
  });

  it('replaces the earlier one and leaves nothing else', () => {
    const path = join(directory, 'a', 'summary.json');
    mkdirSync(join(directory, 'a'));
    writeFileSync(path, 'old');
    new SummaryFile(path).write({ requests: { captured: 3 } });
    assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')), { requests: { captured: 3 } });
    assert.deepEqual(readdirSync(join(directory, 'a')), ['summary.json']);
  });

  it('is refused at the start where it could not be written', () => {
    for (const path of [join(directory, 'missing', 's.json'), directory]) {
      assert.throws(
        () => new SummaryFile(path),
        (error: unknown) => error instanceof StartError && error.code === 'ERR_START_SUMMARY_FILE',
      );
      assert.throws(() => new WholeFile(path, '--report', 'ERR_START_REPORT_FILE'), {
        code: 'ERR_START_REPORT_FILE',
        message: /^--report: .* cannot be written: /,
      });
    }
  });
});
