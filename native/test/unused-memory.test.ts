import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { deflateSync, inflateSync } from 'node:zlib';
import { giveBackUnusedMemory } from '../lib/index.js';

/** Octets in RAM of files, which this process has not written to. */
function fileBytes(): number {
  const status = readFileSync('/proc/self/status', 'latin1');
  return 1024 * Number(/^RssFile:\s+(\d+) kB$/m.exec(status)?.[1]);
}

describe('giveBackUnusedMemory', () => {
  it('pages of the program go, and those that are used come back', () => {
    const before = fileBytes();
    const given = giveBackUnusedMemory();
    const left = before - given;
    assert.ok(given > before / 2, `${given} of ${before} octets`);
    assert.ok(fileBytes() < (before + left) / 2, `${fileBytes()} of ${before} octets are still there`);
    // Code of Node.js, of V8 and of libraries, relocated and not.
    const text = 'a turn is delivered once, or lost with its reason '.repeat(1000);
    assert.equal(inflateSync(deflateSync(text)).toString(), text);
    assert.equal(createHash('sha256').update('').digest('hex').slice(0, 16), 'e3b0c44298fc1c14');
    assert.match(text, /^(?:a turn is (\w+) once, or lost with its reason )+$/u);
    assert.equal(new Intl.NumberFormat('de').format(1234.5), '1.234,5');
  });

  it('again and again does no harm', () => {
    for (let times = 0; times < 20; times += 1) assert.ok(giveBackUnusedMemory() > 0);
  });
});
