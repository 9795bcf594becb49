import {
  FRAME,
  RECORD_PACKET,
  RECORD_RELEASE,
  REPLAY_RECORD_HEADER_BYTES,
  ReplayBatch,
  readU16,
  readU32,
} from '@trafficcopy/core';
import { createSinkCounters, type PacketSink, type SinkChannel } from './packet-sink.js';

/** A raw socket of one IP family; packets of the other are skipped. The part of native's RawSender that is used here. */
export interface DirectSender {
  /** Packets handed to the kernel; fills in checksums in place. */
  send(batch: ReplayBatch): number;
  statistics(): { readonly failed: number };
  close(): void;
}

/** Octets and packets of one frame of registrations: a SYN has 120 octets at most. */
const FLOWS_BYTES_MAX = 64 * 1024;
const FLOWS_PACKETS_MAX = 512;

/**
 * Direct delivery: raw sockets send the packets to the target themselves; intercept there only hears of the flows, over
 * the lane's channel, before their first packet leaves. Without a channel nothing is sent: nobody would catch the answers.
 */
export class DirectSink implements PacketSink {
  readonly counters = createSinkCounters();
  private readonly senders: readonly DirectSender[];
  private readonly flows = new ReplayBatch(FLOWS_BYTES_MAX, FLOWS_PACKETS_MAX);
  private channel: SinkChannel | undefined;

  /** @param senders one for each IP family of the lane's targets; closed with the sink */
  constructor(senders: readonly DirectSender[]) {
    this.senders = senders;
  }

  useChannel(channel: SinkChannel | undefined): void {
    this.channel = channel;
  }

  send(batch: ReplayBatch): void {
    const { channel, counters } = this;
    if (channel === undefined) {
      counters.packetsWithoutChannel += batch.count;
      return;
    }
    this.announceFlows(channel, batch);
    let packets = 0;
    for (const sender of this.senders) packets += sender.send(batch);
    counters.packets += packets;
    counters.bytes += batch.length - batch.headroomBytes;
    counters.packetsFailed += batch.count - packets;
  }

  register(batch: ReplayBatch): void {
    if (this.channel === undefined || this.channel.sendBatch(FRAME.REGISTER, batch)) return;
    this.counters.packetsRefused += batch.count;
  }

  /**
   * Flows that begin and end in this batch, in its order: a session id that was released may be in use again behind it.
   * A SYN whose registration the channel refused goes out all the same; its answer is unknown to intercept, which drops it, and
   * the session's timer opens it again.
   */
  private announceFlows(channel: SinkChannel, batch: ReplayBatch): void {
    const { bytes } = batch;
    let pendingKind = RECORD_PACKET;
    for (let at = batch.headroomBytes; at < batch.length; ) {
      const packetBytes = readU16(bytes, at + 4);
      const kind = bytes[at + 6]!;
      if (kind !== RECORD_PACKET) {
        if (kind !== pendingKind || !this.flows.hasRoom(packetBytes)) this.sendFlows(channel, pendingKind);
        pendingKind = kind;
        this.flows.append(readU32(bytes, at), kind, packetBytes);
        const recordBytes = REPLAY_RECORD_HEADER_BYTES + packetBytes;
        this.flows.bytes.set(bytes.subarray(at, at + recordBytes), this.flows.length - paddedBytes(recordBytes));
      }
      at += REPLAY_RECORD_HEADER_BYTES + paddedBytes(packetBytes);
    }
    if (pendingKind === RECORD_PACKET) return;
    this.sendFlows(channel, pendingKind);
    channel.flush();
  }

  private sendFlows(channel: SinkChannel, kind: number): void {
    if (this.flows.isEmpty) return;
    const type = kind === RECORD_RELEASE ? FRAME.RELEASE : FRAME.REGISTER;
    if (!channel.sendBatch(type, this.flows)) this.counters.packetsRefused += this.flows.count;
    this.flows.clear();
  }

  close(): void {
    this.channel = undefined;
    for (const sender of this.senders) sender.close();
  }
}

function paddedBytes(bytes: number): number {
  return (bytes + 3) & ~3;
}
