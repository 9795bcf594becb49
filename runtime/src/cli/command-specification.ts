import type { ConfigText } from './config/config-file.js';
import type { ConfigNode } from './config/config-node.js';
import type { FlagTable, RefusedFlag } from './flag.js';

/** A key of configuration files that says in one structure what several flags say. */
export interface ConfigStructure {
  readonly key: string;
  /** One line for the reference of keys. */
  readonly help: string;
  /** The texts for flags, by their names in the table. @throws UsageError */
  read(node: ConfigNode): Readonly<Record<string, readonly ConfigText[]>>;
}

/** One command of the program: everything that its parsing, its `--help`, its manual page and its completions are made from. */
export interface CommandSpecification<Table extends FlagTable = FlagTable> {
  /** As it is typed: "copy". */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** One paragraph at the head of its own help. */
  readonly description: string;
  /** The order in which the groups of flags stand in the help. */
  readonly groups: readonly string[];
  readonly flags: Table;
  readonly refused: readonly RefusedFlag[];
  readonly structures?: readonly ConfigStructure[];
  /** Whole command lines with what they do. */
  readonly examples: readonly { readonly text: string; readonly command: string }[];
}
