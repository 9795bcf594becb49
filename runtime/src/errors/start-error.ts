import { TrafficCopyError } from './traffic-copy-error.js';

/** The program cannot start: a file, port, capability or peer is not what it needs. Exit code 1. */
export class StartError extends TrafficCopyError {
  /** @param code stable, `ERR_START_…`. */
  constructor(code: `ERR_START_${string}`, message: string, options?: ErrorOptions) {
    super(code, 1, message, options);
  }
}
