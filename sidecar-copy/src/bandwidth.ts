const MS_PER_SECOND = 1000;

/**
 * A token bucket that holds a second's worth of octets. What is sent is never held back, it is replayed as clients sent it: the bucket may go
 * below empty, and as long as it is there no new session should begin.
 */
export class Bandwidth {
  private bytesPerSecondMax = 0;
  private bytesLeft = 0;
  private atMs: number;

  constructor(nowMs: number) {
    this.atMs = nowMs;
  }

  /** @param bytesPerSecondMax 0: no limit */
  setLimit(bytesPerSecondMax: number, nowMs: number): void {
    if (bytesPerSecondMax === this.bytesPerSecondMax) return;
    const wasLimited = this.bytesPerSecondMax > 0;
    this.fill(nowMs);
    this.bytesPerSecondMax = bytesPerSecondMax;
    this.bytesLeft = wasLimited ? Math.min(this.bytesLeft, bytesPerSecondMax) : bytesPerSecondMax;
  }

  take(bytes: number, nowMs: number): void {
    if (this.bytesPerSecondMax === 0) return;
    this.fill(nowMs);
    this.bytesLeft -= bytes;
  }

  /** How long no session should begin, ms; 0: they may. */
  waitMs(nowMs: number): number {
    if (this.bytesPerSecondMax === 0) return 0;
    this.fill(nowMs);
    return this.bytesLeft >= 0 ? 0 : Math.ceil((-this.bytesLeft * MS_PER_SECOND) / this.bytesPerSecondMax);
  }

  private fill(nowMs: number): void {
    const filled = this.bytesLeft + ((nowMs - this.atMs) * this.bytesPerSecondMax) / MS_PER_SECOND;
    this.bytesLeft = Math.min(filled, this.bytesPerSecondMax);
    this.atMs = nowMs;
  }
}
