import type { Socket } from 'node:net';

/** `10.1.2.3:40000` or `[fd00::1]:40000`; an IPv4 address that a dual-stack socket saw is written as IPv4. */
export function socketText(address: string, port: number): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** The other end of a socket. */
export function remoteText(socket: Socket): string {
  return socketText(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0);
}
