/** What is compared, and how much of it is held. */
export interface CompareConfig {
  /** First octets of each answer that are kept. */
  readonly answerBytesMax: number;
  /** Answers that are followed at one time, of all parties; each holds answerBytesMax octets. */
  readonly answersMax: number;
  /** Headers of HTTP that are not compared, in lower case. */
  readonly ignoredHeaders: ReadonlySet<string>;
  /** Differences that are kept with their octets; more are only counted. */
  readonly differencesMax: number;
}

/** What servers are expected to say differently each time, or on each host. */
export const IGNORED_HEADERS_DEFAULT = [
  'age',
  'date',
  'etag',
  'expires',
  'last-modified',
  'server',
  'server-timing',
  'set-cookie',
  'via',
  'x-request-id',
  'x-runtime',
] as const;
