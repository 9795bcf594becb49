/** Samples that are kept; beyond them the lag is reported as at least the age of the oldest. */
const SAMPLES_MAX = 4096;

/**
 * How far the targets are behind the clients: the age of the moment when as many turns had been captured as are finished
 * (delivered or lost) by now. One session that stands still hardly moves it; a backlog of all does.
 */
export class TurnLag {
  private readonly atMs = new Float64Array(SAMPLES_MAX);
  private readonly captured = new Float64Array(SAMPLES_MAX);
  private first = 0;
  private count = 0;

  /** Takes a sample (call it at regular intervals) and returns the lag in milliseconds. */
  sample(nowMs: number, turnsCaptured: number, turnsFinished: number): number {
    if (this.count === SAMPLES_MAX) this.drop();
    const slot = (this.first + this.count) % SAMPLES_MAX;
    this.atMs[slot] = nowMs;
    this.captured[slot] = turnsCaptured;
    this.count += 1;
    while (this.count > 1 && this.capturedAt(1) <= turnsFinished) this.drop();
    if (turnsFinished >= turnsCaptured) return 0;
    return nowMs - this.capturedAtMs(turnsFinished);
  }

  /** When `turns` had been captured: between the first two samples as if captures were spread evenly. */
  private capturedAtMs(turns: number): number {
    const startMs = this.atMs[this.first]!;
    const start = this.capturedAt(0);
    if (this.count === 1 || turns <= start) return startMs;
    const endMs = this.atMs[(this.first + 1) % SAMPLES_MAX]!;
    return startMs + ((endMs - startMs) * (turns - start)) / (this.capturedAt(1) - start);
  }

  private capturedAt(index: number): number {
    return this.captured[(this.first + index) % SAMPLES_MAX]!;
  }

  private drop(): void {
    this.first = (this.first + 1) % SAMPLES_MAX;
    this.count -= 1;
  }
}
