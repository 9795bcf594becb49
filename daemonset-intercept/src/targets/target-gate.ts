/**
 * Decides which packets may be injected: to which destinations, and from which sources.
 *
 * A destination is served when it is an address of the target's namespace, is on the list of --target (when there is one), and,
 * where the copy's identity names targets, is among those. A source is refused when it is one that the target trusts as its own
 * (loopback, or an address of its namespace: a service may let in without a password who comes from there), unless the
 * list of --allow-source has it; when it is on the pass list: those clients are the target's own, and are never played; and
 * when no host can have it (unspecified, multicast, broadcast).
 */
import {
  type AddressRange,
  hasPrefix,
  type IpAddress,
  isInRanges,
  type PacketHeader,
  parseIpAddress,
} from '@trafficcopy/core';
import { AddressSet } from './address-set.js';

/** An address and port, either of which may be open. */
export interface TargetPattern {
  readonly address: IpAddress | undefined;
  readonly port: number | undefined;
  /** Clients that may be played there; undefined or empty: any that is not refused otherwise. */
  readonly clientRanges?: readonly AddressRange[] | undefined;
}

/** Where the addresses of a flow stand in some bytes, client's first, and its ports. */
export type FlowEnds = Pick<PacketHeader, 'addressOffset' | 'addressBytes' | 'sourcePort' | 'destinationPort'>;

export interface TargetGateOptions {
  /** Empty: every local address and port. */
  readonly served: readonly TargetPattern[];
  /** Local source addresses that are let through nevertheless. */
  readonly allowedSources: readonly AddressRange[];
  /** Clients of the target itself (tcpcopy's pass list): nothing is injected in their name. */
  readonly passed: readonly AddressRange[];
}

export class TargetGate {
  readonly #served: readonly TargetPattern[];
  readonly #allowedSources: readonly AddressRange[];
  readonly #passed: readonly AddressRange[];
  #localTexts = new Set<string>();
  #local = new AddressSet();

  constructor(options: TargetGateOptions) {
    this.#served = options.served;
    this.#allowedSources = options.allowedSources;
    this.#passed = options.passed;
  }

  /** Addresses of the namespace, in canonical text form. */
  setLocalAddresses(addresses: Iterable<string>): void {
    this.#localTexts = new Set(addresses);
    this.#local = new AddressSet(
      [...this.#localTexts].map((text) => parseIpAddress(text)).filter((address) => address !== undefined),
    );
  }

  get localAddresses(): ReadonlySet<string> {
    return this.#localTexts;
  }

  /** Called for each flow and for each datagram: makes nothing. `permitted` undefined: the identity does not restrict. */
  servesDestination(bytes: Uint8Array, ends: FlowEnds, permitted: readonly TargetPattern[] | undefined): boolean {
    if (!this.#isLocal(bytes, ends.addressOffset + ends.addressBytes, ends.addressBytes)) return false;
    if (this.#served.length > 0 && !oneLeadsTo(this.#served, bytes, ends)) return false;
    return permitted === undefined || oneLeadsTo(permitted, bytes, ends);
  }

  /** As {@link servesDestination}, for the source. */
  permitsSource(bytes: Uint8Array, ends: FlowEnds, permitted: readonly TargetPattern[] | undefined): boolean {
    const { addressOffset, addressBytes } = ends;
    if (ends.sourcePort === 0 || cannotBeHost(bytes, addressOffset, addressBytes)) return false;
    if (isInRanges(bytes, addressOffset, addressBytes, this.#passed)) return false;
    if (permitted !== undefined && !onePlays(permitted, bytes, ends)) return false;
    if (!this.#isLocal(bytes, addressOffset, addressBytes)) return true;
    return isInRanges(bytes, addressOffset, addressBytes, this.#allowedSources);
  }

  #isLocal(bytes: Uint8Array, offset: number, addressBytes: number): boolean {
    // All of 127.0.0.0/8 is local (RFC 1122 3.2.1.3), although one of them is configured.
    if (addressBytes === 4 && bytes[offset] === 127) return true;
    return this.#local.has(bytes, offset, addressBytes);
  }
}

function oneLeadsTo(patterns: readonly TargetPattern[], bytes: Uint8Array, ends: FlowEnds): boolean {
  for (const pattern of patterns) if (leadsTo(pattern, bytes, ends)) return true;
  return false;
}

function onePlays(patterns: readonly TargetPattern[], bytes: Uint8Array, ends: FlowEnds): boolean {
  for (const pattern of patterns) if (leadsTo(pattern, bytes, ends) && plays(pattern, bytes, ends)) return true;
  return false;
}

function leadsTo({ address, port }: TargetPattern, bytes: Uint8Array, ends: FlowEnds): boolean {
  if (port !== undefined && port !== ends.destinationPort) return false;
  if (address === undefined) return true;
  const { addressOffset, addressBytes } = ends;
  return address.length === addressBytes && hasPrefix(bytes, addressOffset + addressBytes, address, addressBytes * 8);
}

function plays({ clientRanges = [] }: TargetPattern, bytes: Uint8Array, ends: FlowEnds): boolean {
  if (clientRanges.length === 0) return true;
  return isInRanges(bytes, ends.addressOffset, ends.addressBytes, clientRanges);
}

/** 0.0.0.0/8, 224.0.0.0/4, 240.0.0.0/4 with broadcast (RFC 6890); ::, ff00::/8, and IPv4-mapped addresses. */
function cannotBeHost(bytes: Uint8Array, offset: number, addressBytes: number): boolean {
  const first = bytes[offset]!;
  if (addressBytes === 4) return first === 0 || first >= 224;
  if (first === 0xff) return true;
  for (let at = 0; at < 10; at += 1) if (bytes[offset + at] !== 0) return false;
  const [high, low] = [bytes[offset + 10]!, bytes[offset + 11]!];
  if (high === 0xff && low === 0xff) return true;
  for (let at = 10; at < 16; at += 1) if (bytes[offset + at] !== 0) return false;
  return true;
}
