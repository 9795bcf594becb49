/** Who a copy is: the three parts of the name in its certificate. */
export interface CopyIdentity {
  readonly namespace: string;
  readonly trafficCopyUid: string;
  readonly podUid: string;
}

export function formatCopyIdentity(identity: CopyIdentity): string {
  return `${identity.namespace}/${identity.trafficCopyUid}/${identity.podUid}`;
}

/** Undefined when it is no name of a copy. */
export function parseCopyIdentity(name: string): CopyIdentity | undefined {
  const [namespace, trafficCopyUid, podUid, ...rest] = name.split('/');
  return namespace && trafficCopyUid && podUid && rest.length === 0 ? { namespace, trafficCopyUid, podUid } : undefined;
}
