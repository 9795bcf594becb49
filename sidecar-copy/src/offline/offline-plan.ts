import type { Moment } from './moment.js';
import type { ReplayScheduleOptions } from './replay-schedule.js';

/** What is replayed of which files, and when. */
export interface OfflinePlan extends ReplayScheduleOptions {
  /** One or more; `-` (standard input) stands alone. */
  readonly files: readonly string[];
  /** How many times (-T). */
  readonly runs: number;
  /** Packets before it are left out. */
  readonly from: Moment | undefined;
  /** Packets from it on are left out. */
  readonly until: Moment | undefined;
}
