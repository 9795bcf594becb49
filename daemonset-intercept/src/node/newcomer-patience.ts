/** For so long an owner that no grant names is asked to try again: the operator may have told the copy first. */
const PATIENCE_MS = 10_000;
/** After so long without a word it is new again. */
const FORGET_MS = 60_000;
const OWNERS_MAX = 1024;

/** Remembers who asked for what was never granted, so that a copy that comes too early is not sent away for good. Bounded. */
export class NewcomerPatience {
  readonly #asked = new Map<string, { readonly sinceMs: number; lastMs: number }>();

  /** Whether `key` should come again. */
  has(key: string, nowMs: number): boolean {
    const known = this.#asked.get(key);
    if (known !== undefined && nowMs - known.lastMs < FORGET_MS) {
      known.lastMs = nowMs;
      return nowMs - known.sinceMs < PATIENCE_MS;
    }
    if (known === undefined && this.#asked.size >= OWNERS_MAX) this.#asked.delete(this.#asked.keys().next().value!);
    this.#asked.set(key, { sinceMs: nowMs, lastMs: nowMs });
    return true;
  }

  /** It has a grant now. */
  forget(key: string): void {
    this.#asked.delete(key);
  }
}
