import { FRAME, HEADERS_PREFIX_BYTES, RESPONSE_RECORD_BYTES, writeHeadersPrefix } from '@trafficcopy/core';
import type { ChannelConnection } from '@trafficcopy/runtime';
import type { TargetPattern } from '../targets/target-gate.js';
import { RECORDS_MAX, type RecordBuffers } from './record-buffers.js';

/**
 * One connection of a copy, from its HELLO until its flows are taken over or reset: the owner of flows, and the buffer in which
 * response records wait for the end of the turn.
 */
export class CopyLink {
  /** Owner number in the flow registry. */
  readonly owner: number;
  /** What a reconnecting copy has in common with this one. */
  readonly copyKey: string;
  /** Undefined: the identity does not restrict. */
  permitted: readonly TargetPattern[] | undefined;
  readonly connection: ChannelConnection;
  readonly #buffers: RecordBuffers;
  /** Only while records wait. */
  #buffer: Uint8Array | undefined;
  /** Names the process, where the copy says it. */
  readonly #instance: string | undefined;
  #count = 0;
  /** When its flows are reset; Infinity while the connection is up. */
  graceEndsMs = Number.POSITIVE_INFINITY;

  constructor(
    owner: number,
    connection: ChannelConnection,
    permitted: readonly TargetPattern[] | undefined,
    buffers: RecordBuffers,
  ) {
    this.#buffers = buffers;
    this.owner = owner;
    this.connection = connection;
    this.permitted = permitted;
    const { identity, peer, remote } = connection;
    this.copyKey = identity?.name ?? `${peer.name}@${remote.slice(0, remote.lastIndexOf(':'))}`;
    this.#instance = peer.capabilities.find((name) => name.startsWith('instance:'));
  }

  /** Whether the flows of `other` may become this link's: it is the same copy, and not connected in two places. */
  mayTakeOver(other: CopyLink): boolean {
    if (other.copyKey !== this.copyKey) return false;
    // A connection that broke without a word looks up until its silence is noticed. The same process is not there twice.
    return !other.isUp || (this.#instance !== undefined && this.#instance === other.#instance);
  }

  get isUp(): boolean {
    return this.graceEndsMs === Number.POSITIVE_INFINITY;
  }

  /** Where the next record goes, see {@link nextOffset}. */
  get buffer(): Uint8Array {
    this.#buffer ??= this.#buffers.take();
    return this.#buffer;
  }

  /** Records that wait. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === RECORDS_MAX;
  }

  /** Where the next record is to be written; the caller flushes when it is full. */
  get nextOffset(): number {
    return HEADERS_PREFIX_BYTES + this.#count * RESPONSE_RECORD_BYTES;
  }

  /** The record at {@link nextOffset} is complete. */
  commit(): void {
    this.#count += 1;
  }

  /**
   * intercept --response headers--> copy, at once: a long burst of packets may still be under way in this turn of the loop.
   * Returns how many records the connection's queue did not take.
   */
  flush(): number {
    const count = this.#count;
    const buffer = this.#buffer;
    this.#count = 0;
    this.#buffer = undefined;
    if (buffer === undefined) return 0;
    const isSent = count > 0 && this.isUp && this.#send(buffer, count);
    this.#buffers.give(buffer);
    return isSent ? 0 : count;
  }

  /** The channel copies what it takes. */
  #send(buffer: Uint8Array, count: number): boolean {
    writeHeadersPrefix(buffer, 0, RESPONSE_RECORD_BYTES, count);
    const frame = buffer.subarray(0, HEADERS_PREFIX_BYTES + count * RESPONSE_RECORD_BYTES);
    if (!this.connection.send(FRAME.HEADERS, frame)) return false;
    this.connection.flush();
    return true;
  }
}
