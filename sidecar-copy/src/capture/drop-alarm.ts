/** A quiet time after which drops are a new burst, ms. */
const BURST_GAP_MS = 10_000;

/** Decides when dropped packets are worth a log line: once for each burst, and once when it is over. */
export class DropAlarm {
  private dropsSeen: number;
  private burstStartDrops = 0;
  private lastDropMs = Number.NEGATIVE_INFINITY;
  private inBurst = false;

  /** @param drops cumulative drops that are known already */
  constructor(drops = 0) {
    this.dropsSeen = drops;
  }

  /** Call it every second or so. Says what happened, with the packets dropped in the burst so far. */
  check(nowMs: number, drops: number): { readonly event: 'none' | 'begins' | 'ends'; readonly packets: number } {
    const isDropping = drops > this.dropsSeen;
    if (isDropping && !this.inBurst) this.burstStartDrops = this.dropsSeen;
    const event = this.next(nowMs, isDropping);
    this.dropsSeen = drops;
    return { event, packets: drops - this.burstStartDrops };
  }

  private next(nowMs: number, isDropping: boolean): 'none' | 'begins' | 'ends' {
    if (isDropping) {
      this.lastDropMs = nowMs;
      if (this.inBurst) return 'none';
      this.inBurst = true;
      return 'begins';
    }
    if (!this.inBurst || nowMs - this.lastDropMs < BURST_GAP_MS) return 'none';
    this.inBurst = false;
    return 'ends';
  }
}
