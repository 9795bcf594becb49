/** Reports that may come at once, and each second. A program sends one a second, and one at each change of state. */
const REPORTS_BURST = 10;
const REPORTS_PER_SECOND = 5;
/** Octets: a report of the largest kind, and what many endpoints need. */
const BYTES_BURST = 2 * 1024 * 1024;
const BYTES_PER_SECOND = 512 * 1024;

/** How much of one peer's reports is read: a peer that floods us is read less, and costs nobody else anything. */
export class ReportBudget {
  #reports = REPORTS_BURST;
  #bytes = BYTES_BURST;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** Whether a report of so many octets may be read now. */
  take(bytes: number, nowMs: number): boolean {
    const elapsedS = Math.max(0, nowMs - this.#atMs) / 1000;
    this.#atMs = nowMs;
    this.#reports = Math.min(REPORTS_BURST, this.#reports + elapsedS * REPORTS_PER_SECOND);
    this.#bytes = Math.min(BYTES_BURST, this.#bytes + elapsedS * BYTES_PER_SECOND);
    if (this.#reports < 1 || this.#bytes < bytes) return false;
    this.#reports -= 1;
    this.#bytes -= bytes;
    return true;
  }
}
