/** copy --STATS--> operator, every second: cumulative figures since the copy's start. */
export interface CopyReport {
  readonly kind: 'copy';
  /** Of the settings in force; 0 before the first. */
  readonly generation: number;
  readonly state: 'waiting' | 'copying' | 'suspended';
  readonly elapsedMs: number;
  readonly connectionsSeen: number;
  readonly sessionsOpen: number;
  readonly sessionsStarted: number;
  readonly turnsCaptured: number;
  readonly turnsDelivered: number;
  readonly turnsAnswered: number;
  readonly turnsPending: number;
  /** By reason. */
  readonly turnsLost: { readonly [reason: string]: number };
  /** Sessions by terminal state. */
  readonly terminal: { readonly [state: string]: number };
  readonly bytesSent: number;
  /** Packets that the capture could not take. */
  readonly captureDrops: number;
  readonly lagMs: number;
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** Connections that began with a TLS handshake, by online port. */
  readonly encrypted: { readonly [port: string]: number };
  readonly endpoints: readonly CopyEndpointReport[];
  /** What keeps it from copying, for people; empty when nothing does. */
  readonly problems: readonly string[];
}

export interface CopyEndpointReport {
  /** ADDRESS:PORT of the target. */
  readonly endpoint: string;
  readonly isUp: boolean;
}
