/**
 * Which source port the datagrams of a client have at each target: the client's own where nobody else has it there, and always the
 * same one while the client goes on. So two clients are never one to a target, and -n copies are as many clients.
 *
 * UDP says nothing of beginning and end: a flow lasts until its room is needed, and the one that was quiet longest goes first. Then
 * its client's next datagram may come from another port, and nothing is lost. All in typed arrays: with a client that takes a new port
 * for each query, as resolvers do, there are as many flows as datagrams.
 */

import { FlowTable } from '../flow/flow-table.js';
import { PortAllocator } from '../flow/port-allocator.js';
import type { PortShare } from '../flow/port-share.js';
import type { ClientAddresses } from '../session/client-addresses.js';
import type { DatagramHeader } from '../wire/datagram-header.js';
import { type IpAddress, ipAddressesEqual } from '../wire/ip-address.js';

const NONE = -1;
/** Flows that are ended for one that finds no port. */
const ENDED_FOR_A_PORT = 32;

export interface DatagramFlowsOptions {
  /** Clients (address and port) at one time. */
  readonly flowsMax: number;
  /** Ports at targets at one time, for all flows. */
  readonly placesMax: number;
  readonly seed: number;
  readonly ports?: PortShare | undefined;
}

export class DatagramFlows {
  readonly #table: FlowTable;
  readonly #ports: PortAllocator;
  readonly #addresses: ClientAddresses;
  /** By flow. */
  readonly #clients: (IpAddress | undefined)[] = [];
  readonly #clientPorts: Uint16Array;
  readonly #onlines: Uint16Array;
  readonly #firstPlaces: Int32Array;
  /** The list of flows, the one that was heard of last at its head. */
  readonly #older: Int32Array;
  readonly #younger: Int32Array;
  #head = NONE;
  #tail = NONE;
  /** Flows and places that nobody has are chained by #older and #nextPlaces, beyond those that never were in use. */
  #freeFlow = NONE;
  #flowsUsed = 0;
  #count = 0;
  /** By place: a port of a flow at one target. */
  readonly #sources: (IpAddress | undefined)[] = [];
  readonly #placePorts: Uint16Array;
  readonly #portKeys: Uint16Array;
  readonly #nextPlaces: Int32Array;
  #freePlace = NONE;
  #placesUsed = 0;
  /** The flow that is walked through, and the place that was visited last. */
  #flow = NONE;
  #place = NONE;

  constructor({ flowsMax, placesMax, seed, ports }: DatagramFlowsOptions, addresses: ClientAddresses) {
    this.#table = new FlowTable(flowsMax, seed);
    this.#ports = new PortAllocator(placesMax, seed, ports);
    this.#addresses = addresses;
    this.#clientPorts = new Uint16Array(flowsMax);
    this.#onlines = new Uint16Array(flowsMax);
    this.#firstPlaces = new Int32Array(flowsMax);
    this.#older = new Int32Array(flowsMax);
    this.#younger = new Int32Array(flowsMax);
    this.#placePorts = new Uint16Array(placesMax);
    this.#portKeys = new Uint16Array(placesMax);
    this.#nextPlaces = new Int32Array(placesMax);
  }

  /** Flows that are remembered. */
  get count(): number {
    return this.#count;
  }

  /** The client of the flow that was found last: an array that others may share. */
  get client(): IpAddress {
    return this.#clients[this.#flow]!;
  }

  /** Finds the flow of a client's datagram to `online`, or makes it; {@link portAtNext} follows, for each target in turn. */
  find(bytes: Uint8Array, header: DatagramHeader, online: number): void {
    const { addressOffset, addressBytes, sourcePort } = header;
    this.#place = NONE;
    const known = this.#table.get(bytes, addressOffset, addressBytes, sourcePort, online);
    if (known !== NONE) {
      this.#flow = known;
      if (known === this.#head) return;
      this.#unlink(known);
      this.#link(known);
      return;
    }
    const flow = this.#takeFlow();
    this.#flow = flow;
    this.#clients[flow] = this.#addresses.shared(bytes, addressOffset, addressBytes);
    this.#clientPorts[flow] = sourcePort;
    this.#onlines[flow] = online;
    this.#firstPlaces[flow] = NONE;
    this.#table.set(bytes, addressOffset, addressBytes, sourcePort, online, flow);
    this.#count += 1;
    this.#link(flow);
  }

  /** The flow's port at its next target, for datagrams from `source`; 0: there is none. */
  portAtNext(source: IpAddress, portKey: number): number {
    const flow = this.#flow;
    const previous = this.#place;
    let place = previous === NONE ? this.#firstPlaces[flow]! : this.#nextPlaces[previous]!;
    if (place === NONE) {
      place = this.#takePlace();
      if (place === NONE) return 0;
      if (previous === NONE) this.#firstPlaces[flow] = place;
      else this.#nextPlaces[previous] = place;
    }
    this.#place = place;
    const has = this.#sources[place];
    if (has !== undefined && isSame(has, source) && this.#portKeys[place] === portKey) return this.#placePorts[place]!;
    // The place is new, or the settings are.
    this.#releasePort(place);
    return this.#takePort(place, source, portKey);
  }

  /** Goes on behind so many targets. */
  skip(targets: number): void {
    for (let index = 0; index < targets; index += 1) {
      const next = this.#place === NONE ? this.#firstPlaces[this.#flow]! : this.#nextPlaces[this.#place]!;
      if (next === NONE) return;
      this.#place = next;
    }
  }

  #takePort(place: number, source: IpAddress, portKey: number): number {
    const clientPort = this.#clientPorts[this.#flow]!;
    let port = clientPort;
    // A client that wants no answer may have port 0 (RFC 768), which intercept takes for nobody's.
    if (clientPort === 0 || !this.#ports.take(source, clientPort, portKey, place)) {
      const salt = (clientPort * 65_599 + place) | 0;
      port = this.#ports.takeAny(source, portKey, salt, place);
      if (port === 0) {
        for (let ended = 0; ended < ENDED_FOR_A_PORT && this.#endOldest(); ended += 1);
        port = this.#ports.takeAny(source, portKey, salt, place);
      }
    }
    if (port === 0) return 0;
    this.#sources[place] = source;
    this.#placePorts[place] = port;
    this.#portKeys[place] = portKey;
    return port;
  }

  #releasePort(place: number): void {
    const source = this.#sources[place];
    if (source === undefined) return;
    this.#ports.release(source, this.#placePorts[place]!, this.#portKeys[place]!);
    this.#sources[place] = undefined;
  }

  #takeFlow(): number {
    if (this.#freeFlow === NONE && this.#flowsUsed < this.#older.length) {
      this.#flowsUsed += 1;
      return this.#flowsUsed - 1;
    }
    if (this.#freeFlow === NONE) {
      this.#flow = NONE;
      this.#endOldest();
    }
    const flow = this.#freeFlow;
    this.#freeFlow = this.#older[flow]!;
    return flow;
  }

  /** NONE: all of them are this flow's. */
  #takePlace(): number {
    let place = this.#freePlace;
    if (place === NONE && this.#placesUsed < this.#nextPlaces.length) {
      place = this.#placesUsed;
      this.#placesUsed += 1;
    } else {
      while (this.#freePlace === NONE && this.#endOldest());
      place = this.#freePlace;
      if (place === NONE) return NONE;
      this.#freePlace = this.#nextPlaces[place]!;
    }
    this.#nextPlaces[place] = NONE;
    return place;
  }

  /** Ends the flow that was quiet longest. False: there is none but the one at work. */
  #endOldest(): boolean {
    const flow = this.#tail;
    if (flow === NONE || flow === this.#flow) return false;
    const client = this.#clients[flow]!;
    this.#table.delete(client, 0, client.length, this.#clientPorts[flow]!, this.#onlines[flow]!);
    for (let place = this.#firstPlaces[flow]!; place !== NONE; ) {
      const next = this.#nextPlaces[place]!;
      this.#releasePort(place);
      this.#nextPlaces[place] = this.#freePlace;
      this.#freePlace = place;
      place = next;
    }
    this.#unlink(flow);
    this.#clients[flow] = undefined;
    this.#older[flow] = this.#freeFlow;
    this.#freeFlow = flow;
    this.#count -= 1;
    return true;
  }

  #link(flow: number): void {
    this.#older[flow] = this.#head;
    this.#younger[flow] = NONE;
    if (this.#head === NONE) this.#tail = flow;
    else this.#younger[this.#head] = flow;
    this.#head = flow;
  }

  #unlink(flow: number): void {
    const older = this.#older[flow]!;
    const younger = this.#younger[flow]!;
    if (younger === NONE) this.#head = older;
    else this.#older[younger] = older;
    if (older === NONE) this.#tail = younger;
    else this.#younger[older] = younger;
  }
}

function isSame(one: IpAddress, other: IpAddress): boolean {
  return one === other || (one.length === other.length && ipAddressesEqual(one, 0, other, 0, one.length));
}
