/** What a recording server received on one connection. */
export interface StreamRecord {
  /** "ADDRESS:PORT" of the client, IPv6 in brackets. */
  readonly client: string;
  /** Octets received. */
  readonly bytes: number;
  /** SHA-256 of the octets received, hexadecimal. */
  readonly sha256: string;
  /** Requests answered. */
  readonly requests: number;
  readonly end: 'open' | 'fin' | 'reset';
}
