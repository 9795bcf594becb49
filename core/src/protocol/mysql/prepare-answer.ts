/**
 * The server's answer to a statement that is to be prepared (MySQL internals, «COM_STMT_PREPARE Response»): it begins with OK, the number, columns 2, parameters 2, 0, warnings 2, in a
 * packet of 12 octets with sequence number 1; or an error. Servers send the answer to a command in segments of its own, so it is looked for where one begins,
 * and elsewhere by its whole form, as the end of an earlier answer may come before it.
 */
import { PACKET_HEADER_BYTES } from './login-request.js';
import { readUint24, readUint32 } from './mysql-integer.js';

const OK_BYTES = 12;
/** With a word on whether columns are described (CLIENT_OPTIONAL_RESULTSET_METADATA). */
const OK_BYTES_MAX = 13;
const OK = 0x00;
const ERROR = 0xff;
/** Code 2, `#`, state 5. */
const ERROR_BYTES_MIN = 9;
const STATE_MARK = 0x23;
const SEQUENCE = 1;
const RESERVED = 9;
/** No statement has it: it could not be prepared. */
const NO_NUMBER = -1;

export class PrepareAnswer {
  /** What came of it, where a segment ended within it. */
  readonly #start = new Uint8Array(PACKET_HEADER_BYTES + OK_BYTES);
  #startBytes = 0;

  clear(): void {
    this.#startBytes = 0;
  }

  /** Looks at octets of the server. The statement's number, -1 where there is none, undefined as long as that is not known. */
  hear(bytes: Uint8Array, offset: number, length: number): number | undefined {
    if (this.#startBytes > 0) {
      const taken = Math.min(length, this.#start.length - this.#startBytes);
      this.#start.set(bytes.subarray(offset, offset + taken), this.#startBytes);
      const known = this.#startBytes + taken;
      this.#startBytes = 0;
      const number = numberAt(this.#start, 0, known);
      if (number !== undefined) return number;
    }
    for (let at = offset; at < offset + length; at += 1) {
      const number = numberAt(bytes, at, offset + length);
      if (number !== undefined) return number;
    }
    const rest = Math.min(length, this.#start.length - 1);
    if (length < this.#start.length) {
      this.#start.set(bytes.subarray(offset, offset + rest), 0);
      this.#startBytes = rest;
    }
    return undefined;
  }
}

function numberAt(bytes: Uint8Array, at: number, end: number): number | undefined {
  const body = at + PACKET_HEADER_BYTES;
  if (end < body + ERROR_BYTES_MIN || bytes[at + 3] !== SEQUENCE) return undefined;
  const length = readUint24(bytes, at);
  if (bytes[body] === ERROR && length >= ERROR_BYTES_MIN && bytes[body + 3] === STATE_MARK) return NO_NUMBER;
  const isOk =
    (length === OK_BYTES || length === OK_BYTES_MAX) &&
    end >= body + OK_BYTES &&
    bytes[body] === OK &&
    bytes[body + RESERVED] === 0;
  return isOk ? readUint32(bytes, body + 1) : undefined;
}
