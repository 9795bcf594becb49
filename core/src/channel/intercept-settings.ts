/** operator --CONFIG--> intercept: all target pods of its node. It replaces what was said before. */
export interface InterceptSettings {
  readonly kind: 'intercept';
  /** Counts up with every change; repeated in reports once it is in force. */
  readonly revision: number;
  readonly pods: readonly InterceptPodSettings[];
}

export interface InterceptPodSettings {
  /** metadata.uid: leads to the network namespace. */
  readonly uid: string;
  /** For people: namespace/name. */
  readonly name: string;
  /** Text form; packets to others are refused. */
  readonly addresses: readonly string[];
  readonly grants: readonly InterceptGrantSettings[];
}

/** Copies of one TrafficCopy may inject into these ports. */
export interface InterceptGrantSettings {
  /** NAMESPACE/UID of the TrafficCopy: the first two parts of the name in a copy's certificate. */
  readonly owner: string;
  readonly ports: readonly number[];
  /** Client addresses (CIDR) that may be played; empty: any that is not the target's own. */
  readonly clientRanges: readonly string[];
}
