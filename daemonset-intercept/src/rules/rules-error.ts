import { TrafficCopyError } from '@trafficcopy/runtime';

export type RulesErrorCode =
  /** A command that the rules need is not there, or the kernel lacks what it asks for. */
  | 'ERR_RULES_UNSUPPORTED'
  /** A command failed. */
  | 'ERR_RULES_COMMAND'
  /** Another intercept uses what this one would need. */
  | 'ERR_RULES_CONFLICT'
  /** The journal cannot be read or written. */
  | 'ERR_RULES_JOURNAL';

/** The rules cannot be put in place, or not be taken away; the message names the command, what it said and what to do. */
export class RulesError extends TrafficCopyError {
  constructor(code: RulesErrorCode, message: string, options?: ErrorOptions) {
    super(code, 1, message, options);
  }
}
