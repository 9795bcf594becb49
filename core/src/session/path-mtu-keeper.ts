/** Finds out how large packets may be on the way to each endpoint, and keeps the sessions there within it (RFC 1191, 8201, 4821). */
import type { EngineCounters } from '../counters.js';
import type { PortAllocator } from '../flow/port-allocator.js';
import { sizeBetween } from '../seq.js';
import { IPV4_HEADER_BYTES, IPV6_HEADER_BYTES } from '../wire/ip-header.js';
import { TCP_HEADER_BYTES } from '../wire/tcp.js';
import type { TooBig } from '../wire/too-big.js';
import { BLACK_HOLE_MTUS_V4, BLACK_HOLE_MTUS_V6, pathMtuAfter } from './path-mtu.js';
import type { SegmentWriter } from './segment-writer.js';
import type { Session } from './session.js';
import type { SessionTable } from './session-table.js';

/** Timeouts of one segment before smaller ones are tried (Linux: tcp_retries1). */
export const TIMEOUTS_BEFORE_SMALLER = 3;

export class PathMtuKeeper {
  readonly #table: SessionTable;
  readonly #ports: PortAllocator;
  readonly #counters: EngineCounters;
  readonly #writer: SegmentWriter;
  /** Called with sessions that have something to send by it. */
  readonly #touch: (session: Session) => void;

  constructor(
    table: SessionTable,
    ports: PortAllocator,
    counters: EngineCounters,
    writer: SegmentWriter,
    touch: (session: Session) => void,
  ) {
    this.#table = table;
    this.#ports = ports;
    this.#counters = counters;
    this.#writer = writer;
    this.#touch = touch;
  }

  /**
   * A packet towards the endpoint with this key was too big for its path. Counts when it is one that is in flight: nobody else
   * can know its number (RFC 5927 4).
   */
  noteTooBig(bytes: Uint8Array, tooBig: TooBig, portKey: number, nowMs: number): void {
    const { addressOffset, addressBytes, sourcePort, mtuBytes, packetBytes } = tooBig;
    const session = this.#table.at(this.#ports.holderOf(bytes, addressOffset, addressBytes, sourcePort, portKey));
    if (session?.endpoint === undefined || !session.replay.isSynchronized) return;
    const { replay } = session;
    const ahead = sizeBetween(replay.seqAt(replay.sndUnaOffset), tooBig.seq);
    if (ahead < 0 || ahead >= replay.sndMaxOffset - replay.sndUnaOffset) return;
    const isV6 = addressBytes === 16;
    const pathMtuBytes = pathMtuAfter(mtuBytes, packetBytes, isV6);
    if (session.endpoint.narrowPath(pathMtuBytes, nowMs)) this.#narrowAll(portKey, pathMtuBytes);
    else this.#narrow(session, session.endpoint.pathMtuBytes);
  }

  #narrowAll(portKey: number, pathMtuBytes: number): void {
    for (const session of this.#table.all) {
      if (session?.endpoint?.portKey !== portKey) continue;
      session.endpoint.pathMtuBytes = Math.min(session.endpoint.pathMtuBytes, pathMtuBytes);
      this.#narrow(session, pathMtuBytes);
    }
  }

  #narrow(session: Session, pathMtuBytes: number): void {
    if (!session.replay.narrow(this.#textMax(session, pathMtuBytes))) return;
    this.#counters.pathsNarrowed += 1;
    this.#touch(session);
  }

  /** Text of a segment on such a path, options taken off. */
  #textMax({ replay, clientAddress }: Session, pathMtuBytes: number): number {
    return this.#writer.mssMax(clientAddress.length === 16, pathMtuBytes) - replay.optionBytes;
  }

  /** Full segments get no answer: perhaps the path is narrow, and who says so is not heard. */
  trySmaller(session: Session): void {
    const { replay, clientAddress } = session;
    const sizes = clientAddress.length === 16 ? BLACK_HOLE_MTUS_V6 : BLACK_HOLE_MTUS_V4;
    const size = sizes[replay.retransmits - TIMEOUTS_BEFORE_SMALLER];
    if (size === undefined) return;
    if (replay.trySmaller(this.#textMax(session, size))) this.#counters.pathsNarrowed += 1;
  }

  onBlackHole(session: Session, nowMs: number): void {
    const { replay, clientAddress } = session;
    const endpoint = session.endpoint!;
    const ipBytes = clientAddress.length === 16 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES;
    const pathMtuBytes = ipBytes + TCP_HEADER_BYTES + replay.optionBytes + replay.mss;
    if (endpoint.noteBlackHole(pathMtuBytes, !replay.hasFullThrough, nowMs))
      this.#narrowAll(endpoint.portKey, pathMtuBytes);
  }
}
