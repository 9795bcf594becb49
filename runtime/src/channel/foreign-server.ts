import type { Socket } from 'node:net';

/** Serves another protocol on the port of a {@link ChannelServer} without TLS; the first octets tell which a peer speaks. */
export interface ForeignServer {
  /** Undefined: too few octets to tell. */
  isForeign(bytes: Uint8Array, length: number): boolean | undefined;
  /** Takes the socket over; `first` was read from it already. Its errors are being listened to. */
  accept(socket: Socket, remote: string, first: Uint8Array): void;
}
