/** The client's first packet (MySQL internals, «Protocol::HandshakeResponse41»), as far as a login elsewhere needs it. */
import { encodeUtf8 } from '../../channel/utf8.js';
import { CAPABILITY } from './capability.js';
import { textAt } from './greeting.js';
import { readUint32, writeUint24, writeUint32 } from './mysql-integer.js';

export const PACKET_HEADER_BYTES = 4;
/** Capabilities 4, largest packet 4, character set 1, 23 of filler; MariaDB has capabilities of its own in the last 4 of it. */
const FIXED_BYTES = 32;
const MAX_PACKET = 4;
const COLLATION = 8;
const PACKET_BYTES_MAX_DEFAULT = 1 << 24;
/** utf8mb4_general_ci, which MySQL and MariaDB have. */
export const COLLATION_DEFAULT = 45;
/** Of clients whose login was not seen: those that say nothing about the form of what follows, or that everybody has. */
const CAPABILITIES_DEFAULT =
  CAPABILITY.longPassword |
  CAPABILITY.longFlag |
  CAPABILITY.localFiles |
  CAPABILITY.protocol41 |
  CAPABILITY.transactions |
  CAPABILITY.secureConnection |
  CAPABILITY.multiStatements |
  CAPABILITY.multiResults |
  CAPABILITY.psMultiResults |
  CAPABILITY.pluginAuth;

export interface LoginRequest {
  readonly capabilities: number;
  /** The 32 octets before the user. */
  readonly fixed: Uint8Array;
  readonly user: string;
  readonly database: string;
  /** Whether the client had something to prove itself with. */
  readonly hasProof: boolean;
  /** Attributes of the connection with their length, and what is behind them; empty: none. */
  readonly attributes: Uint8Array;
}

/** Whether the body of a client's first packet asks for TLS: what follows is no MySQL. */
export function isTlsRequest(bytes: Uint8Array, offset: number, length: number): boolean {
  return length === FIXED_BYTES && (readUint32(bytes, offset) & CAPABILITY.ssl) !== 0;
}

/** Undefined when the body [offset, offset + length) is no login of protocol 4.1. */
export function parseLoginRequest(bytes: Uint8Array, offset: number, length: number): LoginRequest | undefined {
  if (length <= FIXED_BYTES) return undefined;
  const end = offset + length;
  const capabilities = readUint32(bytes, offset);
  if ((capabilities & CAPABILITY.protocol41) === 0) return undefined;
  const userEnd = bytes.indexOf(0, offset + FIXED_BYTES);
  if (userEnd < 0 || userEnd >= end) return undefined;
  const proofEnd = endOfProof(bytes, userEnd + 1, end, capabilities);
  if (proofEnd < 0) return undefined;
  let at = proofEnd;
  let database = '';
  if (capabilities & CAPABILITY.connectWithDb) {
    database = textAt(bytes, at, end);
    at = afterText(bytes, at, end);
  }
  if (capabilities & CAPABILITY.pluginAuth) at = afterText(bytes, at, end);
  return {
    capabilities,
    fixed: bytes.slice(offset, offset + FIXED_BYTES),
    user: textAt(bytes, offset + FIXED_BYTES, end),
    database,
    hasProof: proofEnd > userEnd + 2,
    attributes: capabilities & CAPABILITY.connectAttrs ? bytes.slice(at, end) : new Uint8Array(0),
  };
}

/** Where the octets behind the proof begin; -1 when it goes beyond the end. */
function endOfProof(bytes: Uint8Array, at: number, end: number, capabilities: number): number {
  if (at >= end) return -1;
  // Longer ones than 250 octets are of no method that has a salt.
  const counted = (capabilities & (CAPABILITY.pluginAuthLenenc | CAPABILITY.secureConnection)) !== 0;
  if (counted) {
    const proofEnd = at + 1 + bytes[at]!;
    return bytes[at]! > 250 || proofEnd > end ? -1 : proofEnd;
  }
  return afterText(bytes, at, end);
}

function afterText(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return end;
  const nul = bytes.indexOf(0, at);
  return nul < 0 || nul >= end ? end : nul + 1;
}

/** Of a client whose login was not seen. */
export function defaultLoginRequest(user: string, database: string, collation: number): LoginRequest {
  const fixed = new Uint8Array(FIXED_BYTES);
  writeUint32(fixed, MAX_PACKET, PACKET_BYTES_MAX_DEFAULT);
  fixed[COLLATION] = collation === 0 ? COLLATION_DEFAULT : collation;
  return { capabilities: CAPABILITIES_DEFAULT, fixed, user, database, hasProof: true, attributes: new Uint8Array(0) };
}

/** The packet that logs `user` in with `proof` for the method `plugin`, at a server that has `serverCapabilities`. */
export function writeLoginRequest(
  request: LoginRequest,
  serverCapabilities: number,
  user: string,
  database: string,
  proof: Uint8Array,
  plugin: string,
): Uint8Array {
  const wanted = request.capabilities | CAPABILITY.secureConnection | CAPABILITY.pluginAuth;
  const without = CAPABILITY.ssl | CAPABILITY.pluginAuthLenenc | CAPABILITY.connectWithDb;
  let capabilities = wanted & ~without & serverCapabilities;
  if (database !== '') capabilities |= CAPABILITY.connectWithDb;
  const hasPlugin = (capabilities & CAPABILITY.pluginAuth) !== 0;
  const hasAttributes = (capabilities & CAPABILITY.connectAttrs) !== 0 && request.attributes.length > 0;
  if (!hasAttributes) capabilities &= ~CAPABILITY.connectAttrs;
  const parts = [
    request.fixed,
    textWithNul(user),
    Uint8Array.of(proof.length),
    proof,
    ...(database === '' ? [] : [textWithNul(database)]),
    ...(hasPlugin ? [textWithNul(plugin)] : []),
    ...(hasAttributes ? [request.attributes] : []),
  ];
  const packet = packetOf(1, parts);
  writeUint32(packet, PACKET_HEADER_BYTES, capabilities >>> 0);
  return packet;
}

export function textWithNul(text: string): Uint8Array {
  const octets = encodeUtf8(text);
  const bytes = new Uint8Array(octets.length + 1);
  bytes.set(octets);
  return bytes;
}

/** A packet with this sequence number, whose body is `parts` one behind the other: less than 16 MiB. */
export function packetOf(sequence: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const packet = new Uint8Array(PACKET_HEADER_BYTES + length);
  writeUint24(packet, 0, length);
  packet[3] = sequence;
  let at = PACKET_HEADER_BYTES;
  for (const part of parts) {
    packet.set(part, at);
    at += part.length;
  }
  return packet;
}
