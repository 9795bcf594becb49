/** What --compare shows of its findings: the file, the table. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Difference } from '@trafficcopy/core';
import { SummaryTable } from '@trafficcopy/runtime';
import type { ComparisonFigures } from '../src/compare/comparison-figures.js';
import { addComparison } from '../src/compare/comparison-sections.js';
import { DifferenceFile } from '../src/compare/difference-file.js';

const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

const DIFFERENCE: Difference = {
  clientAddress: Uint8Array.of(10, 0, 0, 1),
  clientPort: 40_000,
  onlinePort: 80,
  turn: 3,
  request: 'GET /a',
  online: { status: 'HTTP/1.1 200 OK', firstUs: 1500, lastUs: 2000, totalBytes: 9000, bytes: octets('online ä') },
  targets: [
    {
      name: '10.0.0.3:8080',
      fields: ['body'],
      offset: 7,
      status: 'HTTP/1.1 200 OK',
      firstUs: 3000,
      lastUs: 4000,
      totalBytes: 9000,
      bytes: Uint8Array.of(0xff, 0xfe, 0, 0, 0, 1),
    },
    // The last character of what is kept was cut.
    {
      name: 'b',
      fields: [],
      offset: 0,
      status: undefined,
      firstUs: undefined,
      lastUs: undefined,
      totalBytes: 0,
      bytes: octets('ä').slice(0, 1),
    },
  ],
};

const FIGURES: ComparisonFigures = {
  turns: 12,
  equal: 5,
  different: 3,
  noise: 2,
  incomparable: { onlineIncomplete: 2 },
  targets: { '10.0.0.3:8080': { turns: 3, fields: { status: 2, body: 3 } } },
  noiseFields: { 'x-id': 2 },
  requests: [{ request: 'GET /a', turns: 3 }],
  slow: [{ request: 'GET /slow', target: '10.0.0.3:8080', onlineUs: 2000, targetUs: 250_000, ratio: 125 }],
  differencesDropped: 1,
};

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'compare-'));
  try {
    await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('the file has a line for each difference and for each slow request, and the sums; only its owner may read it', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'compare.jsonl');
    writeFileSync(path, 'of an earlier run', { mode: 0o644 });
    const file = new DifferenceFile({ path, onStop: assert.fail });
    assert.equal(readFileSync(path, 'utf8'), 'of an earlier run', 'nothing is lost where the copy cannot start');
    file.start();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    file.append([DIFFERENCE], Date.UTC(2026, 0, 2));
    await file.close(FIGURES);
    const lines = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ kind }) => kind),
      ['difference', 'slow', 'summary'],
    );
    assert.deepEqual(lines[0], {
      kind: 'difference',
      at: '2026-01-02T00:00:00.000Z',
      request: 'GET /a',
      client: '10.0.0.1:40000',
      onlinePort: 80,
      turn: 3,
      online: { status: 'HTTP/1.1 200 OK', firstMs: 1.5, lastMs: 2, bytes: 9000, text: 'online ä' },
      targets: [
        {
          name: '10.0.0.3:8080',
          differs: ['body'],
          offset: 7,
          status: 'HTTP/1.1 200 OK',
          firstMs: 3,
          lastMs: 4,
          bytes: 9000,
          base64: '//4AAAAB',
        },
        { name: 'b', differs: [], bytes: 0, text: '' },
      ],
    });
    assert.deepEqual(lines[1], {
      kind: 'slow',
      request: 'GET /slow',
      target: '10.0.0.3:8080',
      ratio: 125,
      onlineMs: 2,
      targetMs: 250,
    });
    assert.equal(lines[2].different, 3);
    assert.equal(lines[2].slow, undefined);
  }));

test('a file that cannot be written is refused at the start; one that was made for nothing is empty', () =>
  inDirectory(async (directory) => {
    const path = join(directory, 'none', 'compare.jsonl');
    assert.throws(() => new DifferenceFile({ path, onStop: assert.fail }), /--compare: .* cannot be written: ENOENT/);
    const unused = new DifferenceFile({ path: join(directory, 'a'), onStop: assert.fail });
    await unused.close();
    assert.equal(existsSync(join(directory, 'a')), false);
  }));

test('a disk that is full ends the file, not the copy', async () => {
  const stopped: string[] = [];
  const file = new DifferenceFile({ path: '/dev/full', onStop: (message) => stopped.push(message) });
  file.start();
  file.append([DIFFERENCE], 0);
  await file.close(FIGURES);
  assert.equal(stopped.length, 1);
  assert.match(stopped[0]!, /--compare: \/dev\/full could not be written.*ENOSPC/);
});

test('the table at the end has the sums, why turns could not be compared, and the requests that differ most', () => {
  const table = new SummaryTable();
  addComparison(table, FIGURES);
  const text = table.render(140);
  assert.match(text, /compared +│ +10 /);
  assert.match(text, /different +│ +3 │ 1 of them beyond --compare-max/);
  assert.match(text, /equal but for noise +│ +2 │ x-id 2/);
  assert.match(text, /not comparable +│ +2 /);
  assert.match(text, /online's answer not captured whole +│ +2 │ a larger -B/);
  assert.match(text, /differs: 10\.0\.0\.3:8080 +│ +3 │ status 2, body 3/);
  assert.match(text, /GET \/a +│ +3/);
  // At the width of a terminal no value is torn, and long requests do not make the table wider.
  const requests = [{ request: `GET /${'a'.repeat(2000)}`, turns: 3 }];
  const narrow = new SummaryTable();
  addComparison(narrow, { ...FIGURES, requests });
  const lines = narrow.render(80).split('\n');
  assert.deepEqual(
    lines.filter((line) => line.length > 80),
    [],
  );
  assert.ok(
    lines.some((line) => /│ 10\.0\.0\.3:8080: 250 ms, +│$/.test(line)),
    lines.join('\n'),
  );
  assert.ok(
    lines.some((line) => /│ online: 2\.0 ms +│$/.test(line)),
    lines.join('\n'),
  );
  assert.match(text, /GET \/slow +│ +125\.0 x │ 10\.0\.0\.3:8080: 250 ms, online: 2\.0 ms/);
});
