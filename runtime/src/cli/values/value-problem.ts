/** What is wrong with one value on the command line. The command line adds the flag, the text and what was expected. */
export class ValueProblem extends Error {
  override name = 'ValueProblem';
}
