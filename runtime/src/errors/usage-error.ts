import { TrafficCopyError } from './traffic-copy-error.js';

/** Wrong command line or configuration: found before anything is touched. Exit code 2. */
export class UsageError extends TrafficCopyError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_USAGE', 2, message, options);
  }
}
