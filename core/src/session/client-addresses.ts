import { AddressPool } from '../flow/address-pool.js';
import { flowHash } from '../flow/flow-hash.js';
import type { AddressRange } from '../wire/address-range.js';
import { type IpAddress, ipAddressesEqual } from '../wire/ip-address.js';

/** Addresses that are remembered for sharing; a power of two. */
const ADDRESSES_MAX = 1024;

/** The addresses that sessions come from: those of their clients, or others that stand in for them (-c). */
export class ClientAddresses {
  readonly #seed: number;
  /** IPv4, IPv6. */
  #pools!: readonly [AddressPool, AddressPool];
  /** Addresses of late, by hash: connections of one client share their bytes. */
  readonly #known = new Array<IpAddress | undefined>(ADDRESSES_MAX).fill(undefined);

  constructor(ranges: readonly AddressRange[], seed: number) {
    this.#seed = seed;
    this.replaceBy(ranges);
  }

  /** Other addresses stand in from now on; with none, clients keep theirs. */
  replaceBy(ranges: readonly AddressRange[]): void {
    this.#pools = [new AddressPool(ranges, 4), new AddressPool(ranges, 16)];
  }

  /** The address as an array of its own, shared with other connections of the same client. */
  shared(bytes: Uint8Array, offset: number, length: number): IpAddress {
    const place = flowHash(0, bytes, offset, length, 0) & (ADDRESSES_MAX - 1);
    const known = this.#known[place];
    if (known !== undefined && known.length === length && ipAddressesEqual(known, 0, bytes, offset, length))
      return known;
    const address = bytes.slice(offset, offset + length);
    this.#known[place] = address;
    return address;
  }

  /**
   * The source address towards a target: always the same for a client. Clients of this host are told apart by nothing but their
   * ports: there each connection gets an address of its own.
   */
  towardsTarget(client: IpAddress, clientPort: number, copy: number): IpAddress {
    const pool = this.#pools[client.length === 16 ? 1 : 0];
    if (pool.size === 0) return client;
    const word = isLoopback(client) ? (clientPort << 16) | copy : copy;
    return this.shared(pool.choose(flowHash(this.#seed, client, 0, client.length, word)), 0, client.length);
  }
}

/** RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3. */
function isLoopback(address: IpAddress): boolean {
  if (address.length === 4) return address[0] === 127;
  return address[15] === 1 && address.every((octet, index) => octet === 0 || index === 15);
}
