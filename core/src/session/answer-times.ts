/** Of a session whose target is measured: what AnswerClock knows of the turns that were let go last. Times are microseconds; -1: none. */
export class AnswerTimes {
  /** When their last octet went out. */
  askedAtUs = -1;
  /** The session's turnNxt then. */
  askedTurn = 0;
  /** How long after that the first octet of the answer came, and the last so far, and when that was. */
  firstUs = -1;
  lastUs = -1;
  lastAtMs = 0;
}
