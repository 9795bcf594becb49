/** How the text of a flag's value is read. */
export interface ValueType<T> {
  /** What a right value looks like, completing «expected …»: "a whole number from 1 to 1023". */
  readonly expected: string;
  /** What a shell offers for it: these words, or names of files. Absent: nothing. */
  readonly completes?: readonly string[] | 'files';
  /**
   * The value of `text`. Pure.
   * @throws ValueProblem with the reason; an empty message where «expected …» says it all.
   */
  parse(text: string): T;
}
