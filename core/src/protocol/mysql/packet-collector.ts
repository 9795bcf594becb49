import { PACKET_HEADER_BYTES } from './login-request.js';
import { readUint24 } from './mysql-integer.js';

/** A packet of a login has no more than an RSA key or a long message. */
const PACKET_BYTES_MAX = 8192;

/** Puts packets of a login together, of which each octet matters. */
export class PacketCollector {
  readonly #bytes = new Uint8Array(PACKET_HEADER_BYTES + PACKET_BYTES_MAX);
  #length = 0;

  clear(): void {
    this.#length = 0;
  }

  /**
   * Takes bytes[offset, end), and shows each packet: its body is `packet[PACKET_HEADER_BYTES, packetEnd)`, valid during the call. False when one is
   * larger than a login's can be. Octets behind a packet after which `onPacket` wants no more are dropped.
   */
  push(
    bytes: Uint8Array,
    offset: number,
    end: number,
    onPacket: (packet: Uint8Array, packetEnd: number) => boolean,
  ): boolean {
    let at = offset;
    while (at < end) {
      const wanted = this.#length < PACKET_HEADER_BYTES ? PACKET_HEADER_BYTES : this.#packetEnd();
      const taken = Math.min(end - at, wanted - this.#length);
      this.#bytes.set(bytes.subarray(at, at + taken), this.#length);
      this.#length += taken;
      at += taken;
      if (this.#length < PACKET_HEADER_BYTES) return true;
      const packetEnd = this.#packetEnd();
      if (packetEnd > this.#bytes.length) return false;
      if (this.#length < packetEnd) continue;
      this.#length = 0;
      if (!onPacket(this.#bytes, packetEnd)) return true;
    }
    return true;
  }

  #packetEnd(): number {
    return PACKET_HEADER_BYTES + readUint24(this.#bytes, 0);
  }
}
