/**
 * Makes commander commands from specifications. commander splits the words, finds unknown names and lays out the help;
 * values are read by the flag table, after all words were accepted, so that nothing happens for a wrong command line.
 */
import { Command, CommanderError, Option } from 'commander';
import { UsageError } from '../errors/usage-error.js';
import { VERSION } from '../process/version.js';
import type { CommandSpecification } from './command-specification.js';
import type { ConfigText, ConfigTexts } from './config/config-file.js';
import { nearNames } from './config/nearest-name.js';
import type { Flag, FlagTable, FlagValues, ListFlag, ValueFlag } from './flag.js';
import { ValueProblem } from './values/value-problem.js';

/** What commands were made from. */
const SPECIFICATIONS = new WeakMap<Command, CommandSpecification>();
const NO_CONFIG: ConfigTexts = new Map();
/** The help text is not laid out wider than this, columns. */
const HELP_WIDTH_MAX = 110;
const HELP_GROUP = 'Help:';

/**
 * The command of `specification`. `run` gets the values when it was called rightly.
 * The command throws UsageError from its `parse`; `-h` writes the help and throws a CommanderError with exit code 0.
 */
export function buildCommand<Table extends FlagTable>(
  specification: CommandSpecification<Table>,
  env: Readonly<Record<string, string | undefined>>,
  run: (values: FlagValues<Table>) => Promise<void> | void,
): Command {
  const command = new Command(specification.name)
    .summary(specification.summary)
    .description(specification.description)
    .usage('[flags]')
    .allowExcessArguments(false);
  SPECIFICATIONS.set(command, specification);
  configureCommand(command);
  command.exitOverride((error) => {
    throw missingValueError(specification, error) ?? error;
  });

  const options = new Map<string, Option>();
  for (const [name, flag] of flagsInOrder(specification)) {
    const option = new Option(optionSyntax(flag), flagDescription(flag)).helpGroup(`${flag.group}:`);
    if (flag.kind !== 'switch') {
      option.argParser((text: string, earlier: string[] | undefined) => [...(earlier ?? []), text]);
    }
    if (flag.kind === 'value' && flag.bareText !== undefined) option.preset(flag.bareText);
    options.set(name, option);
    command.addOption(option);
  }
  for (const refused of specification.refused) {
    const names = [`-${refused.short}`, ...(refused.long === undefined ? [] : [`--${refused.long}`])].join(', ');
    const option = new Option(refused.hasArgument ? `${names} <value>` : names).hideHelp();
    command.addOption(option);
    command.on(`option:${option.name()}`, () => {
      throw new UsageError(`${names}: ${refused.advice}`);
    });
  }
  addHelpFlags(command);
  const examples = specification.examples.map((example) => `  ${example.text}:\n    ${example.command}`);
  command.addHelpText('after', `\nExamples:\n${examples.join('\n\n')}`);
  command.action(async () => {
    const given = command.opts<Record<string, unknown>>();
    const ofLine = (name: string): unknown => given[options.get(name)!.attributeName()];
    const config = await configTexts(specification, ofLine);
    const values: Record<string, unknown> = {};
    for (const [name, flag] of Object.entries(specification.flags)) {
      values[name] = readFlag(flag, ofLine(name), { env, config: config.get(name) ?? [] });
    }
    await run(values as FlagValues<Table>);
  });
  return command;
}

/** Flags as they stand in the help, with their names in the table. */
export function flagsInOrder({ flags, groups }: CommandSpecification): [string, Flag][] {
  return Object.entries(flags).sort(([, a], [, b]) => groups.indexOf(a.group) - groups.indexOf(b.group));
}

/** What `command` was made from; undefined when it was not made by buildCommand. */
export function specificationOf(command: Command): CommandSpecification | undefined {
  return SPECIFICATIONS.get(command);
}

/** What counts for a flag that the command line does not give: first the environment, then the configuration file. */
interface OtherSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly config: readonly ConfigText[];
}

/** What the configuration files say; of what several say the last one counts. */
async function configTexts(
  specification: CommandSpecification,
  ofLine: (name: string) => unknown,
): Promise<ConfigTexts> {
  for (const [name, flag] of Object.entries(specification.flags)) {
    if (flag.kind !== 'value' || flag.isConfigFile !== true) continue;
    const files = (ofLine(name) as string[] | undefined) ?? [];
    if (files.length === 0) return NO_CONFIG;
    // The YAML parser is only loaded where there is a file to read.
    const { readConfigFile } = await import('./config/config-file.js');
    const all = files.map((file) => readConfigFile(String(readText(flag, flagName(flag), file)), specification));
    return new Map(all.flatMap((texts) => [...texts]));
  }
  return NO_CONFIG;
}

/** What the program itself and its commands have in common: the form of the help, -h and -v, errors as exceptions. */
export function configureCommand(command: Command): void {
  command.exitOverride().helpOption(false);
  command.configureOutput({
    // The caller reports errors itself, in one form.
    writeErr: () => {},
    getOutHelpWidth: () => Math.min(process.stdout.columns ?? 80, HELP_WIDTH_MAX),
  });
  command.configureHelp({
    optionTerm: alignedOptionTerm,
    optionDescription: (option) => option.description,
    subcommandTerm: (subcommand) => subcommand.name(),
  });
}

/** Adds -h and -v behind the command's own flags. */
export function addHelpFlags(command: Command): void {
  command.addOption(new Option('-h, --help', 'Print this text').helpGroup(HELP_GROUP));
  command.on('option:help', () => {
    command.outputHelp();
    throw new CommanderError(0, 'commander.help', '(help)');
  });
  command.addOption(new Option('-v, --version', 'Print the version').helpGroup(HELP_GROUP));
  command.on('option:version', () => {
    command.configureOutput().writeOut?.(`${VERSION}\n`);
    throw new CommanderError(0, 'commander.version', VERSION);
  });
}

/** The error that a user sees for one of commander's; undefined for those that are no errors (help, version). */
export function usageErrorOf(error: CommanderError): UsageError | undefined {
  if (error.exitCode === 0) return undefined;
  const [text = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const names = nearNames(/'(.*)'/.exec(text)?.[1] ?? '', suggestion);
  const meant = names.length > 1 ? `one of ${names.join(', ')}` : names[0];
  return new UsageError(meant === undefined ? text : `${text} (Did you mean ${meant}?)`, { cause: error });
}

export { CommanderError };

/** commander does not know what a flag expects. */
function missingValueError(specification: CommandSpecification, error: CommanderError): UsageError | undefined {
  if (error.code !== 'commander.optionMissingArgument') return undefined;
  const flag = Object.values(specification.flags).find((candidate) =>
    error.message.includes(`'${optionSyntax(candidate)}'`),
  );
  if (flag === undefined || flag.kind === 'switch') return undefined;
  return new UsageError(`${flagName(flag)}: its value is missing: expected ${flag.value.expected}`, { cause: error });
}

function optionSyntax(flag: Flag): string {
  const names = flag.short === undefined ? `--${flag.long}` : `-${flag.short}, --${flag.long}`;
  if (flag.kind === 'switch') return names;
  return hasBareForm(flag) ? `${names} [${flag.argument}]` : `${names} <${flag.argument}>`;
}

function hasBareForm(flag: Flag): boolean {
  return flag.kind === 'value' && flag.bareText !== undefined;
}

/** Its help with its default and its other names in brackets. */
export function flagDescription(flag: Flag): string {
  const notes: string[] = [];
  if (flag.kind === 'value' && flag.default !== undefined) notes.push(`default: ${flag.defaultNote ?? flag.default}`);
  else if (flag.kind !== 'switch' && flag.defaultNote !== undefined) notes.push(`default: ${flag.defaultNote}`);
  if (flag.kind === 'value' && flag.env !== undefined) notes.push(`environment: ${flag.env}`);
  if (flag.tcpcopyName !== undefined) notes.push(`tcpcopy: ${flag.tcpcopyName}`);
  return notes.length === 0 ? flag.help : `${flag.help} (${notes.join('; ')})`;
}

/** Long names stand under each other, whether a letter precedes them or not. */
function alignedOptionTerm(option: Option): string {
  const flags = option.flags.replace(/<(.*)>/, '$1');
  return option.short === undefined ? `    ${flags}` : flags;
}

function readFlag(flag: Flag, given: unknown, others: OtherSources): unknown {
  switch (flag.kind) {
    case 'switch':
      return others.config.length > 0 || given === !flag.long.startsWith('no-');
    case 'value':
      return readValue(flag, given as string[] | undefined, others);
    case 'list':
      return readList(flag, given as string[] | undefined, others.config);
  }
}

function readValue(
  flag: ValueFlag<unknown>,
  given: readonly string[] | undefined,
  { env, config }: OtherSources,
): unknown {
  const fromCommandLine = given?.at(-1);
  if (fromCommandLine !== undefined) return readText(flag, flagName(flag), fromCommandLine);
  const fromEnv = flag.env === undefined ? undefined : env[flag.env];
  if (fromEnv !== undefined && fromEnv !== '') return readText(flag, flag.env!, fromEnv);
  const fromFile = config.at(-1);
  if (fromFile !== undefined) return readText(flag, fromFile.place, fromFile.text);
  return flag.default === undefined ? undefined : readText(flag, flagName(flag), flag.default);
}

/** A list of the command line takes the place of the file's, it does not add to it. */
function readList(
  flag: ListFlag<unknown>,
  given: readonly string[] | undefined,
  config: readonly ConfigText[],
): unknown[] {
  const source = given?.map((text) => ({ text, place: flagName(flag) })) ?? config;
  const texts = source.flatMap(({ text, place }) => text.split(',').map((item) => ({ text: item, place })));
  if (texts.length === 0 && flag.isRequired === true) {
    throw new UsageError(`${flagName(flag)} ${flag.argument} is missing: expected ${flag.value.expected}`);
  }
  if (texts.length > flag.itemsMax) {
    throw new UsageError(`${flagName(flag)}: ${texts.length} items are too many: at most ${flag.itemsMax}`);
  }
  return texts.map(({ text, place }) => readText(flag, place, text));
}

function readText(flag: ValueFlag<unknown> | ListFlag<unknown>, name: string, text: string): unknown {
  try {
    return flag.value.parse(text);
  } catch (error) {
    if (!(error instanceof ValueProblem)) throw error;
    const reason = error.message === '' ? '' : ` (${error.message})`;
    const shown = flag.kind === 'value' && flag.isSecret === true ? 'the value' : `"${text}"`;
    throw new UsageError(`${name}: ${shown} does not fit${reason}: expected ${flag.value.expected}`, { cause: error });
  }
}

/** As messages call it: "-x/--map". */
function flagName(flag: Flag): string {
  return flag.short === undefined ? `--${flag.long}` : `-${flag.short}/--${flag.long}`;
}
