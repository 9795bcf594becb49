import { FRAME, type WireFormat } from '@trafficcopy/core';
import { WireTunnelClient } from '@trafficcopy/runtime';
import type { InterceptChannelOptions } from './intercept-channel.js';

/** What a tunnel to a C intercept needs beyond what a channel does. */
export interface WirePlan {
  readonly format: WireFormat;
  readonly sessionsMax: number;
  readonly seed: number;
}

/** The tunnel to one C intercept, in the place of an {@link InterceptChannel}: there is nobody to prove anything to. */
export class WireChannel {
  private readonly client: WireTunnelClient;

  constructor(options: InterceptChannelOptions, plan: WirePlan) {
    const { host, port, queueBytesMax, onUp, onFrame, onDown, onDrain } = options;
    this.client = new WireTunnelClient({
      ...plan,
      host,
      port,
      queueBytesMax,
      onUp,
      onHeaders: (bytes, length) => onFrame(FRAME.HEADERS, bytes, 0, length),
      onDown: (reason) => onDown(reason, true),
      onDrain,
    });
  }

  start(): void {
    this.client.start();
  }

  setCredentials(): void {}

  close(): void {
    this.client.close();
  }
}
