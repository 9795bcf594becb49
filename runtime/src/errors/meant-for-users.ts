/** Errors of Node's, and assertions: faults of the program, whatever their codes. */
const FAULTS: ReadonlySet<string> = new Set([
  'Error',
  'TypeError',
  'RangeError',
  'SyntaxError',
  'SystemError',
  'AssertionError',
]);

/** Errors of our own classes have a stable code and a message for a person; anything else is a bug and needs its stack. */
export function isMeantForUsers(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && code.startsWith('ERR_') && !FAULTS.has(error.name);
}
