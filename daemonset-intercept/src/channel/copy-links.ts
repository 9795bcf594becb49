import { payloadBytesWished } from '@trafficcopy/core';
import type { ChannelConnection } from '@trafficcopy/runtime';
import type { TargetPattern } from '../targets/target-gate.js';
import { CopyLink } from './copy-link.js';
import { RecordBuffers } from './record-buffers.js';
import { CHANNEL_RECORDS, payloadRecords, type RecordFormat } from './record-format.js';

/** The connections of all copies, and those that ended a short while ago and whose flows wait. Bounded. */
export class CopyLinks {
  readonly ownersMax: number;
  readonly #byOwner: (CopyLink | undefined)[];
  readonly #byConnection = new Map<number, CopyLink>();
  readonly #buffers = new RecordBuffers();

  /** As many may wait as can be up. */
  constructor(connectionsMax: number) {
    this.ownersMax = connectionsMax * 2;
    this.#byOwner = new Array<CopyLink | undefined>(this.ownersMax).fill(undefined);
  }

  /** Copies that are connected; one whose workers are is one. */
  get copies(): number {
    return new Set([...this.#byConnection.values()].map(({ programKey }) => programKey)).size;
  }

  /** Octets of each payload that somebody wants who is connected. */
  get keptBytesMax(): number {
    let most = 0;
    for (const link of this.#byConnection.values()) most = Math.max(most, link.keptBytesMax);
    return most;
  }

  /** A copy said HELLO. Undefined when all places are taken. */
  open(
    connection: ChannelConnection,
    permitted: readonly TargetPattern[] | undefined,
    format: RecordFormat = formatFor(connection),
  ): CopyLink | undefined {
    const owner = this.#byOwner.indexOf(undefined);
    if (owner < 0) return undefined;
    const link = new CopyLink(owner, connection, permitted, this.#buffers, format);
    this.#byOwner[owner] = link;
    this.#byConnection.set(connection.id, link);
    return link;
  }

  of(connection: ChannelConnection): CopyLink | undefined {
    return this.#byConnection.get(connection.id);
  }

  /** The link of an owner number that a flow has: a flow never outlives its link. */
  at(owner: number): CopyLink {
    return this.#byOwner[owner]!;
  }

  /** Another tunnel of the same C tcpcopy that is up: it takes responses on any of them. */
  heirOf(link: CopyLink): CopyLink | undefined {
    if (!link.isWire) return undefined;
    return this.all().find((other) => other !== link && other.isWire && other.isUp && other.copyKey === link.copyKey);
  }

  all(): CopyLink[] {
    return this.#byOwner.filter((link) => link !== undefined);
  }

  down(link: CopyLink, graceEndsMs: number): void {
    this.#byConnection.delete(link.connection.id);
    link.graceEndsMs = graceEndsMs;
  }

  /** Those whose copy did not come back in time; and the one that waits longest when no place is left. */
  expired(nowMs: number): CopyLink[] {
    const waiting = this.all().filter((link) => !link.isUp);
    const late = waiting.filter((link) => link.graceEndsMs <= nowMs);
    if (late.length > 0 || this.#byOwner.includes(undefined)) return late;
    return waiting.sort((a, b) => a.graceEndsMs - b.graceEndsMs).slice(0, 1);
  }

  forget(link: CopyLink): void {
    this.#byConnection.delete(link.connection.id);
    this.#byOwner[link.owner] = undefined;
  }
}

/** What the copy at the other end asked for. */
function formatFor({ peer }: ChannelConnection): RecordFormat {
  const keptBytesMax = payloadBytesWished(peer.capabilities);
  return keptBytesMax === 0 ? CHANNEL_RECORDS : payloadRecords(keptBytesMax);
}
