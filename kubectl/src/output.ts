/** Where a command writes: results to standard output, everything else to standard error. */
export interface Output {
  result(text: string): void;
  note(text: string): void;
  /** A line that the next one replaces; nothing where standard error is no terminal. */
  progress(parts: readonly string[]): void;
  /** Removes the line of `progress`. */
  endProgress(): void;
  /** Whether standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly columns: number;
}
