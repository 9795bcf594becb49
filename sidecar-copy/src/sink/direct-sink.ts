import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  FRAME,
  PACKET_ENTRY_FIELDS,
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
  /** Of the last send: pairs of a packet's index in the batch that was too big, and what its route carries (0: not known). */
  tooBig(): Float64Array;
  statistics(): { readonly failed: number };
  close(): void;
}

/** A packet at [offset, end) of `bytes` that the kernel's own route does not carry: packets of `mtuBytes` it does (0: not known). */
export type TooBigListener = (bytes: Uint8Array, offset: number, end: number, mtuBytes: number) => void;

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
  private readonly onTooBig: TooBigListener;
  private channel: SinkChannel | undefined;

  /**
   * @param senders one for each IP family of the lane's targets; closed with the sink
   * @param onTooBig called during {@link send}
   */
  constructor(senders: readonly DirectSender[], onTooBig: TooBigListener) {
    this.senders = senders;
    this.onTooBig = onTooBig;
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
    if (packets < batch.count) this.reportTooBig(batch);
  }

  /** The device before the first router may carry less than -M says: the session's segments must become smaller, not get lost for ever. */
  private reportTooBig({ bytes, entries }: ReplayBatch): void {
    for (const sender of this.senders) {
      const pairs = sender.tooBig();
      for (let at = 0; at < pairs.length; at += 2) {
        const entry = pairs[at]! * PACKET_ENTRY_FIELDS;
        const offset = entries[entry + ENTRY_OFFSET]!;
        this.onTooBig(bytes, offset, offset + entries[entry + ENTRY_CAPTURED_BYTES]!, pairs[at + 1]!);
      }
    }
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
