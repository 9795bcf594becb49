import { addon } from './addon.js';

/**
 * Octets that were written to a TCP socket and that the other end has not acknowledged, its FIN counted as one; undefined where `fd` is
 * no such socket (any more).
 */
export function unacknowledgedOctets(fd: number): number | undefined {
  const octets = addon().unacknowledgedOctets(fd);
  return octets < 0 ? undefined : octets;
}
