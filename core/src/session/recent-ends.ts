/**
 * Where the streams of clients ended whose connections are over. What comes late of one, because the FIN overtook it or because the
 * client repeated it before it knew that online has it, looks like a connection that runs already: it would be joined, and its turns
 * delivered once more. TIME-WAIT is for that (RFC 9293 3.6.1); here it takes no connection, only a place in a table of numbers. Who ends
 * later may take the place of who ended earlier: what comes late of that one is joined.
 */
import { flowHash } from '../flow/flow-hash.js';
import { add, type Seq, seq, sizeBetween } from '../seq.js';
import type { PacketHeader } from '../wire/packet-header.js';
import type { Captured } from './captured.js';

/** As long as Linux keeps TIME-WAIT. Numbers of the next connection on a port lie beyond (RFC 6528 3). */
const KEPT_MS = 60_000;
/** At 16,000 connections a second these are the last second's; 12 octets each. */
const PLACES_MAX = 16_384;
/** More than any window that is in use: what lies farther before the end is of another connection. */
const REPEATED_BYTES_MAX = 16 * 1024 * 1024;

export class RecentEnds {
  readonly #seed: number;
  /** Of client and online. Places are by their low bits. */
  readonly #hashes: Uint32Array;
  readonly #ends: Int32Array;
  /** Milliseconds, modulo 2^32. */
  readonly #seenAt: Uint32Array;

  constructor(connectionsMax: number, seed: number) {
    const places = 2 ** Math.ceil(Math.log2(Math.min(connectionsMax, PLACES_MAX)));
    this.#seed = seed;
    this.#hashes = new Uint32Array(places);
    this.#ends = new Int32Array(places);
    this.#seenAt = new Uint32Array(places);
  }

  /** The connection is over; its time counts from the client's last packet. */
  note({ clientAddress, clientPort, online, rcvNxt, lastSeenMs }: Captured): void {
    const hash = flowHash(this.#seed, clientAddress, 0, clientAddress.length, (clientPort << 16) | online);
    const place = hash & (this.#hashes.length - 1);
    this.#hashes[place] = hash;
    this.#ends[place] = rcvNxt;
    this.#seenAt[place] = Math.floor(lastSeenMs);
  }

  /** Whether the text of a client's packet to `online`, which belongs to no connection, lies before the end of one that is over. */
  isRepeated(bytes: Uint8Array, header: PacketHeader, online: number, nowMs: number): boolean {
    const { addressOffset, addressBytes, sourcePort } = header;
    const hash = flowHash(this.#seed, bytes, addressOffset, addressBytes, (sourcePort << 16) | online);
    const place = hash & (this.#hashes.length - 1);
    if (this.#hashes[place] !== hash || (Math.floor(nowMs) - this.#seenAt[place]!) >>> 0 > KEPT_MS) return false;
    const end: Seq = seq(this.#ends[place]!);
    const before = sizeBetween(add(header.seq, header.payloadBytes), end);
    return before >= 0 && before <= REPEATED_BYTES_MAX;
  }
}
