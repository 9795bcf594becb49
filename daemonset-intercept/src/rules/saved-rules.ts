/** Reads what `iptables-save` prints. */

/** The tables in which rules of ours are. */
export const OWN_TABLES = ['mangle', 'raw'] as const;
export type OwnTable = (typeof OWN_TABLES)[number];

/** A rule that some intercept installed. */
export interface OwnedRule {
  readonly instance: string;
  readonly table: OwnTable;
  /** The line without its leading `-A `: chain and specification, as `-D` takes them. */
  readonly text: string;
  /** Of the NFQUEUE target; undefined for rules with another one. */
  readonly queueNumber: number | undefined;
}

export interface SavedRules {
  /** Which tables exist (nft makes them with the first rule). */
  readonly tables: ReadonlySet<string>;
  /** Whether there is any rule in any table, ours or not. */
  readonly hasRules: boolean;
  /** Tables with a rule of somebody else. */
  readonly foreignTables: ReadonlySet<string>;
  readonly owned: readonly OwnedRule[];
  /** Instances of which a rule of the mangle table stands behind a rule of somebody else in its chain. */
  readonly overtaken: ReadonlySet<string>;
  /** Queue numbers that rules of others name, `--queue-balance` ranges included. */
  readonly foreignQueues: ReadonlySet<number>;
  /** Marks (of the 16 slots) that rules of others set or compare. */
  readonly foreignMarks: ReadonlySet<number>;
}

const OWNER = /--comment "?trafficcopy:([A-Za-z0-9_.-]+)"?(?: |$)/;
const QUEUE = /--queue-(?:num|balance) (\d+)(?::(\d+))?/g;
const MARK = /(?:mark|xmark) (0x[0-9a-f]+)/g;

export function parseSavedRules(text: string): SavedRules {
  const owned: OwnedRule[] = [];
  const foreignQueues = new Set<number>();
  const foreignMarks = new Set<number>();
  const overtaken = new Set<string>();
  const foreignChains = new Set<string>();
  const tables = new Set<string>();
  const foreignTables = new Set<string>();
  let table = '';
  let hasRules = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('*')) {
      table = line.slice(1).trim();
      tables.add(table);
    }
    // With counters (-c) a line begins with them; we never ask for them.
    if (!line.startsWith('-A ')) continue;
    hasRules = true;
    const ownTable = OWN_TABLES.find((name) => name === table);
    const instance = ownTable === undefined ? undefined : OWNER.exec(line)?.[1];
    const queues = [...line.matchAll(QUEUE)];
    if (instance !== undefined && ownTable !== undefined) {
      const queue = queues[0]?.[1];
      const queueNumber = queue === undefined ? undefined : Number(queue);
      owned.push({ instance, table: ownTable, text: line.slice(3), queueNumber });
      if (ownTable === 'mangle' && foreignChains.has(chainOf(line))) overtaken.add(instance);
      continue;
    }
    foreignTables.add(table);
    if (table === 'mangle') foreignChains.add(chainOf(line));
    for (const [, first, last] of queues) {
      for (let number = Number(first); number <= Number(last ?? first); number += 1) foreignQueues.add(number);
    }
    for (const [, mark] of line.matchAll(MARK)) foreignMarks.add(Number(mark));
  }
  return { tables, hasRules, foreignTables, owned, overtaken, foreignQueues, foreignMarks };
}

function chainOf(line: string): string {
  return line.split(' ')[1] ?? '';
}

/** Queue numbers that somebody reads, from /proc/net/netfilter/nfnetlink_queue. */
export function parseBoundQueues(text: string): Set<number> {
  const numbers = text
    .split('\n')
    .map((line) => Number(line.trim().split(/\s+/)[0] || Number.NaN))
    .filter((number) => Number.isInteger(number));
  return new Set(numbers);
}
