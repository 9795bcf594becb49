/** What became of the datagrams of one copy since it was told last. */
export class DatagramTally {
  /** The target's kernel has them. */
  injected = 0;
  /** Not served here, or not to be played. */
  refused = 0;
  /** The kernel did not take them. */
  failed = 0;
  /** Nobody listens where they went. */
  unreachable = 0;

  get isEmpty(): boolean {
    return this.injected + this.refused + this.failed + this.unreachable === 0;
  }

  /** Takes over what `other` has. */
  take(other: DatagramTally): void {
    this.injected += other.injected;
    this.refused += other.refused;
    this.failed += other.failed;
    this.unreachable += other.unreachable;
    other.clear();
  }

  clear(): void {
    this.injected = 0;
    this.refused = 0;
    this.failed = 0;
    this.unreachable = 0;
  }
}
