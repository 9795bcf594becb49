/** What a load generator did and what its clients noticed. */
export interface LoadReport {
  readonly requests: number;
  readonly responses: number;
  readonly connections: number;
  /** Connections that ended in another way than the generator wanted, by reason. */
  readonly errors: Readonly<Record<string, number>>;
  readonly responseBytes: number;
  readonly seconds: number;
  /** From the first octet of the request written to the last of the response read, microseconds. */
  readonly latencyUs: {
    readonly p50: number;
    readonly p90: number;
    readonly p99: number;
    readonly max: number;
    readonly mean: number;
  };
}
