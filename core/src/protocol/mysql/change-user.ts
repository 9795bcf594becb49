/** COM_CHANGE_USER (MySQL internals): user NUL, proof with its length, database NUL, character set 2, method NUL, attributes. */
import { CAPABILITY } from './capability.js';
import { textAt } from './greeting.js';
import { textWithNul } from './login-request.js';

const COLLATION_BYTES = 2;

export interface ChangeUser {
  readonly user: string;
  readonly hasProof: boolean;
  readonly database: string;
  /** Character set, 0 or 2 octets. */
  readonly collation: Uint8Array;
}

/** Undefined when the command's body [offset, end) cannot be read. `capabilities` are those that the client logged in with. */
export function parseChangeUser(
  bytes: Uint8Array,
  offset: number,
  end: number,
  capabilities: number,
): ChangeUser | undefined {
  const userEnd = bytes.indexOf(0, offset);
  if (userEnd < 0 || userEnd + 1 >= end || (capabilities & CAPABILITY.secureConnection) === 0) return undefined;
  const databaseAt = userEnd + 2 + bytes[userEnd + 1]!;
  const databaseEnd = bytes.indexOf(0, databaseAt);
  if (databaseEnd < 0 || databaseEnd >= end) return undefined;
  return {
    user: textAt(bytes, offset, end),
    hasProof: bytes[userEnd + 1]! > 0,
    database: textAt(bytes, databaseAt, end),
    collation: bytes.slice(databaseEnd + 1, Math.min(databaseEnd + 1 + COLLATION_BYTES, end)),
  };
}

/** The body of the command with another user and proof. Attributes are left out. */
export function changeUserRequest(
  { database, collation }: ChangeUser,
  user: Uint8Array,
  proof: Uint8Array,
  plugin: string,
): Uint8Array[] {
  const name = new Uint8Array(user.length + 1);
  name.set(user);
  const parts = [name, Uint8Array.of(proof.length), proof, textWithNul(database)];
  return collation.length === COLLATION_BYTES ? [...parts, collation, textWithNul(plugin)] : parts;
}
