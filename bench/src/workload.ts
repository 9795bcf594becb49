/** One kind of traffic that is measured. */
export interface Workload {
  readonly name: string;
  readonly path: string;
  /** A connection for each request. */
  readonly isClosing: boolean;
  /** Rate of the latency comparison, requests a second: well below what two cores can do. */
  readonly pacedRate: number;
  /** CPU time of copy for each request that the design aims at, with TLS, microseconds. */
  readonly copyUsAim: number;
}

export const WORKLOADS: readonly Workload[] = [
  { name: 'keep-alive', path: '/', isClosing: false, pacedRate: 3_000, copyUsAim: 5 },
  { name: 'a connection per request', path: '/', isClosing: true, pacedRate: 1_000, copyUsAim: 25 },
  { name: '100 KB responses', path: '/100k', isClosing: false, pacedRate: 1_000, copyUsAim: 28 },
];
