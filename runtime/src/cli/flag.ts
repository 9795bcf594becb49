/**
 * Flag tables: the one description of a command's flags. Parsing, `--help`, the configuration file, the manual page and shell
 * completions are made from it.
 */
import type { ValueType } from './values/value-type.js';

interface FlagText {
  /** One letter, without the dash. */
  readonly short?: string;
  /** Without the dashes. */
  readonly long: string;
  /** The heading in `--help` under which it stands. */
  readonly group: string;
  /** One or two short sentences, without a final full stop; the default is added. */
  readonly help: string;
  /** What users of the C tcpcopy or intercept know it as, where that is not the same letter. */
  readonly tcpcopyName?: string;
  /** What TrafficCopy.spec calls the same thing ("limits.memory"): a key of configuration files beside the long name. */
  readonly specName?: string;
  /** A configuration file must not have it. */
  readonly isLineOnly?: boolean;
}

/** True when given. `--no-…` names are true when given as well. */
export interface SwitchFlag extends FlagText {
  readonly kind: 'switch';
}

/** Takes one value; the last one given counts. */
export interface ValueFlag<T> extends FlagText {
  readonly kind: 'value';
  /** The name of the value in `--help`: "PORT". */
  readonly argument: string;
  readonly value: ValueType<T>;
  /** The text that counts when the flag is not given, read like a given one. Absent: the value is undefined. */
  readonly default?: string;
  /** The text that counts when the flag is given without a value. Absent: it must have one. */
  readonly bareText?: string;
  /** What `--help` says of a default that is not a fixed text. */
  readonly defaultNote?: string;
  /** An environment variable that counts when the flag is not given (for secrets, which other users see in `ps`). */
  readonly env?: string;
  /** The value is not repeated in messages, and not read from a file that everybody can read. */
  readonly isSecret?: boolean;
  /**
   * The value is a configuration file: it counts for flags that are given neither on the command line nor by the environment. It may be repeated: of
   * what several files say the last one counts.
   */
  readonly isConfigFile?: boolean;
}

/** Takes a comma-separated list, and may be repeated; the items add up. */
export interface ListFlag<T> extends FlagText {
  readonly kind: 'list';
  readonly argument: string;
  /** Reads one item. */
  readonly value: ValueType<T>;
  readonly defaultNote?: string;
  /** Must be given. */
  readonly isRequired?: boolean;
  /** Items at most, over all repetitions. */
  readonly itemsMax: number;
}

/** A flag of the C programs that is not built here: it is refused with advice. Not in `--help`. */
export interface RefusedFlag {
  readonly short: string;
  readonly long?: string;
  /** Whether a value follows it in the C programs. */
  readonly hasArgument: boolean;
  /** What to do instead, one sentence. */
  readonly advice: string;
}

// biome-ignore lint/suspicious/noExplicitAny: a table holds flags of every value type; FlagValues gives each its own back.
export type Flag<T = any> = SwitchFlag | ValueFlag<T> | ListFlag<T>;

/** Flags by the name that the program gives their values. */
export type FlagTable = Readonly<Record<string, Flag>>;

/** What a parsed command line gives for each flag of a table. */
export type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { kind: 'switch' }
    ? boolean
    : Table[Name] extends { kind: 'list'; value: ValueType<infer T> }
      ? readonly T[]
      : Table[Name] extends { kind: 'value'; value: ValueType<infer T> }
        ? Table[Name] extends { default: string }
          ? T
          : T | undefined
        : never;
};
