/** The connections of clients that are followed: found by who talks to which address and port of online. */
import { FlowTable } from '../flow/flow-table.js';
import type { PacketHeader } from '../wire/packet-header.js';
import type { Captured } from './captured.js';

export class ConnectionTable {
  readonly #flows: FlowTable;
  readonly #connections: (Captured | undefined)[];
  readonly #freeSlots: Int32Array;
  #freeCount: number;
  /** The last slot that was looked at to make room. */
  #roomHand = 0;

  constructor(connectionsMax: number, seed: number) {
    this.#flows = new FlowTable(connectionsMax, seed);
    this.#connections = new Array<Captured | undefined>(connectionsMax).fill(undefined);
    this.#freeSlots = new Int32Array(connectionsMax);
    for (let index = 0; index < connectionsMax; index += 1) this.#freeSlots[index] = connectionsMax - 1 - index;
    this.#freeCount = connectionsMax;
  }

  get openCount(): number {
    return this.#connections.length - this.#freeCount;
  }

  get isFull(): boolean {
    return this.#freeCount === 0;
  }

  /** By slot. */
  get all(): readonly (Captured | undefined)[] {
    return this.#connections;
  }

  at(slot: number): Captured | undefined {
    return this.#connections[slot];
  }

  /** The connection that a client's packet to `online` belongs to. */
  find(
    bytes: Uint8Array,
    { addressOffset, addressBytes, sourcePort }: PacketHeader,
    online: number,
  ): Captured | undefined {
    const slot = this.#flows.get(bytes, addressOffset, addressBytes, sourcePort, online);
    return slot < 0 ? undefined : this.#connections[slot];
  }

  /** The connection that a packet of `online` to a client belongs to. */
  findAnswered(
    bytes: Uint8Array,
    { addressOffset, addressBytes, destinationPort }: PacketHeader,
    online: number,
  ): Captured | undefined {
    const slot = this.#flows.get(bytes, addressOffset + addressBytes, addressBytes, destinationPort, online);
    return slot < 0 ? undefined : this.#connections[slot];
  }

  /** The slot for a new connection: {@link add} follows. -1 when there is none. */
  takeSlot(bytes: Uint8Array, { addressOffset, addressBytes, sourcePort }: PacketHeader, online: number): number {
    if (this.#freeCount === 0) return -1;
    const slot = this.#freeSlots[this.#freeCount - 1]!;
    if (!this.#flows.set(bytes, addressOffset, addressBytes, sourcePort, online, slot)) return -1;
    this.#freeCount -= 1;
    return slot;
  }

  add(captured: Captured): void {
    this.#connections[captured.slot] = captured;
  }

  /** The client's address and port mean another connection from now on. */
  forget(captured: Captured): void {
    const { clientAddress, clientPort, online, slot } = captured;
    if (this.#flows.get(clientAddress, 0, clientAddress.length, clientPort, online) === slot) {
      this.#flows.delete(clientAddress, 0, clientAddress.length, clientPort, online);
    }
  }

  /** False when it is not there any more. */
  remove(captured: Captured): boolean {
    const { slot } = captured;
    if (this.#connections[slot] !== captured) return false;
    this.forget(captured);
    this.#connections[slot] = undefined;
    this.#freeSlots[this.#freeCount] = slot;
    this.#freeCount += 1;
    return true;
  }

  /** A connection without sessions that was not heard of since `sinceMs`. Looks at the next `looksMax` slots only. */
  findIdle(sinceMs: number, looksMax: number): Captured | undefined {
    const connections = this.#connections;
    for (let looked = 0; looked < looksMax; looked += 1) {
      this.#roomHand = (this.#roomHand + 1) % connections.length;
      const captured = connections[this.#roomHand];
      if (captured !== undefined && captured.sessions.length === 0 && captured.lastSeenMs <= sinceMs) return captured;
    }
    return undefined;
  }
}
