import { FRAME, type PacketHeader, type TcpOptions } from '@trafficcopy/core';
import type { ChannelConnection } from '@trafficcopy/runtime';
import type { TargetPattern } from '../targets/target-gate.js';
import { hostOf, programKey } from './copy-key.js';
import { DatagramTally } from './datagram-tally.js';
import type { RecordBuffers } from './record-buffers.js';
import { CHANNEL_RECORDS, type RecordFormat } from './record-format.js';

/**
 * One connection of a copy, from its HELLO until its flows are taken over or reset: the owner of flows, and the buffer in which
 * response records wait for the end of the turn.
 */
export class CopyLink {
  /** Owner number in the flow registry. */
  readonly owner: number;
  /** What a reconnecting copy has in common with this one. */
  readonly copyKey: string;
  /** Of its program; as good as its own where the copy says nothing of it. */
  readonly programKey: string;
  /** Undefined: the identity does not restrict. */
  permitted: readonly TargetPattern[] | undefined;
  readonly connection: ChannelConnection;
  readonly #buffers: RecordBuffers;
  readonly #format: RecordFormat;
  /** Only while records wait. */
  #buffer: Uint8Array | undefined;
  /** Names the process, where the copy says it. */
  readonly #instance: string | undefined;
  #count = 0;
  /** Where the last record ends. */
  #end = 0;
  #sessions = 0;
  /** Of its datagrams, since {@link addTally}. */
  readonly tally = new DatagramTally();
  /** In the buffer. */
  readonly #told = new DatagramTally();
  /** When its flows are reset; Infinity while the connection is up. */
  graceEndsMs = Number.POSITIVE_INFINITY;

  constructor(
    owner: number,
    connection: ChannelConnection,
    permitted: readonly TargetPattern[] | undefined,
    buffers: RecordBuffers,
    format: RecordFormat = CHANNEL_RECORDS,
  ) {
    this.#buffers = buffers;
    this.#format = format;
    this.owner = owner;
    this.connection = connection;
    this.permitted = permitted;
    const { identity, peer, remote } = connection;
    this.copyKey = identity?.name ?? `${peer.name}@${hostOf(remote)}`;
    this.programKey = programKey(peer, identity, hostOf(remote)) ?? String(connection.id);
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

  /** A C tcpcopy: it registers flows without sessions, and is told of responses only. */
  get isWire(): boolean {
    return !this.#format.hasEvents;
  }

  /** For a flow that its copy gave no session. */
  nextSessionId(): number {
    this.#sessions = (this.#sessions + 1) >>> 0;
    return this.#sessions;
  }

  /** Records that wait. */
  get count(): number {
    return this.#count;
  }

  /** Of them, those about responses and flows. */
  get responses(): number {
    return this.#count - (this.#told.isEmpty ? 0 : 1);
  }

  /** The caller flushes it then. */
  get isFull(): boolean {
    return this.#format.isFull(this.#count, this.#end);
  }

  /** Octets of each payload that it wants. */
  get keptBytesMax(): number {
    return this.#format.keptBytesMax;
  }

  /** Adds the response at `packetAt` of `bytes`, so long after its flow was last sent something new (below 0: not known). */
  addSegment(
    sessionId: number,
    bytes: Uint8Array,
    packetAt: number,
    header: PacketHeader,
    options: TcpOptions,
    elapsedUs: number,
  ): void {
    const format = this.#format;
    const offset = format.offsetOf(this.#count, this.#end);
    this.#end = format.writeSegment(this.#records(), offset, sessionId, bytes, packetAt, header, options, elapsedUs);
    this.#count += 1;
  }

  /** Adds word about a flow. Only where events are understood. */
  addEvent(sessionId: number, event: number): void {
    const offset = this.#format.offsetOf(this.#count, this.#end);
    this.#end = this.#format.writeEvent(this.#records(), offset, sessionId, event);
    this.#count += 1;
  }

  /** Adds word about its datagrams, and begins the tally anew. Only where events are understood. */
  addTally(): void {
    this.#told.take(this.tally);
    const offset = this.#format.offsetOf(this.#count, this.#end);
    this.#end = this.#format.writeTally(this.#records(), offset, this.#told);
    this.#count += 1;
  }

  /**
   * intercept --response headers--> copy, at once: a long burst of packets may still be under way in this turn of the loop.
   * False when the connection's queue did not take them.
   */
  flush(): boolean {
    const count = this.#count;
    const buffer = this.#buffer;
    this.#count = 0;
    this.#buffer = undefined;
    if (buffer === undefined) return true;
    const isSent = count > 0 && this.isUp && this.#send(buffer, count);
    // What the queue did not take is told the next time.
    if (!isSent) this.tally.take(this.#told);
    this.#told.clear();
    this.#buffers.give(buffer);
    this.#end = 0;
    return isSent;
  }

  #records(): Uint8Array {
    this.#buffer ??= this.#buffers.take(this.#format.bufferBytes);
    return this.#buffer;
  }

  /** The channel copies what it takes. */
  #send(buffer: Uint8Array, count: number): boolean {
    const frame = buffer.subarray(0, this.#format.finish(buffer, count, this.#end));
    if (!this.connection.send(FRAME.HEADERS, frame)) return false;
    this.connection.flush();
    return true;
  }
}
