/**
 * The flows of all copies: which session of which connection a packet belongs to, in either direction.
 *
 * A flow is one line in parallel arrays, its number stays the same while it lives. Three look-ups lead to it: client address and port
 * with the endpoint (packets, both directions), session and owner (RELEASE), and the list of its owner (a connection ended).
 *
 * | state of a flow | its owner | ends by |
 * |---|---|---|
 * | held | a connection that is up | RELEASE; idle age; its connection ends -> waiting |
 * | waiting | a connection that ended | a new connection of the same copy takes it over -> held; the grace ends: RST at the target |
 */
import { FlowTable, type PacketHeader, Seq } from '@trafficcopy/core';
import type { FlowBudget } from './flow-budget.js';

const NONE = -1;
const ADDRESS_BYTES = 16;
/** Tells the hashes of the two look-ups apart. */
const SESSION_SEED = 0x5bd1e995;
/** With a budget: lines that every registry has without asking. */
export const FLOWS_AT_START = 1024;

export interface FlowRegistryOptions {
  readonly flowsMax: number;
  readonly endpointsMax: number;
  readonly ownersMax: number;
  readonly seed: number;
  /** The lines double when they are used up, as long as it has room. Undefined: all of `flowsMax` at the start. */
  readonly budget?: FlowBudget | undefined;
}

export class FlowRegistry {
  readonly flowsMax: number;
  readonly endpointsMax: number;
  readonly ownersMax: number;
  readonly #seed: number;
  readonly #budget: FlowBudget | undefined;
  #byClient: FlowTable;
  #bySession: FlowTable;
  readonly #endpoints: FlowTable;
  /** Numbers of endpoints that are not in use. */
  readonly #endpointsFree: number[];
  readonly #endpointAddresses: Uint8Array;
  readonly #endpointAddressBytes: Uint8Array;
  readonly #endpointPorts: Uint16Array;
  readonly #endpointFlows: Uint32Array;

  /** Lines of the arrays below. */
  #lines: number;
  #clientAddresses: Uint8Array;
  #clientPorts: Uint16Array;
  #endpointOf: Uint16Array;
  /** NONE: the line is free. */
  #owners: Int32Array;
  #sessionIds: Uint32Array;
  /** What the target expects next, as its last response said. */
  #targetRcvNxt: Int32Array;
  /** End of what was injected. */
  #sndNxt: Int32Array;
  /** When octets of the client were injected last that were new, on the caller's clock; 0: none were. */
  #askedAt: Uint32Array;
  #lastSeenS: Uint32Array;
  /** Lists of owners; of free lines through #next. */
  #next: Int32Array;
  #previous: Int32Array;
  readonly #heads: Int32Array;
  #free = NONE;
  #size = 0;
  #sweepAt = 0;
  #evictAt = 0;
  readonly #session = new Uint8Array(4);

  constructor({ flowsMax, endpointsMax, ownersMax, seed, budget }: FlowRegistryOptions) {
    const lines = budget === undefined ? flowsMax : Math.min(FLOWS_AT_START, flowsMax);
    this.#seed = seed;
    this.#budget = budget;
    this.#lines = lines;
    this.flowsMax = flowsMax;
    this.endpointsMax = endpointsMax;
    this.ownersMax = ownersMax;
    this.#byClient = new FlowTable(lines, seed);
    this.#bySession = new FlowTable(lines, seed ^ SESSION_SEED);
    this.#endpoints = new FlowTable(endpointsMax, seed ^ 0x2545f491);
    this.#endpointAddresses = new Uint8Array(endpointsMax * ADDRESS_BYTES);
    this.#endpointAddressBytes = new Uint8Array(endpointsMax);
    this.#endpointPorts = new Uint16Array(endpointsMax);
    this.#endpointFlows = new Uint32Array(endpointsMax);
    this.#endpointsFree = Array.from({ length: endpointsMax }, (_, index) => endpointsMax - 1 - index);
    this.#clientAddresses = new Uint8Array(lines * ADDRESS_BYTES);
    this.#clientPorts = new Uint16Array(lines);
    this.#endpointOf = new Uint16Array(lines);
    this.#owners = new Int32Array(lines);
    this.#sessionIds = new Uint32Array(lines);
    this.#targetRcvNxt = new Int32Array(lines);
    this.#sndNxt = new Int32Array(lines);
    this.#askedAt = new Uint32Array(lines);
    this.#lastSeenS = new Uint32Array(lines);
    this.#next = new Int32Array(lines);
    this.#previous = new Int32Array(lines);
    this.#heads = new Int32Array(ownersMax).fill(NONE);
    this.#freeFrom(0);
  }

  /** Gives back what was taken of the budget. */
  release(): void {
    if (this.#budget === undefined) return;
    this.#budget.give(Math.max(0, this.#lines - FLOWS_AT_START));
    this.#lines = 0;
  }

  get size(): number {
    return this.#size;
  }

  /** The flow of a packet to the target, or -1. */
  findSent(bytes: Uint8Array, header: PacketHeader): number {
    const { addressOffset, addressBytes } = header;
    const endpoint = this.#endpoints.get(bytes, addressOffset + addressBytes, addressBytes, header.destinationPort, 0);
    if (endpoint === NONE) return NONE;
    return this.#byClient.get(bytes, addressOffset, addressBytes, header.sourcePort, endpoint);
  }

  /** The flow of a packet from the target, or -1. */
  findResponse(bytes: Uint8Array, header: PacketHeader): number {
    const { addressOffset, addressBytes } = header;
    const endpoint = this.#endpoints.get(bytes, addressOffset, addressBytes, header.sourcePort, 0);
    if (endpoint === NONE) return NONE;
    return this.#byClient.get(bytes, addressOffset + addressBytes, addressBytes, header.destinationPort, endpoint);
  }

  /** The flow of an owner's session, or -1. */
  findSession(owner: number, sessionId: number): number {
    return this.#bySession.get(this.#sessionKey(sessionId), 0, 4, 0, owner);
  }

  /**
   * Opens the flow of a packet to the target, which is not there yet (findSent), for an owner and session. Returns its number, or -1
   * when the table is full. Another flow of the same session is forgotten.
   */
  open(bytes: Uint8Array, header: PacketHeader, owner: number, sessionId: number, nowMs: number): number {
    if (this.#free === NONE && !this.#grow()) return NONE;
    const { addressOffset, addressBytes } = header;
    const endpoint = this.#endpointFor(bytes, addressOffset + addressBytes, addressBytes, header.destinationPort);
    if (endpoint === NONE) return NONE;
    const flow = this.#free;
    this.#free = this.#next[flow]!;
    this.#size += 1;
    this.#byClient.set(bytes, addressOffset, addressBytes, header.sourcePort, endpoint, flow);
    const at = flow * ADDRESS_BYTES;
    this.#clientAddresses.set(bytes.subarray(addressOffset, addressOffset + addressBytes), at);
    this.#clientPorts[flow] = header.sourcePort;
    this.#endpointOf[flow] = endpoint;
    this.#endpointFlows[endpoint] = this.#endpointFlows[endpoint]! + 1;
    this.#targetRcvNxt[flow] = header.seq;
    this.#sndNxt[flow] = header.seq;
    this.#askedAt[flow] = 0;
    this.#attach(flow, owner, sessionId);
    this.touch(flow, nowMs);
    return flow;
  }

  /** Gives a flow to an owner and session, which may be the ones that it has. */
  assign(flow: number, owner: number, sessionId: number): void {
    if (this.#owners[flow] === owner && this.#sessionIds[flow] === sessionId) return;
    this.#detach(flow);
    this.#attach(flow, owner, sessionId);
  }

  remove(flow: number): void {
    this.#detach(flow);
    const endpoint = this.#endpointOf[flow]!;
    const at = flow * ADDRESS_BYTES;
    const addressBytes = this.#endpointAddressBytes[endpoint]!;
    this.#byClient.delete(this.#clientAddresses, at, addressBytes, this.#clientPorts[flow]!, endpoint);
    this.#leaveEndpoint(endpoint);
    this.#owners[flow] = NONE;
    this.#next[flow] = this.#free;
    this.#free = flow;
    this.#size -= 1;
  }

  ownerOf(flow: number): number {
    return this.#owners[flow]!;
  }

  sessionIdOf(flow: number): number {
    return this.#sessionIds[flow]!;
  }

  touch(flow: number, nowMs: number): void {
    this.#lastSeenS[flow] = nowMs / 1000;
  }

  /** When it was touched last, to the second. */
  lastSeenMs(flow: number): number {
    return this.#lastSeenS[flow]! * 1000;
  }

  /** Of the next `linesMax` lines the flow that was not seen for longest, among those of owners that `mayGo`; or -1. */
  oldestOf(linesMax: number, mayGo: (owner: number) => boolean): number {
    let oldest = NONE;
    for (let lines = 0; lines < Math.min(linesMax, this.#lines); lines += 1) {
      const flow = this.#evictAt;
      this.#evictAt = flow + 1 === this.#lines ? 0 : flow + 1;
      const owner = this.#owners[flow]!;
      if (owner === NONE || !mayGo(owner)) continue;
      if (oldest === NONE || this.#lastSeenS[flow]! < this.#lastSeenS[oldest]!) oldest = flow;
    }
    return oldest;
  }

  /** Remembers the end of a packet that goes to the target, and when it does if it carries octets of the client (otherwise 0). */
  noteSent(flow: number, end: Seq.Seq, askedAt: number): void {
    if (!Seq.lessThan(this.#sndNxt[flow] as Seq.Seq, end)) return;
    this.#sndNxt[flow] = end;
    if (askedAt !== 0) this.#askedAt[flow] = askedAt;
  }

  /** When octets of the client that were new went to the target last; 0: none have. */
  askedAt(flow: number): number {
    return this.#askedAt[flow]!;
  }

  noteAck(flow: number, ack: Seq.Seq): void {
    this.#targetRcvNxt[flow] = ack;
  }

  targetRcvNxt(flow: number): Seq.Seq {
    return this.#targetRcvNxt[flow] as Seq.Seq;
  }

  sndNxt(flow: number): Seq.Seq {
    return this.#sndNxt[flow] as Seq.Seq;
  }

  /** Number of an owner's first flow, or -1. */
  firstOf(owner: number): number {
    return this.#heads[owner]!;
  }

  nextOf(flow: number): number {
    return this.#next[flow]!;
  }

  /** 4 or 16. */
  addressBytesOf(flow: number): number {
    return this.#endpointAddressBytes[this.#endpointOf[flow]!]!;
  }

  clientPortOf(flow: number): number {
    return this.#clientPorts[flow]!;
  }

  targetPortOf(flow: number): number {
    return this.#endpointPorts[this.#endpointOf[flow]!]!;
  }

  /** Writes the client's address, then the target's. */
  writeAddresses(flow: number, bytes: Uint8Array, offset: number): void {
    const addressBytes = this.addressBytesOf(flow);
    const client = flow * ADDRESS_BYTES;
    const target = this.#endpointOf[flow]! * ADDRESS_BYTES;
    bytes.set(this.#clientAddresses.subarray(client, client + addressBytes), offset);
    bytes.set(this.#endpointAddresses.subarray(target, target + addressBytes), offset + addressBytes);
  }

  /** Looks at the next `linesMax` lines and calls `expire` for flows that were not seen since `sinceMs`. */
  sweepIdle(sinceMs: number, linesMax: number, expire: (flow: number) => void): void {
    const sinceS = sinceMs / 1000;
    for (let lines = 0; lines < Math.min(linesMax, this.#lines); lines += 1) {
      const flow = this.#sweepAt;
      this.#sweepAt = flow + 1 === this.#lines ? 0 : flow + 1;
      if (this.#owners[flow] !== NONE && this.#lastSeenS[flow]! < sinceS) expire(flow);
    }
  }

  /** Twice the lines. The flows keep their numbers; the look-ups are made anew. False when there is no room. */
  #grow(): boolean {
    const before = this.#lines;
    const lines = Math.min(before * 2, this.flowsMax);
    if (lines === before || this.#budget?.take(lines - before) !== true) return false;
    this.#lines = lines;
    this.#clientAddresses = enlarged(this.#clientAddresses, lines * ADDRESS_BYTES);
    this.#clientPorts = enlarged(this.#clientPorts, lines);
    this.#endpointOf = enlarged(this.#endpointOf, lines);
    this.#owners = enlarged(this.#owners, lines);
    this.#sessionIds = enlarged(this.#sessionIds, lines);
    this.#targetRcvNxt = enlarged(this.#targetRcvNxt, lines);
    this.#sndNxt = enlarged(this.#sndNxt, lines);
    this.#askedAt = enlarged(this.#askedAt, lines);
    this.#lastSeenS = enlarged(this.#lastSeenS, lines);
    this.#next = enlarged(this.#next, lines);
    this.#previous = enlarged(this.#previous, lines);
    this.#byClient = new FlowTable(lines, this.#seed);
    this.#bySession = new FlowTable(lines, this.#seed ^ SESSION_SEED);
    for (let flow = 0; flow < before; flow += 1) this.#index(flow);
    this.#freeFrom(before);
    return true;
  }

  /** Makes a flow known to the look-ups. */
  #index(flow: number): void {
    const owner = this.#owners[flow]!;
    if (owner === NONE) return;
    const endpoint = this.#endpointOf[flow]!;
    const at = flow * ADDRESS_BYTES;
    const addressBytes = this.#endpointAddressBytes[endpoint]!;
    this.#byClient.set(this.#clientAddresses, at, addressBytes, this.#clientPorts[flow]!, endpoint, flow);
    this.#bySession.set(this.#sessionKey(this.#sessionIds[flow]!), 0, 4, 0, owner, flow);
  }

  /** All lines from `first` on are free; the first is taken first. */
  #freeFrom(first: number): void {
    for (let flow = this.#lines - 1; flow >= first; flow -= 1) {
      this.#owners[flow] = NONE;
      this.#next[flow] = this.#free;
      this.#free = flow;
    }
  }

  #endpointFor(bytes: Uint8Array, addressOffset: number, addressBytes: number, port: number): number {
    const known = this.#endpoints.get(bytes, addressOffset, addressBytes, port, 0);
    if (known !== NONE) return known;
    const endpoint = this.#endpointsFree.pop();
    if (endpoint === undefined) return NONE;
    this.#endpoints.set(bytes, addressOffset, addressBytes, port, 0, endpoint);
    this.#endpointAddresses.set(bytes.subarray(addressOffset, addressOffset + addressBytes), endpoint * ADDRESS_BYTES);
    this.#endpointAddressBytes[endpoint] = addressBytes;
    this.#endpointPorts[endpoint] = port;
    return endpoint;
  }

  /** An endpoint without flows is forgotten, so that a copy cannot use all of them up. */
  #leaveEndpoint(endpoint: number): void {
    const flows = this.#endpointFlows[endpoint]! - 1;
    this.#endpointFlows[endpoint] = flows;
    if (flows > 0) return;
    const addressBytes = this.#endpointAddressBytes[endpoint]!;
    const port = this.#endpointPorts[endpoint]!;
    this.#endpoints.delete(this.#endpointAddresses, endpoint * ADDRESS_BYTES, addressBytes, port, 0);
    this.#endpointsFree.push(endpoint);
  }

  #attach(flow: number, owner: number, sessionId: number): void {
    const other = this.findSession(owner, sessionId);
    if (other !== NONE && other !== flow) this.remove(other);
    this.#owners[flow] = owner;
    this.#sessionIds[flow] = sessionId;
    this.#bySession.set(this.#sessionKey(sessionId), 0, 4, 0, owner, flow);
    const head = this.#heads[owner]!;
    this.#next[flow] = head;
    this.#previous[flow] = NONE;
    if (head !== NONE) this.#previous[head] = flow;
    this.#heads[owner] = flow;
  }

  #detach(flow: number): void {
    const owner = this.#owners[flow]!;
    this.#bySession.delete(this.#sessionKey(this.#sessionIds[flow]!), 0, 4, 0, owner);
    const next = this.#next[flow]!;
    const previous = this.#previous[flow]!;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else this.#heads[owner] = next;
  }

  #sessionKey(sessionId: number): Uint8Array {
    const key = this.#session;
    key[0] = sessionId >>> 24;
    key[1] = sessionId >>> 16;
    key[2] = sessionId >>> 8;
    key[3] = sessionId;
    return key;
  }
}

function enlarged<Lines extends Uint8Array | Uint16Array | Uint32Array | Int32Array>(
  lines: Lines,
  length: number,
): Lines {
  const larger = new (lines.constructor as new (length: number) => Lines)(length);
  larger.set(lines);
  return larger;
}
