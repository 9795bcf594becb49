/** The first restart comes after so long; each further one after twice as long. */
const DELAY_MS_MIN = 250;
const DELAY_MS_MAX = 15_000;
/** A worker that lived so long died of something new. */
const STABLE_MS = 30_000;
/** So many deaths in a row: trying again does not help. */
const DEATHS_MAX = 8;

/** When a worker that died is started again: soon, then ever later, and at last not any more. */
export class RestartPolicy {
  #deaths = 0;

  /** It died after `livedMs`. How long to wait, or undefined: give it up. */
  died(livedMs: number): number | undefined {
    if (livedMs >= STABLE_MS) this.#deaths = 0;
    this.#deaths += 1;
    if (this.#deaths >= DEATHS_MAX) return undefined;
    return Math.min(DELAY_MS_MIN * 2 ** (this.#deaths - 1), DELAY_MS_MAX);
  }

  /** Deaths in a row so far. */
  get deaths(): number {
    return this.#deaths;
  }
}
