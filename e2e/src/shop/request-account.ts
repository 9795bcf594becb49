/** How often each numbered request arrived, over all servers that counted it. */
export class RequestAccount {
  readonly #times: Uint8Array;

  constructor(counts: readonly Buffer[]) {
    this.#times = new Uint8Array(Math.max(0, ...counts.map((each) => each.length)));
    for (const each of counts) {
      for (let id = 0; id < each.length; id += 1) this.#times[id] = Math.min(255, this.#times[id]! + each[id]!);
    }
  }

  /** Of the requests from `start` up to, not with, `end`: how many arrived once, never, more often; and the first few bad ones. */
  between(start: number, end: number): { once: number; never: number; twice: number; examples: string[] } {
    const found = { once: 0, never: 0, twice: 0, examples: [] as string[] };
    for (let id = start; id < end; id += 1) {
      const times = this.#times[id] ?? 0;
      if (times === 1) found.once += 1;
      else if (times === 0) found.never += 1;
      else found.twice += 1;
      if (times !== 1 && found.examples.length < 8) found.examples.push(`${id}: ${times} times`);
    }
    return found;
  }
}
