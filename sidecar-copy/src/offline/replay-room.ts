import type { EngineLimits } from '@trafficcopy/core';

/** What waits in a copy, as far as a source that can wait looks at it. */
export interface CopyLoad {
  /** Something can be sent to some target. */
  readonly isUp: boolean;
  /** A way to a target is so full that no session begins there. */
  readonly isCongested: boolean;
  readonly sessionsOpen: number;
  readonly connectionsOpen: number;
  readonly heldBytes: number;
  readonly turnsPending: number;
  readonly turnsCaptured: number;
  readonly responses: number;
}

/** Sessions that are full of quiet ones for so long are not waited for: the engine gives those up first. */
const FULL_MS_MAX = 2000;
/** A session's share of the turns that wait is bounded too: docs/session.md, limits. */
const TURNS_PENDING_MAX = 65_536;
/** As fast as possible: so many turns are under way, and the target's pace is the replay's. */
const TURNS_UNDER_WAY_MAX = 1024;

export interface ReplayRoomOptions {
  readonly limits: EngineLimits;
  /** Sessions for each connection, at most. */
  readonly sessionsForEach: number;
  /** Packets that are given to the engine before it is asked again. */
  readonly packetsMax: number;
  readonly isUnpaced: boolean;
}

/**
 * Whether reading goes on or waits for engine and targets. A live capture cannot wait: at a limit it loses. A file can, so nothing
 * of it is lost for lack of room. Every wait ends: what is under way is delivered or given up within -t.
 */
export class ReplayRoom {
  private readonly options: ReplayRoomOptions;
  private readonly heldBytesMax: number;
  private readonly turnsPendingMax: number;
  private fullSinceMs: number | undefined;

  constructor(options: ReplayRoomOptions) {
    this.options = options;
    const { limits, isUnpaced, sessionsForEach } = options;
    // All that is held may belong to one connection.
    this.heldBytesMax = Math.min(limits.heldBytesMax, limits.heldBytesPerConnectionMax) / 2;
    this.turnsPendingMax = isUnpaced ? TURNS_UNDER_WAY_MAX * sessionsForEach : TURNS_PENDING_MAX;
  }

  has(load: CopyLoad, nowMs: number): boolean {
    if (!load.isUp || load.isCongested) return false;
    if (load.heldBytes > this.heldBytesMax || load.turnsPending > this.turnsPendingMax) return false;
    const { limits, packetsMax, sessionsForEach } = this.options;
    const isFull =
      load.sessionsOpen + packetsMax * sessionsForEach > limits.sessionsMax ||
      load.connectionsOpen + packetsMax > limits.connectionsMax;
    if (!isFull || load.turnsPending > 0) {
      this.fullSinceMs = undefined;
      return !isFull;
    }
    this.fullSinceMs ??= nowMs;
    return nowMs - this.fullSinceMs >= FULL_MS_MAX;
  }
}
