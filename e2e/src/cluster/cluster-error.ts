/** The API server refused, or could not be asked. The message is the server's own where it gave one. */
export class ClusterError extends Error {
  readonly code = 'ERR_E2E_CLUSTER';
  /** HTTP status; 0: no answer. */
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClusterError';
    this.status = status;
  }
}
