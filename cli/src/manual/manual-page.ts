/** Manual pages in man(7), from the same tables as the help. */
import { configFlags, configKey, type Flag, VERSION } from '@trafficcopy/runtime';
import { allOutlines, type CommandOutline, type FlagOutline } from '../command-outline.js';

const LINE_LENGTH_MAX = 79;

/** The page of a command is called so: "trafficcopy-doctor-copy". */
export function pageName({ path }: CommandOutline): string {
  return path === '' ? 'trafficcopy' : `trafficcopy-${path.replaceAll(' ', '-')}`;
}

/** What has a page: all but "help" and "version". */
export function withPages(root: CommandOutline): CommandOutline[] {
  return allOutlines(root).filter((one) => one === root || one.specification !== undefined);
}

/** @param date of the page: "2026-11-28" */
export function manualPage(outline: CommandOutline, root: CommandOutline, date: string): string {
  const { specification } = outline;
  const sections = [
    section('SYNOPSIS', synopsis(outline)),
    section('DESCRIPTION', [paragraph(outline.description)]),
    section(
      'COMMANDS',
      outline.children.flatMap((child) => term(bold(lastWord(child)), sentence(child.summary))),
    ),
    section('OPTIONS', options(outline.flags)),
    section('CONFIGURATION FILE', configuration(outline)),
    section('ENVIRONMENT', environment(Object.values(specification?.flags ?? {}))),
    section('EXIT STATUS', [
      ...term(bold('0'), 'It did what it was told, or ended in order.'),
      ...term(bold('1'), 'It could not start, or failed.'),
      ...term(bold('2'), 'Wrong use: nothing was touched.'),
    ]),
    // Without the paragraph that only parts an example from the next.
    section(
      'EXAMPLES',
      (specification?.examples ?? []).flatMap(({ text, command }) => example(text, command)).slice(0, -1),
    ),
    section('SEE ALSO', [seeAlso(outline, root)]),
  ];
  const head = `.TH ${escaped(pageName(outline).toUpperCase())} 1 "${date}" "TrafficCopy ${VERSION}" "TrafficCopy"`;
  const name = `.SH NAME\n${escaped(pageName(outline))} \\- ${escaped(outline.summary)}`;
  return `${[head, name, ...sections.filter((text) => text !== '')].join('\n')}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `.SH ${title}\n${lines.join('\n')}`;
}

function synopsis({ path, usage }: CommandOutline): string[] {
  return [`${bold(`trafficcopy${path === '' ? '' : ` ${path}`}`)} ${escaped(usage)}`];
}

function options(flags: readonly FlagOutline[]): string[] {
  const lines: string[] = [];
  let group = '';
  for (const flag of flags) {
    if (flag.group !== group) lines.push(`.SS ${escaped(flag.group)}`);
    group = flag.group;
    const names = [...(flag.short === undefined ? [] : [`-${flag.short}`]), `--${flag.long}`].map(bold).join(', ');
    lines.push(...term(`${names}${argumentOf(flag)}`, sentence(flag.help)));
  }
  return lines;
}

function argumentOf({ argument, mayBeBare }: FlagOutline): string {
  if (argument === undefined) return '';
  return mayBeBare ? ` [${italic(argument)}]` : ` ${italic(argument)}`;
}

function configuration({ specification }: CommandOutline): string[] {
  if (specification === undefined) return [];
  const isRead = Object.values(specification.flags).some((flag) => flag.kind === 'value' && flag.isConfigFile === true);
  if (!isRead) return [];
  const flags = configFlags(specification).map(([, flag]) => flag);
  const renamed = flags.filter(({ specName }) => specName !== undefined);
  return [
    paragraph(
      'A file of --config is a YAML map. Its keys are long names of flags, as they are (log-file) or in camel case (logFile), and its values what stands behind the flags; ' +
        'a flag without value takes true. What a comma separates may be a list. The command line wins over the environment, that over the file, and that over the default. ' +
        'Unknown keys are refused. These are keys as well, as in TrafficCopy.spec:',
    ),
    ...(specification.structures ?? []).flatMap(({ key, help }) => term(bold(key), sentence(help))),
    ...renamed.flatMap((flag) => term(bold(flag.specName!), `The same as ${configKey(flag)} (--${flag.long}).`)),
  ];
}

function environment(flags: readonly Flag[]): string[] {
  return flags.flatMap((flag) => {
    if (flag.kind !== 'value' || flag.env === undefined) return [];
    return term(bold(flag.env), `Counts when --${flag.long} is not given.`);
  });
}

function example(text: string, command: string): string[] {
  return [paragraph(`${text}:`), '.PP', '.RS 4', '.nf', escaped(command), '.fi', '.RE', '.PP'];
}

function seeAlso(outline: CommandOutline, root: CommandOutline): string {
  const others = withPages(root).filter((one) => one !== outline);
  return others.map((one) => `${bold(pageName(one))}(1)`).join(', ');
}

function lastWord({ path }: CommandOutline): string {
  return path.slice(path.lastIndexOf(' ') + 1);
}

function term(head: string, text: string): string[] {
  return ['.TP', head, paragraph(text)];
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`;
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escaped(text)}\\fR`;
}

/** Running text, in lines that roff joins again. */
function paragraph(text: string): string {
  const lines = [''];
  for (const word of text.split(/\s+/).map(escaped)) {
    const last = lines.at(-1)!;
    if (last === '') lines[lines.length - 1] = word;
    else if (last.length + 1 + word.length <= LINE_LENGTH_MAX) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n');
}

/** Text as roff takes it for itself: no escapes, no requests, hyphens that can be copied, and other characters by their number. */
function escaped(text: string): string {
  const inner = text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replace(
      /[^\n\x20-\x7e]/gu,
      (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
  return inner.replace(/^(?=[.'])/gm, '\\&');
}
