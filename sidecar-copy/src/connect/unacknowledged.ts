import type { Socket } from 'node:net';
import { unacknowledgedOctets } from '@trafficcopy/native';

/**
 * Octets that the kernel has of a socket and the other end has not acknowledged, a FIN counted as one; undefined when the socket is closed.
 * Node.js has no other way to the descriptor than the handle (ADR 26).
 */
export function unacknowledged(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd === undefined ? undefined : unacknowledgedOctets(handle.fd);
}
