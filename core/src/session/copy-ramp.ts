/**
 * Load that is raised over time (-g). After a share `p` of the time each connection has `p x copies` copies on average: first none and
 * one, at the end `copies`. Connections have places from 0 to 1, by the hash that -r chooses by; with the load factor f those below
 * its fraction have one copy more than the others. So the load grows by one copy of one connection after the other, never falls, and
 * who has a copy once is due one from then on.
 */
export class CopyRamp {
  readonly #beginMs: number;
  readonly #durationMs: number;

  /** @param durationMs 1 or more */
  constructor(beginMs: number, durationMs: number) {
    this.#beginMs = beginMs;
    this.#durationMs = durationMs;
  }

  /** How much of the time has passed, 0 to 1. */
  progress(nowMs: number): number {
    return Math.min(Math.max((nowMs - this.#beginMs) / this.#durationMs, 0), 1);
  }

  /** Of `copies`, those that are due by now for a connection at `place`, from 0 up to but not including 1. */
  copiesDue(place: number, copies: number, nowMs: number): number {
    return Math.max(0, Math.ceil(copies * this.progress(nowMs) - place));
  }
}
