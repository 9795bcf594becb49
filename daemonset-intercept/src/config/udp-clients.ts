/** Which addresses --udp-clients may name. Everything that is sent to them by UDP stays on the host: they must be nobody's. */
import { type AddressRange, type IpAddress, parseIpAddress, rangesOverlap } from '@trafficcopy/core';
import { type FlagValues, StartError, UsageError } from '@trafficcopy/runtime';
import { formatRange } from '../rules/wire-rules.js';
import type { NeededAddress } from '../targets/needed-addresses.js';
import type { INTERCEPT_FLAGS } from './intercept-flags.js';

type Values = Pick<FlagValues<typeof INTERCEPT_FLAGS>, 'udpClients' | 'pass' | 'operator'>;

const ADVICE =
  'give a range of addresses that nobody has, reserved for this, like 10.250.0.0/16 of a private network or fd00:c0de::/64, and the same one to copy as -c';

/** What no client has, and what a host cannot do without (RFC 6890, RFC 4291 2.4). */
const SPECIAL: readonly (readonly [range: AddressRange, what: string])[] = [
  [range('0.0.0.0', 8), 'addresses that no host has'],
  [range('127.0.0.0', 8), 'loopback'],
  [range('169.254.0.0', 16), 'link-local addresses'],
  [range('224.0.0.0', 3), 'multicast and broadcast'],
  [range('::', 8), 'loopback and other addresses that no host has'],
  [range('fe80::', 10), 'link-local addresses'],
  [range('ff00::', 8), 'multicast'],
];

/** Throws UsageError when a range cannot be meant, or flags do not go together. */
export function checkUdpClients({ udpClients, pass, operator }: Values): void {
  if (udpClients.length === 0) return;
  if (operator !== undefined) {
    throw new UsageError('--udp-clients and --operator exclude each other: in a cluster only TCP is copied');
  }
  for (const clients of udpClients) {
    const text = formatRange(clients);
    if (clients.prefixBits === 0) {
      throw new UsageError(`--udp-clients ${text}: no UDP at all would leave this host any more: ${ADVICE}`);
    }
    const special = SPECIAL.find(([other]) => rangesOverlap(clients, other));
    if (special !== undefined) throw new UsageError(`--udp-clients ${text}: it has ${special[1]} in it: ${ADVICE}`);
    const passed = pass.find((other) => rangesOverlap(clients, other));
    if (passed !== undefined) {
      throw new UsageError(
        `--udp-clients ${text} and -x/--pass ${formatRange(passed)} exclude each other: those clients would get no answer by UDP: ${ADVICE}`,
      );
    }
  }
}

/**
 * Before rules are put in place: `local` are the addresses of the namespace, canonical text.
 *
 * @throws StartError ERR_START_UDP_CLIENTS when a range has one of them in it.
 */
export function refuseLocalClients(udpClients: readonly AddressRange[], local: Iterable<string>): void {
  const clash = localClient(udpClients, local);
  if (clash !== undefined) throw new StartError('ERR_START_UDP_CLIENTS', clash);
}

/** What is wrong when a range has an address of the namespace in it, and what to do; undefined while none has. */
export function localClient(udpClients: readonly AddressRange[], local: Iterable<string>): string | undefined {
  if (udpClients.length === 0) return undefined;
  for (const text of local) {
    const clients = rangeWith(udpClients, text);
    if (clients === undefined) continue;
    return `--udp-clients ${formatRange(clients)}: ${text} in it is an address of the target's host, to which no UDP goes while the rules stand: ${ADVICE}`;
  }
  return undefined;
}

/**
 * Before rules are put in place: refuses ranges with an address that the host itself has business with.
 *
 * @throws StartError ERR_START_UDP_CLIENTS
 */
export function refuseNeededClients(udpClients: readonly AddressRange[], needed: readonly NeededAddress[]): void {
  for (const { address, what } of needed) {
    const clients = rangeWith(udpClients, address);
    if (clients === undefined) continue;
    throw new StartError(
      'ERR_START_UDP_CLIENTS',
      `--udp-clients ${formatRange(clients)}: ${address} in it is ${what} of the target's host, which could not send to it by UDP any more: ${ADVICE}`,
    );
  }
}

/** For the log: whom nobody here reaches by UDP any more. */
export function udpClientsNote(udpClients: readonly AddressRange[]): string {
  const texts = udpClients.map(formatRange).join(', ');
  return `--udp-clients: nothing but TCP to ${texts} leaves this host while intercept runs, whoever sends it`;
}

function range(text: string, prefixBits: number): AddressRange {
  return { address: parseIpAddress(text)!, prefixBits };
}

function rangeWith(ranges: readonly AddressRange[], text: string): AddressRange | undefined {
  const address = parseIpAddress(text);
  return address && ranges.find((one) => rangesOverlap(one, single(address)));
}

function single(address: IpAddress): AddressRange {
  return { address, prefixBits: address.length * 8 };
}
