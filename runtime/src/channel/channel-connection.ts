import type { FrameType, Hello, ReplayBatch } from '@trafficcopy/core';
import type { PeerIdentity } from '../identity/peer-identity.js';

/** Cumulative figures of one connection. */
export interface ChannelStatistics {
  readonly framesSent: number;
  readonly bytesSent: number;
  readonly framesReceived: number;
  readonly bytesReceived: number;
  /** Frames that the full queue did not take, and their octets. */
  readonly framesDropped: number;
  readonly bytesDropped: number;
}

/** An established channel to one peer: both sides have said HELLO and accepted each other. */
export interface ChannelConnection {
  /** Unique in the process, never used again. */
  readonly id: number;
  /** What the peer says about itself. */
  readonly peer: Hello;
  /** Who the peer is, from its certificate; undefined without TLS. */
  readonly identity: PeerIdentity | undefined;
  /** `10.1.2.3:40000`, `[fd00::1]:40000`. */
  readonly remote: string;
  /** False once it is ending; then everything sent is dropped. */
  readonly isOpen: boolean;
  /**
   * The peer has ended its side, or its process is gone: nobody there takes the channel for open. False for a peer that fell
   * silent, or did not take the end in time.
   */
  readonly peerHasLeft: boolean;
  /** Octets that wait for the peer. */
  readonly queuedBytes: number;
  /** Frames that the full queue did not take. */
  readonly framesDropped: number;
  readonly statistics: ChannelStatistics;
  /**
   * Queues a frame; the payload is copied, and at most FRAME_PAYLOAD_BYTES_MAX octets. What is sent in one turn of the loop goes out in one
   * write. False when the bounded queue is full or the connection is ending: the frame is dropped whole and counted.
   */
  send(type: FrameType, payload: Uint8Array): boolean;
  /**
   * Queues the records of a batch (copied: the caller may clear it) in as few frames as the frame limit allows, split between
   * records. False when any of them was dropped.
   */
  sendBatch(type: FrameType, batch: ReplayBatch): boolean;
  /** Writes what is queued now instead of at the end of this turn of the loop. */
  flush(): void;
  /** Stops reading; the peer's queue fills, and drops. A pause longer than the peer's patience ends the connection. */
  pause(): void;
  resume(): void;
  /** Says GOAWAY with the reason, lets what is queued out for a moment, and closes. */
  close(reason: string): void;
}
