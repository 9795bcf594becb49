/** docs/channel.md shows octets; this test keeps them those that are really sent. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  CHANNEL_PORT,
  CHANNEL_VERSION,
  FRAME,
  FRAME_HANDSHAKE_BYTES_MAX,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameDecoder,
  GOODBYE_CODES,
  REFUSAL_CODES,
  REFUSALS_TO_RETRY,
} from '../../src/index.js';
import {
  GOLDEN_DATAGRAM_FRAMES,
  GOLDEN_FRAMES,
  GOLDEN_INTERCEPT_FRAMES,
  GOLDEN_PAYLOAD_FRAME,
  hexDump,
} from '../kit/golden-frames.js';

const document = readFileSync(path.resolve(import.meta.dirname, '../../../../docs/channel.md'), 'utf8');

/** Rows of the table whose first heading is `heading`, each without its quotes. */
function table(heading: string): string[][] {
  const start = document.indexOf(`| ${heading} |`);
  assert.ok(start >= 0, `docs/channel.md has a table with the heading ${heading}`);
  const lines = document.slice(start, document.indexOf('\n\n', start)).split('\n').slice(2);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

for (const [name, frame] of Object.entries(GOLDEN_FRAMES)) {
  test(`docs/channel.md shows the octets of ${name}`, () => {
    assert.ok(
      document.includes(`\n${hexDump(frame)}\n`),
      `docs/channel.md should have, under ${name}:\n\n${hexDump(frame)}\n`,
    );
  });

  test(`the golden ${name} frame decodes to its type`, () => {
    const types: number[] = [];
    const decoder = new FrameDecoder(FRAME_PAYLOAD_BYTES_MAX, (type) => types.push(type) > 0);
    assert.ok(decoder.push(frame));
    assert.deepEqual(types, [FRAME[name as keyof typeof FRAME]]);
  });
}

for (const [name, frame] of Object.entries(GOLDEN_INTERCEPT_FRAMES)) {
  test(`docs/channel.md shows the octets of ${name} of an intercept`, () => {
    const dump = hexDump(frame);
    assert.ok(document.includes(`\n${dump}\n`), `docs/channel.md should have, under ${name}:\n\n${dump}\n`);
  });
}

for (const [name, frame] of Object.entries(GOLDEN_DATAGRAM_FRAMES)) {
  test(`docs/channel.md shows the octets of ${name} about datagrams`, () => {
    const dump = hexDump(frame);
    assert.ok(document.includes(`\n${dump}\n`), `docs/channel.md should have, under ${name}:\n\n${dump}\n`);
  });
}

test('docs/channel.md shows the octets of HEADERS with payload', () => {
  const dump = hexDump(GOLDEN_PAYLOAD_FRAME);
  assert.ok(document.includes(`\n${dump}\n`), `docs/channel.md should have:\n\n${dump}\n`);
});

test('docs/channel.md lists every frame type with its number', () => {
  const rows = table('Type').map(([number, name]) => [name, Number(number)]);
  assert.deepEqual(Object.fromEntries(rows), { ...FRAME });
});

test('docs/channel.md lists every refusal, and which are tried again', () => {
  const rows = table('Refusal').map(([code, , again]) => [code, again]);
  assert.deepEqual(
    rows,
    REFUSAL_CODES.map((code) => [code, REFUSALS_TO_RETRY.has(code) ? 'yes' : 'no']),
  );
});

test('docs/channel.md lists every farewell', () => {
  assert.deepEqual(
    table('Farewell').map(([code]) => code),
    [...GOODBYE_CODES],
  );
});

test('docs/channel.md names port, version and limits', () => {
  assert.equal(CHANNEL_PORT, 36524);
  assert.ok(document.includes(`version ${CHANNEL_VERSION.major}.${CHANNEL_VERSION.minor}`));
  const limits = Object.fromEntries(table('Limit').map(([name, value]) => [name, value]));
  assert.equal(limits['payload of a frame'], `${FRAME_PAYLOAD_BYTES_MAX} octets`);
  assert.equal(limits['payload before WELCOME'], `${FRAME_HANDSHAKE_BYTES_MAX} octets`);
});
