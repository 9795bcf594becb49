import { FRAME, type FrameType, type ReplayBatch } from '@trafficcopy/core';
import { createSinkCounters, type PacketSink, type SinkChannel } from './packet-sink.js';

/** Tunnel delivery: the records travel inside the lane's channel as they stand, and intercept injects the packets. */
export class TunnelSink implements PacketSink {
  readonly counters = createSinkCounters();
  private channel: SinkChannel | undefined;

  useChannel(channel: SinkChannel | undefined): void {
    this.channel = channel;
  }

  send(batch: ReplayBatch): void {
    this.hand(FRAME.PACKETS, batch);
  }

  register(batch: ReplayBatch): void {
    this.hand(FRAME.REGISTER, batch);
  }

  private hand(type: FrameType, batch: ReplayBatch): void {
    const { channel, counters } = this;
    if (channel === undefined) {
      counters.packetsWithoutChannel += batch.count;
    } else if (channel.sendBatch(type, batch)) {
      counters.packets += batch.count;
      counters.bytes += batch.length - batch.headroomBytes;
      // More may be made before this turn of the loop ends.
      channel.flush();
    } else {
      counters.packetsRefused += batch.count;
    }
  }

  close(): void {
    this.channel = undefined;
  }
}
