import type { Socket } from 'node:net';
import { isTunnelStart, type WireVersion } from '@trafficcopy/core';
import { ChannelError } from './channel-error.js';
import type { ForeignServer } from './foreign-server.js';
import { WireTunnel } from './wire-tunnel.js';

export interface WireTunnelServerOptions {
  /** Those that are let in; the others are told to the log. */
  readonly versions: readonly WireVersion[];
  /** Tunnels, those included that have not said their hello. */
  readonly tunnelsMax: number;
  /** Octets that may wait for one of them. */
  readonly queueBytesMax: number;
  /** False: no place for it. */
  onTunnel(tunnel: WireTunnel): boolean;
  /** A message behind the hello: 14 octets at `offset`, valid during the call only. */
  onMessage(tunnel: WireTunnel, bytes: Uint8Array, offset: number): void;
  /** Once for each tunnel that onTunnel took. */
  onClose(tunnel: WireTunnel, reason: ChannelError): void;
  onRefusal(error: ChannelError, remote: string): void;
}

/** The C tcpcopies at the port of a channel server without TLS: who reaches the port is let in. */
export class WireTunnelServer implements ForeignServer {
  readonly #options: WireTunnelServerOptions;
  readonly #tunnels = new Set<WireTunnel>();
  #refusals = 0;

  constructor(options: WireTunnelServerOptions) {
    this.#options = options;
  }

  get tunnels(): ReadonlySet<WireTunnel> {
    return this.#tunnels;
  }

  /** Peers that began like a tcpcopy and were not let in. */
  get refusals(): number {
    return this.#refusals;
  }

  isForeign(bytes: Uint8Array, length: number): boolean | undefined {
    return isTunnelStart(bytes, length);
  }

  accept(socket: Socket, remote: string, first: Uint8Array): void {
    const { versions, tunnelsMax, queueBytesMax, onTunnel, onMessage, onClose } = this.#options;
    if (this.#tunnels.size >= tunnelsMax) {
      socket.destroy();
      this.#refused(
        new ChannelError('ERR_CHANNEL_PROTOCOL', `tooManyConnections: ${tunnelsMax} tunnels are open, the limit`),
        remote,
      );
      return;
    }
    const tunnel = new WireTunnel(socket, remote, versions, queueBytesMax, {
      onOpen: onTunnel,
      onMessage,
      onEnd: (ended, reason) => {
        this.#tunnels.delete(ended);
        onClose(ended, reason);
      },
      onRefusal: (error) => {
        this.#tunnels.delete(tunnel);
        this.#refused(error, remote);
      },
    });
    this.#tunnels.add(tunnel);
    tunnel.read(first);
  }

  close(reason: string): void {
    for (const tunnel of this.#tunnels) tunnel.close(reason);
  }

  #refused(error: ChannelError, remote: string): void {
    this.#refusals += 1;
    this.#options.onRefusal(error, remote);
  }
}
