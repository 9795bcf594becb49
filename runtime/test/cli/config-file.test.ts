import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readConfigFile } from '../../src/cli/config/config-file.js';
import {
  buildCommand,
  type CommandSpecification,
  choiceValue,
  type FlagTable,
  type FlagValues,
  integerValue,
  pathValue,
  textValue,
  UsageError,
} from '../../src/index.js';

const GROUP = 'All';
const FLAGS = {
  items: {
    kind: 'list',
    long: 'item',
    argument: 'N,…',
    group: GROUP,
    help: 'Items',
    value: integerValue(1, 9),
    itemsMax: 4,
  },
  helds: {
    kind: 'value',
    long: 'max-held',
    specName: 'limits.memory',
    argument: 'N',
    group: GROUP,
    help: 'N',
    default: '5',
    value: integerValue(0, 99),
  },
  way: {
    kind: 'value',
    long: 'way',
    specName: 'way',
    argument: 'WAY',
    group: GROUP,
    help: 'A way',
    value: choiceValue(['tunnel', 'direct']),
  },
  secret: {
    kind: 'value',
    long: 'secret',
    argument: 'TEXT',
    group: GROUP,
    help: 'A secret',
    env: 'TEST_SECRET',
    isSecret: true,
    value: textValue('letters', /^[a-z]+$/),
  },
  page: {
    kind: 'value',
    long: 'page',
    argument: 'FILE',
    group: GROUP,
    help: 'A page',
    bareText: '-',
    value: pathValue,
  },
  noWait: { kind: 'switch', long: 'no-wait', group: GROUP, help: 'Do not wait' },
  once: { kind: 'switch', long: 'once', group: GROUP, help: 'Once', isLineOnly: true },
  configFile: {
    kind: 'value',
    long: 'config',
    argument: 'FILE',
    group: GROUP,
    help: 'A file',
    isConfigFile: true,
    isLineOnly: true,
    value: pathValue,
  },
} as const satisfies FlagTable;

const SPECIFICATION: CommandSpecification<typeof FLAGS> = {
  name: 'try',
  summary: 'Try it',
  description: 'Tries it.',
  groups: [GROUP],
  flags: FLAGS,
  refused: [{ short: 'd', long: 'daemon', hasArgument: false, advice: 'use a unit' }],
  structures: [
    {
      key: 'pairs',
      help: 'Pairs',
      read: (node) => ({
        items: node.items().map((item) => {
          const { only } = item.fields(['only']);
          return { text: (only ?? item).text('a number: only'), place: item.place };
        }),
      }),
    },
  ],
  examples: [],
};

const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-config-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'a.yaml');

async function parse(
  text: string,
  words: readonly string[] = [],
  { mode = 0o640, env = {} }: { readonly mode?: number; readonly env?: Record<string, string> } = {},
): Promise<FlagValues<typeof FLAGS>> {
  writeFileSync(file, text);
  chmodSync(file, mode);
  const results: FlagValues<typeof FLAGS>[] = [];
  const command = buildCommand(SPECIFICATION, env, (values) => void results.push(values));
  await command.parseAsync([...words, '--config', file], { from: 'user' });
  return results[0]!;
}

/** `message`: what stands behind the name of the file. */
function refuses(text: string, message: string, words: readonly string[] = [], mode = 0o640): Promise<void> {
  return assert.rejects(
    () => parse(text, words, { mode }),
    (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.equal(error.message, `${file}:${message}`);
      return true;
    },
  );
}

describe('a configuration file', () => {
  it('gives flags their values, by long names, in camel case, or by the names of the spec', async () => {
    const expected = { items: [1, 2], helds: 7, way: 'direct', noWait: true };
    for (const text of [
      'item: [1, 2]\nmax-held: 7\nway: direct\nno-wait: true\n',
      'item: 1,2\nmaxHeld: "7"\nway: Direct\nnoWait: true\n',
      'item:\n- 1\n- 2\nlimits:\n  memory: 7\nway: Direct\nnoWait: true\n',
      'pairs: [{only: 1}, {only: 2}]\nlimits: {memory: 7}\nway: Direct\nnoWait: true\n',
    ]) {
      const { items, helds, way, noWait } = await parse(text);
      assert.deepEqual({ items, helds, way, noWait }, expected, text);
    }
  });

  it('may be empty, and leaves defaults as they are', async () => {
    for (const text of ['', '# nothing\n', '---\n', 'noWait: false\n']) {
      const { items, helds, noWait } = await parse(text);
      assert.deepEqual({ items, helds, noWait }, { items: [], helds: 5, noWait: false }, text);
    }
  });

  it('counts for what neither the command line nor the environment gives; lists are replaced', async () => {
    const text = 'item: [1, 2]\nmaxHeld: 7\nsecret: file\n';
    const { items, helds, secret } = await parse(text, ['--item', '3', '--max-held', '8'], {
      env: { TEST_SECRET: 'env' },
    });
    assert.deepEqual({ items, helds, secret }, { items: [3], helds: 8, secret: 'env' });
    assert.equal((await parse(text)).secret, 'file');
  });

  it('says of a flag whose value may be left out that it is given, or with which value', async () => {
    assert.equal((await parse('page: true')).page, '-');
    assert.equal((await parse('page: a.html')).page, 'a.html');
    assert.equal((await parse('page: false')).page, undefined);
  });

  it('reads numbers as they are written, as a command line does', async () => {
    assert.equal((await parse('maxHeld: 010')).helds, 10);
    await refuses('maxHeld: 0x10', '1: maxHeld: "0x10" does not fit: expected a whole number from 0 to 99');
    await refuses('maxHeld: 1e1', '1: maxHeld: "1e1" does not fit: expected a whole number from 0 to 99');
  });

  it('refuses unknown keys by name and line, with the nearest known one', async () => {
    await refuses('# a\n\nmaxHeld: 7\nmaxHelt: 8\n', '4: maxHelt: unknown key (Did you mean maxHeld?)');
    await refuses('limits:\n  memry: 8\n', '2: limits.memry: unknown key (Did you mean limits.memory?)');
    await refuses('pairs:\n- only: 1\n- onyl: 1\n', '3: pairs[1].onyl: unknown key (Did you mean only?)');
    await refuses('entirely-else: 8\n', '1: entirely-else: unknown key');
  });

  it('refuses wrong values in the words of the flags, with their line', async () => {
    await refuses('\nmax-held: 100', '2: max-held: "100" does not fit: expected a whole number from 0 to 99');
    await refuses('item:\n- 1\n- 0\n', '3: item[1]: "0" does not fit: expected a whole number from 1 to 9');
    await refuses('way: Tunnle', '1: way: "Tunnle" does not fit: expected one of tunnel, direct');
    await refuses('maxHeld:', '1: maxHeld: its value is missing: expected a whole number from 0 to 99');
    await refuses('maxHeld: {a: 1}', '1: maxHeld: expected a whole number from 0 to 99');
    await refuses('noWait: yes', '1: noWait: "yes" does not fit: expected true or false');
    await refuses('secret: ABC', '1: secret: the value does not fit: expected letters');
  });

  it('refuses what is said twice, what is for the command line, and what the C programs have', async () => {
    await refuses(
      'maxHeld: 1\nlimits: {memory: 2}',
      '2: limits.memory: says the same as maxHeld, which stands in the file too: expected one of them',
    );
    await refuses(
      'item: 1\npairs: [{only: 2}]',
      '2: pairs: says the same as item, which stands in the file too: expected one of them',
    );
    await refuses('maxHeld: 1\nmaxHeld: 2', '2: no YAML that is read here: Map keys must be unique');
    await refuses('once: true', '1: once: --once is for the command line only');
    await refuses('daemon: true', '1: daemon: use a unit');
  });

  it('refuses what is no YAML, no map, or makes objects of tags', async () => {
    await assert.rejects(parse('item: [1'), /a\.yaml:1: no YAML that is read here: /);
    await refuses(
      'item: 1\n---\nitem: 2\n',
      '2: no YAML that is read here: expected one document, without "---" in its midst',
    );
    await refuses('- item', '1: expected keys with values, like "name: value"');
    await assert.rejects(parse('item: !secret 1'), /a\.yaml:1: no YAML that is read here: Unresolved tag/);
    await refuses('item: &a 1\nmaxHeld: *a', '2: maxHeld: expected a whole number from 0 to 99');
  });

  it('holds no secret where every user can read it, and is changed by its owner only', async () => {
    await refuses(
      'secret: abc',
      `1: secret: a secret in a file that every user of this host can read: chmod o-rwx ${file}`,
      [],
      0o644,
    );
    assert.equal((await parse('secret: abc')).secret, 'abc');
    assert.equal((await parse('maxHeld: 7', [], { mode: 0o644 })).helds, 7);
    await assert.rejects(
      parse('maxHeld: 7', [], { mode: 0o666 }),
      /can be changed by every user of this host: chmod o-w/,
    );
  });

  it('is refused when it is not there, or no file', async () => {
    const command = buildCommand(SPECIFICATION, {}, () => {});
    for (const [path, code] of [
      [join(directory, 'none.yaml'), 'ENOENT'],
      [directory, 'EISDIR'],
    ] as const) {
      await assert.rejects(
        command.parseAsync(['--config', path], { from: 'user' }),
        (error: unknown) =>
          error instanceof UsageError && error.message.startsWith(`--config: cannot read ${path} (${code})`),
      );
    }
  });

  it('is refused when it is nested too deeply, however that is written', async () => {
    const text = /^\d+: lists and maps within each other, more than 64 deep/;
    for (const deep of [
      `item: ${'['.repeat(20_000)}${']'.repeat(20_000)}`,
      `item: ${'{a: '.repeat(20_000)}1${'}'.repeat(20_000)}`,
      '- '.repeat(20_000),
      '? '.repeat(20_000),
      Array.from({ length: 100 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
    ]) {
      await assert.rejects(parse(deep), (error: unknown) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message.slice(file.length + 1), text, deep.slice(0, 20));
        return true;
      });
    }
    assert.deepEqual(
      await parse('item: [[1]]').catch((error: Error) => error.message),
      `${file}:1: item[0]: expected a whole number from 1 to 9`,
    );
  });

  it('names the keys of a map where something else stands', async () => {
    await refuses('pairs: 3', '1: pairs: "3" does not fit: expected a map of only, like "only: …"');
    await refuses('pairs: [[3]]', '1: pairs[0]: expected a map of only, like "only: …"');
  });

  it('may be one of several: what a later one says counts, a whole list at a time', async () => {
    const base = join(directory, 'base.yaml');
    writeFileSync(base, 'item: [1, 2]\nmaxHeld: 7\nway: direct\nnoWait: true\n');
    const { items, helds, way, noWait } = await parse('item: 3\nmaxHeld: 8\nnoWait: false\n', ['--config', base]);
    assert.deepEqual({ items, helds, way, noWait }, { items: [3], helds: 8, way: 'direct', noWait: false });
  });

  it('may be a pipe; one that nobody writes into is not waited for without end', async () => {
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    writeFileSync(file, 'maxHeld: 9\n');
    // It has the pipe open, and writes, when we read.
    const writer = spawn('sh', ['-c', 'cat "$0" >"$1"', file, pipe]);
    assert.equal(readConfigFile(pipe, SPECIFICATION).get('helds')?.[0]?.text, '9');
    await new Promise((resolve) => writer.once('close', resolve));
    assert.throws(
      () => readConfigFile(pipe, SPECIFICATION, 50),
      (error: unknown) =>
        error instanceof UsageError &&
        error.message ===
          `--config: nothing came from ${pipe} for 0.05 s: expected a YAML file, or a pipe that something writes one into and closes`,
    );
  });

  it('is refused when it is too large, before all of it is read', async () => {
    const command = buildCommand(SPECIFICATION, {}, () => {});
    writeFileSync(file, `#${'x'.repeat(1024 * 1024)}`);
    for (const path of [file, '/dev/zero']) {
      await assert.rejects(
        command.parseAsync(['--config', path], { from: 'user' }),
        (error: unknown) => error instanceof UsageError && error.message.startsWith(`--config: ${path} is larger than`),
      );
    }
  });
});
