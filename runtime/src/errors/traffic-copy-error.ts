/**
 * The base of every error that reaches a user. `code` is stable (scripts and tests may compare it); the message says what
 * was tried, on what, why it failed and what to do.
 */
export class TrafficCopyError extends Error {
  readonly code: string;
  /** What the process returns when this error ends it. */
  readonly exitCode: number;

  constructor(code: string, exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
    this.exitCode = exitCode;
  }
}
