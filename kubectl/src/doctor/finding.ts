/** One line of what doctor says. */
export interface Finding {
  readonly verdict: 'pass' | 'warn' | 'fail';
  /** What was looked at, and what was found. */
  readonly text: string;
  /** What to do; empty when nothing. */
  readonly fix: string;
}

export function pass(text: string): Finding {
  return { verdict: 'pass', text, fix: '' };
}

export function warn(text: string, fix: string): Finding {
  return { verdict: 'warn', text, fix };
}

export function fail(text: string, fix: string): Finding {
  return { verdict: 'fail', text, fix };
}
