/**
 * Which session a response is for, where the other side knows no sessions: by client, target and their ports. Bounded; sized at
 * the start. A session has one route, its last.
 */
import { FlowTable } from '../../flow/flow-table.js';
import { readU16, readU32, writeU32 } from '../../wire/bytes.js';
import type { PacketHeader } from '../../wire/packet-header.js';

const NONE = -1;
const ADDRESS_BYTES = 4;
/** Separates the hashes of the two look-ups. */
const SESSION_SEED = 0x5bd1e995;
/** Targets of one intercept: the width of an endpoint in the flow table. */
const TARGETS_MAX = 65_536;

export class SessionRoutes {
  readonly #byClient: FlowTable;
  readonly #bySession: FlowTable;
  /** By address and port, 48 bits. */
  readonly #targets = new Map<number, number>();
  /** NONE: the line is free. */
  readonly #sessions: Float64Array;
  readonly #clients: Uint8Array;
  readonly #clientPorts: Uint16Array;
  readonly #targetOf: Uint16Array;
  readonly #free: Int32Array;
  #freeCount: number;
  readonly #session = new Uint8Array(ADDRESS_BYTES);
  #refused = 0;

  constructor(routesMax: number, seed: number) {
    this.#byClient = new FlowTable(routesMax, seed);
    this.#bySession = new FlowTable(routesMax, seed ^ SESSION_SEED);
    this.#sessions = new Float64Array(routesMax).fill(NONE);
    this.#clients = new Uint8Array(routesMax * ADDRESS_BYTES);
    this.#clientPorts = new Uint16Array(routesMax);
    this.#targetOf = new Uint16Array(routesMax);
    this.#free = Int32Array.from({ length: routesMax }, (_, index) => routesMax - 1 - index);
    this.#freeCount = routesMax;
  }

  get size(): number {
    return this.#byClient.size;
  }

  /** Routes for which there was no room: their sessions hear nothing. */
  get refused(): number {
    return this.#refused;
  }

  /** The route of the IPv4 packet at `packetAt` (20 octets of IP header, then TCP) leads to `sessionId`. False when there is no room. */
  add(packet: Uint8Array, packetAt: number, sessionId: number): boolean {
    this.release(sessionId);
    const target = this.#targetFor(packet, packetAt);
    const port = readU16(packet, packetAt + 20);
    const known = target === NONE ? NONE : this.#byClient.get(packet, packetAt + 12, ADDRESS_BYTES, port, target);
    if (known !== NONE) this.#remove(known);
    if (target === NONE || this.#freeCount === 0) {
      this.#refused += 1;
      return false;
    }
    this.#freeCount -= 1;
    const line = this.#free[this.#freeCount]!;
    this.#sessions[line] = sessionId;
    this.#clients.set(packet.subarray(packetAt + 12, packetAt + 16), line * ADDRESS_BYTES);
    this.#clientPorts[line] = port;
    this.#targetOf[line] = target;
    this.#byClient.set(packet, packetAt + 12, ADDRESS_BYTES, port, target, line);
    this.#bySession.set(this.#sessionKey(sessionId), 0, ADDRESS_BYTES, 0, 0, line);
    return true;
  }

  release(sessionId: number): void {
    const line = this.#bySession.get(this.#sessionKey(sessionId), 0, ADDRESS_BYTES, 0, 0);
    if (line !== NONE) this.#remove(line);
  }

  /** The session of a response, or -1. */
  find(bytes: Uint8Array, header: PacketHeader): number {
    const at = header.addressOffset;
    const target = this.#targets.get(targetKey(readU32(bytes, at), header.sourcePort));
    if (target === undefined) return NONE;
    const line = this.#byClient.get(bytes, at + ADDRESS_BYTES, ADDRESS_BYTES, header.destinationPort, target);
    return line === NONE ? NONE : this.#sessions[line]!;
  }

  #remove(line: number): void {
    const [port, target] = [this.#clientPorts[line]!, this.#targetOf[line]!] as const;
    this.#bySession.delete(this.#sessionKey(this.#sessions[line]!), 0, ADDRESS_BYTES, 0, 0);
    this.#byClient.delete(this.#clients, line * ADDRESS_BYTES, ADDRESS_BYTES, port, target);
    this.#sessions[line] = NONE;
    this.#free[this.#freeCount] = line;
    this.#freeCount += 1;
  }

  #targetFor(packet: Uint8Array, packetAt: number): number {
    const key = targetKey(readU32(packet, packetAt + 16), readU16(packet, packetAt + 22));
    const known = this.#targets.get(key);
    if (known !== undefined) return known;
    if (this.#targets.size === TARGETS_MAX) return NONE;
    this.#targets.set(key, this.#targets.size);
    return this.#targets.size - 1;
  }

  #sessionKey(sessionId: number): Uint8Array {
    writeU32(this.#session, 0, sessionId);
    return this.#session;
  }
}

function targetKey(address: number, port: number): number {
  return address * 65_536 + port;
}
