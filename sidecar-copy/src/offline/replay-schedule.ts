/** Connections or requests in a second, instead of the recorded times. */
export interface ReplayRate {
  readonly of: 'connections' | 'requests';
  readonly perSecond: number;
}

export interface ReplayScheduleOptions {
  /** How many times as fast as recorded (-a); Infinity: as fast as reader, engine and target can. */
  readonly speed: number;
  /** No pause of the recording lasts longer than this (-I), ms of recorded time; undefined: as they are. */
  readonly idleMsMax: number | undefined;
  readonly rate: ReplayRate | undefined;
}

const US_PER_MS = 1000;
const MS_PER_SECOND = 1000;

/**
 * When what was captured is due. Pure: packets are shown to it in their order, with their recorded times; the clock is the
 * caller's.
 *
 * A packet whose stamp is before that of an earlier one is due at once. A run of the file that follows another begins when
 * {@link beginRun} is called.
 */
export class ReplaySchedule {
  private readonly options: ReplayScheduleOptions;
  private runStartMs = 0;
  /** Where the run is, in recorded time without what -I cut out. */
  private positionUs = 0;
  private firstUs: number | undefined;
  private lastUs: number | undefined;
  private connections = 0;
  /** Cut out of pauses so far, all runs. */
  private skippedUs = 0;

  constructor(options: ReplayScheduleOptions) {
    this.options = options;
  }

  beginRun(nowMs: number): void {
    this.runStartMs = nowMs;
    this.positionUs = 0;
    this.firstUs = undefined;
    this.lastUs = undefined;
    this.connections = 0;
  }

  /**
   * Recorded time that is over in this run at `nowMs`, ms, without what was cut out. The next packet is due at `dueMs`: the time until then is still
   * to come.
   */
  positionMs(dueMs: number | undefined, nowMs: number): number {
    const { speed, rate } = this.options;
    const waitMs = rate === undefined && dueMs !== undefined && dueMs > nowMs ? dueMs - nowMs : 0;
    return Math.max(0, this.positionUs / US_PER_MS - (waitMs === 0 ? 0 : waitMs * speed));
  }

  /** Whether packets go at their recorded times, all pauses included: then recorded time tells how far the run is. */
  get followsTimes(): boolean {
    const { speed, rate, idleMsMax } = this.options;
    return rate === undefined && idleMsMax === undefined && Number.isFinite(speed);
  }

  /** How much of the run is over, 0 to 1, when its last packet was captured at `endUs`; see {@link positionMs}. Only where {@link followsTimes}. */
  doneFraction(endUs: number, dueMs: number | undefined, nowMs: number): number | undefined {
    const { firstUs } = this;
    if (firstUs === undefined || endUs <= firstUs) return undefined;
    return Math.min(1, (this.positionMs(dueMs, nowMs) * US_PER_MS) / (endUs - firstUs));
  }

  /** Recorded time that -I has cut out, ms. */
  get skippedMs(): number {
    return this.skippedUs / US_PER_MS;
  }

  /** The next packet was captured at `timeUs`, and begins a connection or not: when is it due? Call it once for each. */
  dueMs(timeUs: number, beginsConnection: boolean): number {
    this.move(timeUs);
    const { speed, rate } = this.options;
    if (rate === undefined) return this.runStartMs + this.positionUs / US_PER_MS / speed;
    if (rate.of === 'requests') return this.runStartMs;
    if (beginsConnection) this.connections += 1;
    return this.runStartMs + ((this.connections - 1) * MS_PER_SECOND) / rate.perSecond;
  }

  /** When so many requests of this run may have been begun, at the rate's pace. */
  requestDueMs(requests: number): number {
    const { rate } = this.options;
    if (rate?.of !== 'requests') return this.runStartMs;
    return this.runStartMs + (requests * MS_PER_SECOND) / rate.perSecond;
  }

  get pacesRequests(): boolean {
    return this.options.rate?.of === 'requests';
  }

  private move(timeUs: number): void {
    this.firstUs ??= timeUs;
    const pauseUs = Math.max(0, timeUs - (this.lastUs ?? timeUs));
    const { idleMsMax } = this.options;
    const keptUs = idleMsMax === undefined ? pauseUs : Math.min(pauseUs, idleMsMax * US_PER_MS);
    this.skippedUs += pauseUs - keptUs;
    this.positionUs += keptUs;
    this.lastUs = Math.max(timeUs, this.lastUs ?? timeUs);
  }
}
