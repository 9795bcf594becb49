/** Reads what `iptables-save -t mangle` prints. */

/** A rule that some intercept installed. */
export interface OwnedRule {
  readonly instance: string;
  /** The line without its leading `-A `: chain and specification, as `-D` takes them. */
  readonly text: string;
  /** Of the NFQUEUE target; undefined for rules with another one. */
  readonly queueNumber: number | undefined;
}

export interface SavedRules {
  /** Whether the mangle table exists (nft makes it with the first rule). */
  readonly tableExists: boolean;
  /** Whether any rule is in it, ours or not. */
  readonly hasRules: boolean;
  readonly hasForeignRules: boolean;
  readonly owned: readonly OwnedRule[];
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
  let hasForeignRules = false;
  for (const line of text.split('\n')) {
    // With counters (-c) a line begins with them; we never ask for them.
    if (!line.startsWith('-A ')) continue;
    const instance = OWNER.exec(line)?.[1];
    const queues = [...line.matchAll(QUEUE)];
    if (instance !== undefined) {
      const queue = queues[0]?.[1];
      owned.push({ instance, text: line.slice(3), queueNumber: queue === undefined ? undefined : Number(queue) });
      continue;
    }
    hasForeignRules = true;
    for (const [, first, last] of queues) {
      for (let number = Number(first); number <= Number(last ?? first); number += 1) foreignQueues.add(number);
    }
    for (const [, mark] of line.matchAll(MARK)) foreignMarks.add(Number(mark));
  }
  const hasRules = hasForeignRules || owned.length > 0;
  return { tableExists: /^\*mangle$/m.test(text), hasRules, hasForeignRules, owned, foreignQueues, foreignMarks };
}

/** Queue numbers that somebody reads, from /proc/net/netfilter/nfnetlink_queue. */
export function parseBoundQueues(text: string): Set<number> {
  const numbers = text
    .split('\n')
    .map((line) => Number(line.trim().split(/\s+/)[0] || Number.NaN))
    .filter((number) => Number.isInteger(number));
  return new Set(numbers);
}
