/**
 * Writes the packets of sessions into their lane's output batch. Checksums stay 0: native code fills them in.
 */
import { RECORD_OPEN, RECORD_PACKET, RECORD_RELEASE } from '../batch/replay-batch.js';
import type { EngineCounters } from '../counters.js';
import type { EngineConfig } from '../engine-config.js';
import type { Seq } from '../seq.js';
import { writeU16, writeU32 } from '../wire/bytes.js';
import { IPPROTO_TCP, IPV4_HEADER_BYTES, IPV6_HEADER_BYTES } from '../wire/ip-header.js';
import { ipHeaderBytes, writeIpHeader } from '../wire/ip-writer.js';
import { ACK, SYN, TCP_HEADER_BYTES } from '../wire/tcp.js';
import { writeExperiment, writeMss, writeTimestamps, writeWindowScale } from '../wire/tcp-options.js';
import type { ByteStore } from './byte-store.js';
import type { Lanes } from './lanes.js';
import { RCV_WINDOW_FIELD, RCV_WINDOW_SCALE } from './replay.js';
import type { Session } from './session.js';

const TIMESTAMPS_BYTES = 12;
const EXPERIMENT_BYTES = 4;

export class SegmentWriter {
  readonly #lanes: Lanes;
  readonly #store: ByteStore;
  readonly #counters: EngineCounters;
  readonly #mtuBytes: number;
  /** Octets of our option in every segment: in Direct delivery the target knows a copied packet by nothing else. */
  readonly markBytes: number;
  /** Our timestamp clock at the current time, unsigned 32 bits (RFC 7323 5.4: 1 ms). */
  tsNow = 0;

  constructor(lanes: Lanes, store: ByteStore, counters: EngineCounters, config: EngineConfig) {
    this.#lanes = lanes;
    this.#store = store;
    this.#counters = counters;
    this.#mtuBytes = config.mtuBytes;
    this.markBytes = config.markSegments ? EXPERIMENT_BYTES : 0;
  }

  /** Largest payload of a segment without options on a path that carries packets of `pathMtuBytes`. */
  mssMax(isV6: boolean, pathMtuBytes = Number.POSITIVE_INFINITY): number {
    return Math.min(this.#mtuBytes, pathMtuBytes) - TCP_HEADER_BYTES - (isV6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES);
  }

  /** Sends the SYN (kind RECORD_OPEN). False when the batch has no room. */
  syn(session: Session, kind = RECORD_OPEN): boolean {
    const { replay, captured } = session;
    const isV6 = session.clientAddress.length === 16;
    const optionBytes =
      4 + (replay.offersWindowScale ? 4 : 0) + (replay.offersTimestamps ? TIMESTAMPS_BYTES : 0) + this.markBytes;
    const at = this.#begin(session, kind, SYN, replay.iss, optionBytes, 0);
    if (at < 0) return false;
    const bytes = this.#lanes.outputs[session.endpoint!.lane]!.bytes;
    const mssMax = this.mssMax(isV6);
    writeMss(bytes, at, captured.mss > 0 ? Math.min(captured.mss, mssMax) : mssMax);
    let next = at + 4;
    if (replay.offersWindowScale) {
      writeWindowScale(bytes, next, RCV_WINDOW_SCALE);
      next += 4;
    }
    if (replay.offersTimestamps) {
      writeTimestamps(bytes, next, this.tsNow, 0);
      next += TIMESTAMPS_BYTES;
    }
    if (this.markBytes > 0) writeExperiment(bytes, next);
    return true;
  }

  /** Sends a segment with `payloadBytes` of the stream from `offset` on. False when the batch has no room. */
  segment(session: Session, flags: number, offset: number, payloadBytes: number): boolean {
    const { replay } = session;
    const timestampBytes = replay.hasTimestamps ? TIMESTAMPS_BYTES : 0;
    const optionBytes = timestampBytes + this.markBytes;
    const at = this.#begin(session, RECORD_PACKET, flags, replay.seqAt(offset), optionBytes, payloadBytes);
    if (at < 0) return false;
    const bytes = this.#lanes.outputs[session.endpoint!.lane]!.bytes;
    if (timestampBytes > 0) writeTimestamps(bytes, at, this.tsNow, replay.tsRecent);
    if (this.markBytes > 0) writeExperiment(bytes, at + timestampBytes);
    if (payloadBytes > 0) {
      const stream = session.script?.out ?? session.captured.stream;
      stream.read(this.#store, offset, payloadBytes, bytes, at + optionBytes);
      this.#counters.bytesSent += payloadBytes;
    }
    return true;
  }

  /** Sends a segment without payload at a sequence number of its own: resets of half-open connections. */
  bare(session: Session, flags: number, seq: Seq): boolean {
    const at = this.#begin(session, RECORD_PACKET, flags, seq, this.markBytes, 0);
    if (at < 0) return false;
    if (this.markBytes > 0) writeExperiment(this.#lanes.outputs[session.endpoint!.lane]!.bytes, at);
    return true;
  }

  /** Tells the intercept of a lane that the flow of a session is over. */
  release(sessionId: number, lane: number): boolean {
    const output = this.#lanes.outputs[lane]!;
    if (!output.hasRoom(0)) return false;
    output.append(sessionId, RECORD_RELEASE, 0);
    return true;
  }

  /** Writes the headers; returns where the TCP options begin, or -1 when there is no room. */
  #begin(session: Session, kind: number, flags: number, seq: Seq, optionBytes: number, payloadBytes: number): number {
    const { replay, clientAddress } = session;
    const endpoint = session.endpoint!;
    const tcpBytes = TCP_HEADER_BYTES + optionBytes + payloadBytes;
    const packetBytes = tcpBytes + ipHeaderBytes(clientAddress);
    const output = this.#lanes.outputs[endpoint.lane]!;
    if (!output.hasRoom(packetBytes)) {
      this.#counters.outputOverflows += 1;
      return -1;
    }
    this.#counters.packetsSent += 1;
    const start = output.append(session.id, kind, packetBytes);
    const bytes = output.bytes;
    const at = writeIpHeader(bytes, start, IPPROTO_TCP, tcpBytes, clientAddress, endpoint.address);
    writeU16(bytes, at, session.clientPort);
    writeU16(bytes, at + 2, endpoint.port);
    writeU32(bytes, at + 4, seq);
    writeU32(bytes, at + 8, flags & ACK ? replay.rcvNxt : 0);
    bytes[at + 12] = ((TCP_HEADER_BYTES + optionBytes) >> 2) << 4;
    bytes[at + 13] = flags;
    writeU16(bytes, at + 14, RCV_WINDOW_FIELD);
    writeU32(bytes, at + 16, 0);
    return at + TCP_HEADER_BYTES;
  }
}
