/** One line of what doctor says. */
export interface Finding {
  readonly verdict: 'pass' | 'warn' | 'fail' | 'skip';
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

/** It could not be looked at; `fix` is what would let it. */
export function skip(text: string, fix: string): Finding {
  return { verdict: 'skip', text, fix };
}

const SIGNS = { pass: 'pass', warn: 'WARN', fail: 'FAIL', skip: 'skip' } as const;

export function findingText({ verdict, text, fix }: Finding): string {
  return `${SIGNS[verdict]}  ${text}${fix === '' ? '' : `\n      fix: ${fix}`}`;
}
