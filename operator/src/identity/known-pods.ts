/** What the operator's caches know of pods, as far as letting programs in depends on it. */
export interface KnownPods {
  /** The pod that has this address now; none that has ended, none in its host's network. */
  podAt(address: string): KnownPod | undefined;
  /** Whether a TrafficCopy selects the pod as a source now. */
  isSource(trafficCopyUid: string, podUid: string): boolean;
  /** Whether an intercept pod of ours is on the node. */
  hasIntercept(node: string): boolean;
}

export interface KnownPod {
  readonly uid: string;
  readonly namespace: string;
  /** Empty while it is not scheduled. */
  readonly nodeName: string;
}

/** `status` of a TokenReview (authentication.k8s.io/v1), as the API server answers it. */
export interface TokenReviewStatus {
  readonly authenticated?: boolean | undefined;
  readonly audiences?: readonly string[] | undefined;
  readonly error?: string | undefined;
  readonly user?:
    | {
        readonly username?: string | undefined;
        readonly extra?: { readonly [key: string]: readonly string[] } | undefined;
      }
    | undefined;
}
