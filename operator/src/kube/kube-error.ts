import { TrafficCopyError } from '@trafficcopy/runtime';

/** A call to the API server that failed. */
export class KubeError extends TrafficCopyError {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;

  constructor(code: string, status: number, message: string, options?: ErrorOptions) {
    super(code, 1, message, options);
    this.status = status;
  }
}

/** The object, or its kind, is not there (404). */
export class KubeNotFoundError extends KubeError {}

/** Somebody else was first (409): read again, and decide again. */
export class KubeConflictError extends KubeError {}

/** A right is missing (401, 403), or an admission plugin does not want it. */
export class KubeForbiddenError extends KubeError {}

/** The API server does not take the object (400, 422): trying the same again is of no use. */
export class KubeInvalidError extends KubeError {}

/** The place in the history of changes is no longer known (410): list anew. */
export class KubeExpiredError extends KubeError {}

/** No answer, or none that means anything (408, 429, 5xx): try again later. */
export class KubeUnavailableError extends KubeError {
  /** The API server's wish; undefined: none. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, retryAfterMs?: number, options?: ErrorOptions) {
    super('ERR_KUBE_UNAVAILABLE', status, message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error of an answer. @param what the call: «patch pods/ephemeralcontainers shop/checkout-0» */
export function kubeErrorOf(what: string, status: number, message: string, retryAfterMs?: number): KubeError {
  const text = `${what}: ${message} (HTTP ${status})`;
  switch (status) {
    case 400:
    case 422:
      return new KubeInvalidError('ERR_KUBE_INVALID', status, text);
    case 401:
    case 403:
      return new KubeForbiddenError('ERR_KUBE_FORBIDDEN', status, text);
    case 404:
      return new KubeNotFoundError('ERR_KUBE_NOT_FOUND', status, text);
    case 409:
      return new KubeConflictError('ERR_KUBE_CONFLICT', status, text);
    case 410:
      return new KubeExpiredError('ERR_KUBE_EXPIRED', status, text);
    default:
      return new KubeUnavailableError(status, text, retryAfterMs);
  }
}
