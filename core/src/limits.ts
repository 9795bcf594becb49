/** Sizes fixed at start. At each of them whole sessions are shed, newest first, and counted. */
export interface EngineLimits {
  /** Connections observed at one time. */
  readonly connectionsMax: number;
  /** Replayed sessions at one time, over all targets and copies. */
  readonly sessionsMax: number;
  /** Bytes of client streams held in all, until every target has acknowledged them. */
  readonly heldBytesMax: number;
  /** Bytes held for one connection. */
  readonly heldBytesPerConnectionMax: number;
  /** Turns that wait, over all sessions. A place takes 24 octets, so the default 100 MB at most. */
  readonly turnsMax?: number;
  /** Lanes at one time; while settings take the place of others, twice as many. */
  readonly lanesMax: number;
  /** Octets and packets of the first lane's output batch (its output between two drains); further lanes have less. */
  readonly batchBytesMax: number;
  readonly batchPacketsMax: number;
}

export const TURNS_MAX_DEFAULT = 4_194_304;

export const ENGINE_LIMITS_DEFAULT: EngineLimits = {
  connectionsMax: 65_536,
  sessionsMax: 131_072,
  heldBytesMax: 256 * 1024 * 1024,
  heldBytesPerConnectionMax: 32 * 1024 * 1024,
  lanesMax: 1024,
  batchBytesMax: 4 * 1024 * 1024,
  batchPacketsMax: 16_384,
};
