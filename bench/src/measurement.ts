/** What one round of one contender and workload gave. */
export interface Round {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Requests that the target did not log, negative when it logged too many. */
  readonly missing: number;
  readonly copyUs: number;
  /** Of `copyUs`, time in the kernel. */
  readonly copySystemUs: number;
  readonly interceptUs: number;
  readonly onlineUs: number;
  readonly targetUs: number;
}

/** The same with the client's latency, at a fixed rate, with copying off and on in one run. */
export interface LatencyRound {
  readonly p50OffUs: number;
  readonly p50OnUs: number;
  readonly p99OffUs: number;
  readonly p99OnUs: number;
}

/** The median of each field. */
export function medians<T extends object>(rounds: readonly T[]): T {
  const [first] = rounds;
  if (first === undefined) throw new RangeError('no rounds');
  const keys = Object.keys(first) as (keyof T)[];
  return Object.fromEntries(keys.map((key) => [key, median(rounds.map((round) => round[key] as number))])) as T;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
