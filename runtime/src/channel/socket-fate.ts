import type { Socket } from 'node:net';

/** What is known of why a socket ends, gathered until it has. */
export class SocketFate {
  /** The first error of the socket. */
  cause: Error | undefined;
  /** The peer has gone on purpose, or its process has. */
  peerHasLeft = false;

  constructor(socket: Socket) {
    socket.on('end', () => {
      this.peerHasLeft = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.cause ??= error;
      // A reset comes from a host where the socket is gone; anything else may be the way's.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.peerHasLeft = true;
    });
  }
}
