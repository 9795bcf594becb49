/** How the text of a flag's value is read. */
export interface ValueType<T> {
  /** What a right value looks like, completing «expected …»: "a whole number from 1 to 1023". */
  readonly expected: string;
  /**
   * The value of `text`. Pure.
   * @throws ValueProblem with the reason; an empty message where «expected …» says it all.
   */
  parse(text: string): T;
}
