import type { FlagTable, RefusedFlag } from './flag.js';

/** One command of the program: everything that its parsing, its `--help` and its manual page are made from. */
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
  /** Whole command lines with what they do. */
  readonly examples: readonly { readonly text: string; readonly command: string }[];
}
