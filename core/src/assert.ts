/** Stops on a bug of our own. Never used on traffic. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(what);
}

export class AssertionError extends Error {
  readonly code = 'ERR_TRAFFICCOPY_BUG';
  constructor(what: string) {
    super(`internal error: ${what}`);
    this.name = 'AssertionError';
  }
}
