/** Names that users, the chart and the three programs share. Changing one changes the API. */
export const API_GROUP = 'trafficcopy.dev';
export const API_VERSION = 'v1alpha1';
export const TRAFFIC_COPY_KIND = 'TrafficCopy';
export const TRAFFIC_COPY_PLURAL = 'trafficcopies';

/** On a Node: the intercept DaemonSet runs there. */
export const INTERCEPT_NODE_LABEL = 'trafficcopy.dev/intercept';
/** On a Namespace: which namespaces may copy to its pods, separated by commas, or "*". */
export const CONSENT_ANNOTATION = 'trafficcopy.dev/allow-copies-from';
/** On a Secret with credentials: which TrafficCopies of its namespace may use them, separated by commas, or "*". */
export const CREDENTIALS_ANNOTATION = 'trafficcopy.dev/allow-use-by';
/** On a Pod: "false" keeps copies out. */
export const INJECT_LABEL = 'trafficcopy.dev/inject';
/** On a TrafficCopy: keeps it until everything that it caused is gone. */
export const CLEANUP_FINALIZER = 'trafficcopy.dev/cleanup';
export const FIELD_MANAGER = 'trafficcopy-operator';
/** Port of the channel, at the operator and at intercepts. */
export const CHANNEL_PORT = 36524;

const SHORT_UID_LENGTH = 8;

/** The part of a TrafficCopy's UID that stands in the names of what it owns. */
export function shortUid(uid: string): string {
  return uid.slice(0, SHORT_UID_LENGTH);
}

export function tokenSecretName(uid: string): string {
  return `trafficcopy-token-${shortUid(uid)}`;
}

/** Copies are named trafficcopy-UID8-N: N is 0 for the sidecar, and counts ephemeral containers from 1. */
export function copyContainerName(uid: string, generation: number): string {
  return `trafficcopy-${shortUid(uid)}-${generation}`;
}

/** N of such a name when it belongs to the TrafficCopy, else undefined. */
export function copyContainerGeneration(name: string, uid: string): number | undefined {
  const prefix = `trafficcopy-${shortUid(uid)}-`;
  if (!name.startsWith(prefix)) return undefined;
  const text = name.slice(prefix.length);
  return /^(0|[1-9][0-9]{0,5})$/.test(text) ? Number(text) : undefined;
}
