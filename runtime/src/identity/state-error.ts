import { TrafficCopyError } from '../errors/traffic-copy-error.js';

/** A file of the state directory that cannot be read, written or understood. The message names it and says what to do. */
export class StateError extends TrafficCopyError {
  constructor(code: `ERR_STATE_${string}`, message: string, options?: ErrorOptions) {
    super(code, 1, message, options);
  }
}
