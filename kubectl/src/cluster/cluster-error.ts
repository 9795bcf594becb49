import { TrafficCopyError } from '@trafficcopy/runtime';

export type ClusterErrorCode =
  /** No usable configuration, or the API server cannot be reached. */
  | 'ERR_CLUSTER_UNREACHABLE'
  | 'ERR_CLUSTER_NOT_FOUND'
  /** The user may not do this. */
  | 'ERR_CLUSTER_FORBIDDEN'
  /** The API server does not accept the object. */
  | 'ERR_CLUSTER_INVALID'
  | 'ERR_CLUSTER_CONFLICT'
  | 'ERR_CLUSTER_FAILED';

/** A call to the API server failed; the message says what was tried and what to do. Exit code 1. */
export class ClusterError extends TrafficCopyError {
  declare readonly code: ClusterErrorCode;

  constructor(code: ClusterErrorCode, message: string, options?: ErrorOptions) {
    super(code, 1, message, options);
  }
}
