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
  /** Octets and packets of one output batch (a lane's output between two drains). */
  readonly batchBytesMax: number;
  readonly batchPacketsMax: number;
}

export const ENGINE_LIMITS_DEFAULT: EngineLimits = {
  connectionsMax: 65_536,
  sessionsMax: 131_072,
  heldBytesMax: 256 * 1024 * 1024,
  heldBytesPerConnectionMax: 32 * 1024 * 1024,
  batchBytesMax: 4 * 1024 * 1024,
  batchPacketsMax: 16_384,
};
