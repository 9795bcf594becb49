/** Something that keeps a TrafficCopy from working as asked for. */
export interface Problem {
  /** CamelCase, for programs. */
  readonly reason: string;
  /** For people: what it is, and what to change. */
  readonly message: string;
}
