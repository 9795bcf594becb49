/** Addresses and ranges in JSON payloads: checked as text, so that whoever uses them later need not doubt them. */
import { parseIpAddress } from '../wire/ip-address.js';

/** Longest text of an address (IPv6 with IPv4 at its end), and of a range. */
const ADDRESS_LENGTH_MAX = 45;
const RANGE_PATTERN = /^([0-9A-Fa-f.:]{2,45})\/(0|[1-9]\d{0,2})$/;

export function isAddress(text: string): boolean {
  return text.length <= ADDRESS_LENGTH_MAX && parseIpAddress(text) !== undefined;
}

/** `198.18.0.0/15`, `fd00::/64`. */
export function isAddressRange(text: string): boolean {
  const match = RANGE_PATTERN.exec(text);
  const address = match === null ? undefined : parseIpAddress(match[1]!);
  return match !== null && address !== undefined && Number(match[2]) <= address.length * 8;
}
