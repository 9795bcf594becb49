/**
 * Configuration files: YAML with a command's flags as keys. What a key says is read as the flag's own text, so a value means the same in
 * both places and is refused in the same words. A key is the flag's long name, as it is (`max-held`) or in camel case (`maxHeld`), or what
 * TrafficCopy.spec calls the thing (`limits.memory`), with the spec's way to write it.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { Lexer, LineCounter, type Node, Parser, parseDocument, type YAMLError } from 'yaml';
import { UsageError } from '../../errors/usage-error.js';
import { readAtMost } from '../../process/read-at-most.js';
import type { CommandSpecification } from '../command-specification.js';
import type { Flag } from '../flag.js';
import { configFlags, configKey } from './config-key.js';
import { ConfigNode } from './config-node.js';
import { unknownNameText } from './nearest-name.js';

const CONFIG_BYTES_MAX = 1024 * 1024;
/** Levels of lists and maps: the parser behind would have no stack for thousands of them. */
const DEPTH_MAX = 64;
/** How long a pipe may bring nothing. */
const QUIET_MS_MAX = 30_000;

/** What a file says of one flag. */
export interface ConfigText {
  readonly text: string;
  /** "FILE:LINE: KEY" */
  readonly place: string;
}

/** By the names of the flag table; a switch that is on has one empty text. Flags that the file does not name are not in it. */
export type ConfigTexts = ReadonlyMap<string, readonly ConfigText[]>;

/** @throws UsageError naming file, line and key */
export function readConfigFile(
  file: string,
  specification: CommandSpecification,
  quietMsMax: number = QUIET_MS_MAX,
): ConfigTexts {
  const { text, mode } = readWhole(file, '--config', quietMsMax);
  if ((mode & 0o002) !== 0) {
    throw new UsageError(`--config: ${file} can be changed by every user of this host: chmod o-w ${file}`);
  }
  const { texts, secretPlace } = readConfigText(text, file, specification);
  if (secretPlace !== undefined && (mode & 0o004) !== 0) {
    throw new UsageError(
      `${secretPlace}: a secret in a file that every user of this host can read: chmod o-rwx ${file}`,
    );
  }
  return texts;
}

/**
 * What the text of `file` says. Pure.
 *
 * @returns also where the first secret stands
 * @throws UsageError naming file, line and key
 */
export function readConfigText(
  text: string,
  file: string,
  specification: CommandSpecification,
): { readonly texts: ConfigTexts; readonly secretPlace: string | undefined } {
  const reader = new ConfigReader(specification);
  const root = parseYaml(file, text);
  if (!root.isEmpty) reader.readMap(root);
  return { texts: reader.texts, secretPlace: reader.secretPlace };
}

/**
 * The whole of a YAML file that holds secrets: nobody but its owner may read or change it. `flag` names it in messages.
 *
 * @throws UsageError
 */
export function readSecretFile(file: string, flag: string): ConfigNode {
  const { text, mode } = readWhole(file, flag, QUIET_MS_MAX);
  if ((mode & 0o077) !== 0) {
    throw new UsageError(
      `${flag}: ${file} holds secrets, and others than its owner can read or change it: chmod 600 ${file}`,
    );
  }
  return readSecretText(text, file);
}

/**
 * The same of a text that is in memory already. `place` names it in messages, which show nothing of what cannot be parsed.
 *
 * @throws UsageError
 */
export function readSecretText(text: string, place: string): ConfigNode {
  return parseYaml(place, text, (fault) => fault.code);
}

function parseYaml(file: string, text: string, tell = ({ message }: YAMLError): string => message): ConfigNode {
  checkDepth(file, text);
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const what = fault.code === 'MULTIPLE_DOCS' ? 'expected one document, without "---" in its midst' : tell(fault);
    throw new UsageError(`${file}:${lines.linePos(fault.pos[0]).line}: no YAML that is read here: ${what}`);
  }
  return new ConfigNode({ file, lines }, '', document.contents as Node | null, 0);
}

/** The first half of the parser keeps its levels in a list. */
function checkDepth(file: string, text: string): void {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) {
      // Only how deep it is counts.
    }
    if (parser.stack.length <= DEPTH_MAX) continue;
    const line = text.slice(0, parser.offset).split('\n').length;
    throw new UsageError(
      `${file}:${line}: lists and maps within each other, more than ${DEPTH_MAX} deep: no configuration of ours is`,
    );
  }
}

function readWhole(file: string, flag: string, quietMsMax: number): { readonly text: string; readonly mode: number } {
  try {
    // A pipe that nobody writes into could not be opened otherwise.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const { mode } = fstatSync(descriptor);
      const text = readAtMost(descriptor, CONFIG_BYTES_MAX, quietMsMax);
      if (text !== undefined) return { text, mode };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ETIMEDOUT') {
      throw new UsageError(
        `${flag}: nothing came from ${file} for ${quietMsMax / 1000} s: expected a YAML file, or a pipe that something writes one into and closes`,
        { cause: error },
      );
    }
    throw new UsageError(`${flag}: cannot read ${file} (${code}): expected a YAML file`, { cause: error });
  }
  throw new UsageError(`${flag}: ${file} is larger than ${CONFIG_BYTES_MAX} octets: no configuration of ours is`);
}

class ConfigReader {
  readonly texts = new Map<string, ConfigText[]>();
  /** Where the first secret stands. */
  secretPlace: string | undefined;
  readonly #specification: CommandSpecification;
  readonly #flags: readonly [string, Flag][];
  readonly #setBy = new Map<string, string>();

  constructor(specification: CommandSpecification) {
    this.#specification = specification;
    this.#flags = configFlags(specification);
  }

  readMap(map: ConfigNode): void {
    for (const { node } of map.entries()) this.#readKey(node);
  }

  #readKey(node: ConfigNode): void {
    const { path } = node;
    const structure = this.#specification.structures?.find(({ key }) => key === path);
    if (structure !== undefined) {
      for (const [name, texts] of Object.entries(structure.read(node))) this.#set(name, texts, node);
      return;
    }
    if (node.isMap && this.#specNames().some((name) => name.startsWith(`${path}.`))) {
      this.readMap(node);
      return;
    }
    const found = this.#flags.find(
      ([, flag]) => flag.specName === path || flag.long === path || configKey(flag) === path,
    );
    if (found === undefined) throw this.#unknown(node);
    const [name, flag] = found;
    this.#set(name, flagTexts(flag, node), node);
    if (flag.kind === 'value' && flag.isSecret === true) this.secretPlace ??= node.place;
  }

  #set(name: string, texts: readonly ConfigText[], node: ConfigNode): void {
    const earlier = this.#setBy.get(name);
    if (earlier !== undefined)
      throw node.problem(`says the same as ${earlier}, which stands in the file too: expected one of them`);
    this.#setBy.set(name, node.path);
    this.texts.set(name, [...texts]);
  }

  #unknown(node: ConfigNode): UsageError {
    const { path } = node;
    const refused = this.#specification.refused.find(({ long }) => long === path);
    if (refused !== undefined) return node.problem(refused.advice);
    const isLineOnly = Object.values(this.#specification.flags).find(
      (flag) => flag.long === path || configKey(flag) === path,
    );
    if (isLineOnly !== undefined) return node.problem(`--${isLineOnly.long} is for the command line only`);
    const names = [
      ...this.#flags.map(([, flag]) => configKey(flag)),
      ...this.#flags.map(([, flag]) => flag.long),
      ...this.#specNames(),
      ...this.#specNames().map((name) => name.replace(/\..*/, '')),
      ...(this.#specification.structures ?? []).map(({ key }) => key),
    ];
    return node.problem(unknownNameText('unknown key', path, names));
  }

  #specNames(): string[] {
    return this.#flags.flatMap(([, { specName }]) => specName ?? []);
  }
}

function flagTexts(flag: Flag, node: ConfigNode): ConfigText[] {
  if (flag.kind === 'switch') return node.boolean() ? [{ text: '', place: node.place }] : [];
  if (flag.kind === 'value' && flag.bareText !== undefined && node.isBoolean) {
    return node.boolean() ? [{ text: flag.bareText, place: node.place }] : [];
  }
  const { value } = flag;
  const nodes = flag.kind === 'list' ? node.items() : [node];
  return nodes.map((one) => {
    const text = one.text(value.expected);
    // The words of TrafficCopy.spec begin with a capital: Tunnel, Client.
    const word = `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
    const isWord = flag.specName !== undefined && Array.isArray(value.completes) && value.completes.includes(word);
    return { text: isWord ? word : text, place: one.place };
  });
}
