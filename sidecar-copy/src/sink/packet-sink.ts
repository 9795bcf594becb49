import type { FrameType, ReplayBatch } from '@trafficcopy/core';

/** Cumulative figures of a sink. What is refused or fails is no loss yet: the session's timer sends it again. */
export interface SinkCounters {
  /** Packets handed to the channel or to the kernel. */
  packets: number;
  /** Octets of batches that were handed over, record headers included. */
  bytes: number;
  /** Packets that were not taken: the channel's queue was full. */
  packetsRefused: number;
  /** Packets that were not taken: the lane's channel was down. */
  packetsWithoutChannel: number;
  /** Packets that the kernel refused (Direct). */
  packetsFailed: number;
}

export function createSinkCounters(): SinkCounters {
  return { packets: 0, bytes: 0, packetsRefused: 0, packetsWithoutChannel: 0, packetsFailed: 0 };
}

/** The part of a channel connection that a sink uses. */
export interface SinkChannel {
  /** Copies the records into frames; false when the bounded queue took none of it, or not all. */
  sendBatch(type: FrameType, batch: ReplayBatch): boolean;
  /** Writes what is queued now instead of at the end of this turn of the loop. */
  flush(): void;
}

/** Where the engine's output for one lane goes. */
export interface PacketSink {
  readonly counters: SinkCounters;
  /** The lane's channel came up, or went away (undefined). */
  useChannel(channel: SinkChannel | undefined): void;
  /**
   * engine --crafted packets--> target. Takes what it can in the order of the batch, counts the rest, keeps no reference:
   * the caller clears the batch when the call returns. Checksums may be filled in in place. Never throws for traffic.
   */
  send(batch: ReplayBatch): void;
  /** copy --flows that are open--> intercept, after a channel came back: nothing of it is injected. Otherwise as send. */
  register(batch: ReplayBatch): void;
  close(): void;
}
