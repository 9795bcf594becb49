/**
 * Figures of one TrafficCopy: the sums over its copies since the operator leads, with what copies that ended had reported. A copy's own
 * figures count from its start, so a new leader begins with what the running copies say; what copies reported that ended before is
 * not in its sums.
 */
export interface Traffic {
  /** Connections that were seen at the sources. */
  readonly connections: number;
  readonly sessionsOpen: number;
  readonly sessionsStarted: number;
  readonly turnsCaptured: number;
  readonly turnsDelivered: number;
  readonly turnsAnswered: number;
  readonly turnsPending: number;
  readonly turnsLost: number;
  /** Delivered, over the last seconds; whole. */
  readonly turnsPerSecond: number;
  /** Of the turns that were delivered or lost; `0.02`. */
  readonly lostPercent: string;
  /** Largest first. */
  readonly losses: readonly TrafficLoss[];
  readonly bytesSent: number;
  readonly captureDrops: number;
}

export interface TrafficLoss {
  readonly reason: string;
  readonly turns: number;
}
