/**
 * RFC 8446 5.1 (TLSPlaintext, TLSCiphertext) and 4.1.2 (ClientHello): tells from the first octets of a client's stream
 * whether it carries TLS. A connection that was joined while it was running begins with any record.
 *
 * Octets may come one by one. While all of them fit so far it is `undecided`, and nothing is sent to a target.
 */

export type StreamKind = 'undecided' | 'plain' | 'tls';

const CONTENT_CHANGE_CIPHER_SPEC = 20;
const CONTENT_HANDSHAKE = 22;
const CONTENT_APPLICATION_DATA = 23;
const CLIENT_HELLO = 1;
/** 3.0 (SSL) to 3.4: RFC 8446 5.1 freezes it at 3.3, but clients before that say what they speak. */
const MAJOR_VERSION = 3;
const MINOR_VERSION_MAX = 4;
/** RFC 5246 6.2.3: a record is 2^14 + 2048 octets at most. Upper octet. */
const LENGTH_UPPER_MAX = 0x48;
/**
 * Octets that are looked at: of a first record up to the version in the ClientHello, as five or six alone might be the length
 * of something else; of a later record its header.
 */
const HELLO_OCTETS = 11;
const RECORD_OCTETS = 5;
/** An encrypted record carries the tag of its cipher, 8 octets at least (RFC 6655). A change of cipher has one octet. */
const CIPHERTEXT_BYTES_MIN = 9;

export class StreamOpening {
  readonly #isStart: boolean;
  #seen = 0;
  #contentType = 0;
  #length = 0;

  /** `isStart`: the stream was seen from its first octet on, so only a ClientHello may come. */
  constructor(isStart: boolean) {
    this.#isStart = isStart;
  }

  /** Looks at the next octets. Not called again once it has decided. */
  read(bytes: Uint8Array, offset: number, length: number): StreamKind {
    const enough = this.#isStart ? HELLO_OCTETS : RECORD_OCTETS;
    for (let at = offset; at < offset + length; at += 1) {
      if (!(this.#isStart ? this.#fitsHello(bytes[at]!) : this.#fitsRecord(bytes[at]!))) return 'plain';
      this.#seen += 1;
      if (this.#seen === enough) return 'tls';
    }
    return 'undecided';
  }

  #fitsHello(octet: number): boolean {
    switch (this.#seen) {
      case 0:
        return octet === CONTENT_HANDSHAKE;
      case 1:
      case 9:
        return octet === MAJOR_VERSION;
      case 2:
      case 10:
        return octet <= MINOR_VERSION_MAX;
      case 3:
        return octet <= LENGTH_UPPER_MAX;
      case 5:
        return octet === CLIENT_HELLO;
      case 6:
        // The upper octet of the ClientHello's 24 bits of length.
        return octet === 0;
      default:
        return true;
    }
  }

  #fitsRecord(octet: number): boolean {
    switch (this.#seen) {
      case 0:
        this.#contentType = octet;
        return octet >= CONTENT_CHANGE_CIPHER_SPEC && octet <= CONTENT_APPLICATION_DATA;
      case 1:
        return octet === MAJOR_VERSION;
      case 2:
        // SSL 3.0 is not told from a length of 768 octets and a little, as MySQL has it.
        return octet > 0 && octet <= MINOR_VERSION_MAX;
      case 3:
        this.#length = octet << 8;
        return octet <= LENGTH_UPPER_MAX;
      default:
        this.#length |= octet;
        if (this.#contentType === CONTENT_CHANGE_CIPHER_SPEC) return this.#length === 1;
        return this.#length >= CIPHERTEXT_BYTES_MIN;
    }
  }
}
