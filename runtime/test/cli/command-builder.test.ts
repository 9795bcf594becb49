import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  buildCommand,
  CommanderError,
  type CommandSpecification,
  choiceValue,
  type FlagTable,
  type FlagValues,
  integerValue,
  textValue,
  UsageError,
  usageErrorOf,
} from '../../src/index.js';

const FLAGS = {
  items: {
    kind: 'list',
    short: 'x',
    long: 'item',
    argument: 'N,…',
    group: 'First',
    help: 'Items',
    value: integerValue(1, 9),
    itemsMax: 4,
    isRequired: true,
  },
  port: {
    kind: 'value',
    short: 'p',
    long: 'port',
    argument: 'PORT',
    group: 'Second',
    help: 'A port',
    default: '36524',
    value: integerValue(1, 65535),
  },
  secret: {
    kind: 'value',
    long: 'secret',
    argument: 'TEXT',
    group: 'Second',
    help: 'A secret',
    env: 'TEST_SECRET',
    isSecret: true,
    value: textValue('letters', /^[a-z]+$/),
  },
  way: { kind: 'value', long: 'way', argument: 'WAY', group: 'First', help: 'A way', value: choiceValue(['a', 'b']) },
  noWait: { kind: 'switch', short: 'W', long: 'no-wait', group: 'First', help: 'Do not wait' },
  report: {
    kind: 'value',
    long: 'report',
    argument: 'NAME',
    group: 'First',
    help: 'A report',
    bareText: 'all',
    value: textValue('letters', /^[a-z]+$/),
  },
  loud: { kind: 'switch', short: 'L', long: 'loud', group: 'First', help: 'Loud' },
} as const satisfies FlagTable;

const SPECIFICATION: CommandSpecification<typeof FLAGS> = {
  name: 'try',
  summary: 'Try it',
  description: 'Tries it.',
  groups: ['First', 'Second'],
  flags: FLAGS,
  refused: [{ short: 'd', long: 'daemon', hasArgument: false, advice: 'use nohup' }],
  examples: [{ text: 'One', command: 'try -x 1' }],
};

async function parse(words: readonly string[], env: Record<string, string> = {}): Promise<FlagValues<typeof FLAGS>> {
  const results: FlagValues<typeof FLAGS>[] = [];
  const command = buildCommand(SPECIFICATION, env, (values) => {
    results.push(values);
  });
  try {
    await command.parseAsync([...words], { from: 'user' });
  } catch (error) {
    throw error instanceof CommanderError ? (usageErrorOf(error) ?? error) : error;
  }
  assert.equal(results.length, 1);
  return results[0]!;
}

function refuses(words: readonly string[], message: RegExp, env: Record<string, string> = {}): Promise<void> {
  return assert.rejects(
    () => parse(words, env),
    (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.equal(error.exitCode, 2);
      assert.match(error.message, message);
      return true;
    },
  );
}

describe('flag tables', () => {
  it('give every flag its value, with defaults where nothing was given', async () => {
    assert.deepEqual(await parse(['-x', '1']), {
      items: [1],
      port: 36524,
      secret: undefined,
      way: undefined,
      report: undefined,
      noWait: false,
      loud: false,
    });
    assert.deepEqual(
      await parse(['-WL', '--item=1,2', '-x3', '--port', '1', '--port=2', '--way', 'b', '--secret', 'q']),
      {
        items: [1, 2, 3],
        port: 2,
        secret: 'q',
        way: 'b',
        report: undefined,
        noWait: true,
        loud: true,
      },
    );
  });

  it('take a value that may be left out, and check it', async () => {
    assert.equal((await parse(['--report', '-x', '1'])).report, 'all');
    assert.equal((await parse(['-x', '1', '--report'])).report, 'all');
    assert.equal((await parse(['-x', '1', '--report=some'])).report, 'some');
    assert.equal((await parse(['-x', '1', '--report', 'some'])).report, 'some');
    await refuses(['-x', '1', '--report=7'], /^--report: "7" does not fit: expected letters$/);
  });

  it('take a value from the environment when the command line has none, and check it too', async () => {
    assert.equal((await parse(['-x', '1'], { TEST_SECRET: 'env' })).secret, 'env');
    assert.equal((await parse(['-x', '1', '--secret', 'line'], { TEST_SECRET: 'env' })).secret, 'line');
    assert.equal((await parse(['-x', '1'], { TEST_SECRET: '' })).secret, undefined);
    await refuses(['-x', '1'], /^TEST_SECRET: the value does not fit: expected letters$/, { TEST_SECRET: 'ENV' });
  });

  it('refuse unknown flags by name with the nearest known one', async () => {
    await refuses(['-x', '1', '--prot', '3'], /^unknown option '--prot' \(Did you mean --port\?\)$/);
    await refuses(['-x', '1', '-Z'], /^unknown option '-Z'$/);
  });

  it('refuse wrong values with what was expected', async () => {
    await refuses(['-x', '1', '-p', '0'], /^-p\/--port: "0" does not fit: expected a whole number from 1 to 65535$/);
    await refuses(['-x', '1,,2'], /^-x\/--item: "" does not fit/);
    await refuses(['-x', '1', '--way', 'c'], /--way: "c" does not fit: expected one of a, b/);
    await refuses(['-x', '1', '--port'], /^-p\/--port: its value is missing: expected a whole number/);
  });

  it('refuse a missing required flag, surplus items, surplus words and values of switches', async () => {
    await refuses([], /^-x\/--item N,… is missing: expected a whole number from 1 to 9$/);
    await refuses(['-x', '1,2,3', '-x', '4,5'], /-x\/--item: 5 items are too many: at most 4/);
    await refuses(['-x', '1', 'word'], /too many arguments.*word/);
    await refuses(['-x', '1', '--loud=3'], /--loud=3/);
  });

  it('refuse flags of the C programs with advice, before other errors', async () => {
    await refuses(['-d', '--prot'], /^-d, --daemon: use nohup$/);
    await refuses(['--daemon'], /use nohup/);
  });

  it('stand in the help in their groups, with defaults and the examples at its end', () => {
    const command = buildCommand(SPECIFICATION, {}, () => {});
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    assert.match(help, /First:\n {2}-x, --item N,…[\s\S]*Second:\n {2}-p, --port PORT +A port \(default: 36524\)/);
    assert.match(help, / {6}--secret TEXT +A secret \(environment: TEST_SECRET\)/);
    assert.doesNotMatch(help, /daemon/);
    assert.match(help, /Examples:\n {2}One:\n {4}try -x 1\n$/);
  });
});
