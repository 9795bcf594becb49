/** The table of docs/from-tcpcopy.md names tests that exist, for every item of the list. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const ITEMS = 62;
const DOCUMENT = readFileSync(path.join(ROOT, 'docs/from-tcpcopy.md'), 'utf8');
/** Number, and where it is shown. */
const ROWS = [...DOCUMENT.matchAll(/^\| (\d+) \| .+? \| (.+) \|$/gm)].map(([, number, shown]) => ({
  number: Number(number),
  shown: shown!,
}));

/** Titles as they stand in a test file, with the holes of template literals. */
function titlesOf(file: string): string[] {
  const text = readFileSync(path.join(ROOT, file), 'utf8');
  const titles = [...text.matchAll(/\b(?:test|it)\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g)].map((match) => match[2]!);
  assert.ok(titles.length > 0, `${file} has tests`);
  return titles;
}

describe('the list of what a replacement of tcpcopy must show', () => {
  it('has every item once, in order', () => {
    assert.deepEqual(
      ROWS.map(({ number }) => number),
      Array.from({ length: ITEMS }, (_, index) => index + 1),
    );
  });

  for (const { number, shown } of ROWS) {
    it(`item ${number} names tests that exist, or says why it has none`, () => {
      let file: string | undefined;
      let named = 0;
      for (const [, path_, name] of shown.matchAll(/`([\w./-]+\.(?:test\.ts|drill))`|«([^»]+)»/g)) {
        if (path_ !== undefined) {
          file = path_;
          assert.ok(existsSync(path.join(ROOT, file)), `${file} does not exist`);
          if (file.endsWith('.drill')) named += 1;
          continue;
        }
        assert.ok(file !== undefined, `«${name}» has no file`);
        assert.ok(
          titlesOf(file).some((title) => title.includes(name!)),
          `${file} has no test with «${name}» in its name`,
        );
        named += 1;
      }
      assert.ok(named > 0 || /differs|not yet|no test/i.test(shown), `item ${number} is shown by nothing`);
    });
  }
});
