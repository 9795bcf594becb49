import type { IpAddress } from '../wire/ip-address.js';
import { ipAddressesEqual } from '../wire/ip-address.js';
import type { MappingState } from './mapping-state.js';

/** Addresses and ports of online that are told apart; packets to more are counted as unmapped. */
const ONLINES_MAX = 4096;

interface Online {
  readonly address: IpAddress;
  readonly port: number;
  mapping: MappingState | undefined;
}

/** Numbers for the addresses and ports that clients talk to, and the mapping that each of them has. */
export class OnlineTable {
  #mappings: readonly MappingState[] = [];
  readonly #onlines: Online[] = [];
  #last = 0;

  /** Puts other mappings in force. Numbers stay: connections are known by them. */
  setMappings(mappings: readonly MappingState[]): void {
    this.#mappings = mappings;
    for (const online of this.#onlines) online.mapping = this.#mappingOf(online.address, online.port);
  }

  /** The mapping of `online`; undefined when none fits any more. */
  mappingOf(online: number): MappingState | undefined {
    return this.#onlines[online]!.mapping;
  }

  /** The number of an address (4 or 16 octets at `offset`) and port, or -1 when no mapping fits. */
  find(bytes: Uint8Array, offset: number, addressBytes: number, port: number): number {
    const onlines = this.#onlines;
    const last = onlines[this.#last];
    if (last === undefined || !isOnline(last, bytes, offset, addressBytes, port)) {
      const known = this.#indexOf(bytes, offset, addressBytes, port);
      if (known < 0) return this.#add(bytes.slice(offset, offset + addressBytes), port);
      this.#last = known;
    }
    return onlines[this.#last]!.mapping === undefined ? -1 : this.#last;
  }

  #indexOf(bytes: Uint8Array, offset: number, addressBytes: number, port: number): number {
    const onlines = this.#onlines;
    for (let index = 0; index < onlines.length; index += 1) {
      if (isOnline(onlines[index]!, bytes, offset, addressBytes, port)) return index;
    }
    return -1;
  }

  #add(address: IpAddress, port: number): number {
    const mapping = this.#mappingOf(address, port);
    if (mapping === undefined) return -1;
    const online = { address, port, mapping };
    if (this.#onlines.length < ONLINES_MAX) return this.#onlines.push(online) - 1;
    // Connections of a mapping that is gone have ended: the number of one is free.
    const free = this.#onlines.findIndex((other) => other.mapping === undefined);
    if (free >= 0) this.#onlines[free] = online;
    return free;
  }

  #mappingOf(address: IpAddress, port: number): MappingState | undefined {
    return this.#mappings.find((mapping) => fits(mapping, address, port));
  }
}

function isOnline(online: Online, bytes: Uint8Array, at: number, addressBytes: number, port: number): boolean {
  return (
    online.port === port &&
    online.address.length === addressBytes &&
    ipAddressesEqual(online.address, 0, bytes, at, addressBytes)
  );
}

function fits(mapping: MappingState, address: IpAddress, port: number): boolean {
  if (mapping.onlinePort !== port || mapping.addressBytes !== address.length) return false;
  const { onlineAddress } = mapping;
  return onlineAddress === undefined || ipAddressesEqual(onlineAddress, 0, address, 0, address.length);
}
