import { readU32 } from '../../wire/bytes.js';
import { LENGTH_BYTES, MESSAGE_HEADER_BYTES } from './message.js';

/** What a login needs of a message; longer ones are passed over. */
const KEPT_BYTES_MAX = 8192;

/** Puts a server's messages together. */
export class MessageCollector {
  readonly #bytes = new Uint8Array(MESSAGE_HEADER_BYTES + KEPT_BYTES_MAX);
  #length = 0;
  /** Octets of a message that is too long that are still to come. */
  #passed = 0;

  clear(): void {
    this.#length = 0;
    this.#passed = 0;
  }

  /**
   * Takes bytes[offset, end), and shows each message: its body is `message[MESSAGE_HEADER_BYTES, end)`, valid during the call. False when
   * the octets are no messages.
   */
  push(bytes: Uint8Array, offset: number, end: number, onMessage: (message: Uint8Array, end: number) => void): boolean {
    let at = offset;
    while (at < end) {
      if (this.#passed > 0) {
        const passed = Math.min(this.#passed, end - at);
        this.#passed -= passed;
        at += passed;
        continue;
      }
      const wanted = this.#length < MESSAGE_HEADER_BYTES ? MESSAGE_HEADER_BYTES : this.#messageEnd();
      const taken = Math.min(end - at, wanted - this.#length);
      this.#bytes.set(bytes.subarray(at, at + taken), this.#length);
      this.#length += taken;
      at += taken;
      if (this.#length < MESSAGE_HEADER_BYTES) return true;
      const messageEnd = this.#messageEnd();
      if (messageEnd < MESSAGE_HEADER_BYTES) return false;
      if (messageEnd > this.#bytes.length) {
        this.#passed = messageEnd - this.#length;
        this.#length = 0;
      } else if (this.#length === messageEnd) {
        this.#length = 0;
        onMessage(this.#bytes, messageEnd);
      }
    }
    return true;
  }

  #messageEnd(): number {
    return MESSAGE_HEADER_BYTES - LENGTH_BYTES + readU32(this.#bytes, 1);
  }
}
