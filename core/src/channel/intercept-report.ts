/** intercept --STATS--> operator, at every change and every second. */
export interface InterceptReport {
  readonly kind: 'intercept';
  /** Of the settings in force; 0 before the first. */
  readonly revision: number;
  /** Every network namespace that holds, or may hold, something of ours. Empty: the node is as it was found. */
  readonly pods: readonly InterceptPodReport[];
  readonly flows: number;
  readonly packetsInjected: number;
  readonly responses: number;
  /** Responses that the full queue did not take. */
  readonly queueDrops: number;
  readonly recordsRefused: { readonly [reason: string]: number };
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export interface InterceptPodReport {
  /** Of the pod; for a leftover whose pod is not known, `netns:INODE`. */
  readonly uid: string;
  readonly state: 'preparing' | 'serving' | 'leaving' | 'failed';
  /** For people: why it failed, or what it waits for. */
  readonly message: string;
}
