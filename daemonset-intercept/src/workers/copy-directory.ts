/**
 * Which worker has which copy. A connection of a copy is handed to a worker before it has said who it is, and what the worker holds for a
 * copy cannot move: sockets at the target carry the worker's mark. So a copy that comes back has to come to the worker that waits for it.
 *
 * | a connection comes from | it goes to |
 * |---|---|
 * | a host of which a copy was sent away from another worker | the worker that it was sent to |
 * | a host of which copies are waited for | the worker that waits longest, each of them in turn |
 * | any other | the running worker with the fewest copies |
 *
 * The first two are guesses: several copies may be on one host. A worker that meets a copy of another one sends it away, and it comes again.
 */

/** Copies that are remembered; when one more comes, the oldest that is not connected goes. */
const COPIES_MAX = 1024;

interface Entry {
  readonly key: string;
  /** What it has in common with the other workers of its program. */
  readonly program: string;
  worker: number;
  /** Where its connections come from, without the port. */
  host: string;
  /** When it is forgotten; Infinity while it is connected. */
  endsMs: number;
  /** It was sent away, to come to its worker. */
  isExpected: boolean;
}

export class CopyDirectory {
  readonly #workers: number;
  /** How long a worker waits for a copy that is gone, ms. */
  readonly #graceMs: number;
  /** Those that wait longest come first. */
  readonly #entries = new Map<string, Entry>();
  #nextWorker = 0;

  constructor(workers: number, graceMs: number) {
    this.#workers = workers;
    this.#graceMs = graceMs;
  }

  /** Connections of copies. */
  get up(): number {
    return this.#copiesOf(undefined);
  }

  /** Copies that are connected; one whose workers are is one. */
  get copies(): number {
    const connected = [...this.#entries.values()].filter(({ endsMs }) => endsMs === Number.POSITIVE_INFINITY);
    return new Set(connected.map(({ program }) => program)).size;
  }

  /** The worker for a connection from `host`; undefined when its worker does not run just now: the copy comes again. */
  workerFor(host: string, nowMs: number, isRunning: (worker: number) => boolean): number | undefined {
    this.#forget(nowMs);
    const from = [...this.#entries.values()].filter((entry) => entry.host === host);
    const entry = from.find(({ isExpected }) => isExpected) ?? from.find(({ endsMs }) => Number.isFinite(endsMs));
    if (entry === undefined) return this.#freest(isRunning);
    if (!isRunning(entry.worker)) return undefined;
    // Another connection from there is another copy's turn.
    entry.isExpected = false;
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
    return entry.worker;
  }

  /** The workers of the copies that were seen at `host`, by key. */
  seenAt(host: string): Record<string, number> {
    const entries = [...this.#entries.values()].filter((entry) => entry.host === host);
    return Object.fromEntries(entries.map(({ key, worker }) => [key, worker]));
  }

  /** A worker has let a copy in. */
  connected(key: string, host: string, worker: number, program = key): void {
    this.#put({ key, program, host, worker, endsMs: Number.POSITIVE_INFINITY, isExpected: false });
  }

  /** Its connection ended: the worker waits for it. */
  disconnected(key: string, worker: number, nowMs: number): void {
    const entry = this.#entries.get(key);
    if (entry?.worker === worker) this.#put({ ...entry, endsMs: nowMs + this.#graceMs });
  }

  /** A worker has sent a copy away, to `worker`. */
  sentAway(key: string, host: string, worker: number, nowMs: number): void {
    const known = this.#entries.get(key);
    const endsMs = known?.endsMs ?? nowMs + this.#graceMs;
    this.#put({ key, program: known?.program ?? key, host, worker, endsMs, isExpected: true });
  }

  /** All of its copies come back, and what they had at the target waits for them there. */
  workerDied(worker: number, nowMs: number): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.worker === worker && entry.endsMs === Number.POSITIVE_INFINITY)
        this.disconnected(entry.key, worker, nowMs);
    }
  }

  #put(entry: Entry): void {
    this.#entries.delete(entry.key);
    if (this.#entries.size >= COPIES_MAX) {
      const gone = [...this.#entries.values()].find(({ endsMs }) => Number.isFinite(endsMs));
      if (gone !== undefined) this.#entries.delete(gone.key);
    }
    this.#entries.set(entry.key, entry);
  }

  #forget(nowMs: number): void {
    for (const { key, endsMs } of [...this.#entries.values()]) if (endsMs <= nowMs) this.#entries.delete(key);
  }

  #freest(isRunning: (worker: number) => boolean): number | undefined {
    let best: number | undefined;
    let fewest = Number.POSITIVE_INFINITY;
    for (let step = 0; step < this.#workers; step += 1) {
      const worker = (this.#nextWorker + step) % this.#workers;
      const copies = this.#copiesOf(worker);
      if (copies >= fewest || !isRunning(worker)) continue;
      best = worker;
      fewest = copies;
    }
    if (best !== undefined) this.#nextWorker = (best + 1) % this.#workers;
    return best;
  }

  #copiesOf(worker: number | undefined): number {
    let copies = 0;
    for (const entry of this.#entries.values()) {
      if (entry.endsMs === Number.POSITIVE_INFINITY && (worker ?? entry.worker) === entry.worker) copies += 1;
    }
    return copies;
  }
}
