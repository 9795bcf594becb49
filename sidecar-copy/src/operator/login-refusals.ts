/** A session that a target does not let in tries again after a minute: what was not heard for longer is over. */
const OVER_MS = 150_000;
const PROBLEMS_MAX = 3;

interface Refusal {
  readonly count: number;
  readonly atMs: number;
}

/** Which of the reasons why targets let sessions not in still hold. */
export class LoginRefusals {
  readonly #refusals = new Map<string, Refusal>();

  /** @param counts how often each reason was met since the start */
  note(counts: ReadonlyMap<string, number>, nowMs: number): void {
    for (const [problem, count] of counts) {
      if (this.#refusals.get(problem)?.count !== count) this.#refusals.set(problem, { count, atMs: nowMs });
    }
  }

  /** Other credentials are in force: what was met so far says nothing about them. */
  forget(): void {
    for (const [problem, { count }] of this.#refusals) {
      this.#refusals.set(problem, { count, atMs: Number.NEGATIVE_INFINITY });
    }
  }

  /** For people, the first ones. */
  problems(nowMs: number): string[] {
    return [...this.#refusals]
      .filter(([, { atMs }]) => nowMs - atMs < OVER_MS)
      .slice(0, PROBLEMS_MAX)
      .map(([problem]) => `sessions are not let in at a target: ${problem}`);
  }
}
