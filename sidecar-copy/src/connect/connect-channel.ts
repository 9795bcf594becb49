/**
 * Delivery over ordinary connections (--connect): no raw socket, no intercept, no privilege.
 *
 *     engine ──segments──▶ ConnectChannel ──octets──▶ node:net ──▶ target
 *            ◀──headers───       one ConnectedFlow for each      ◀──
 *
 * It stands where the channel to an intercept stands, and does what intercept and the target's kernel do together: it takes the
 * engine's segments, ends their TCP here, and hands the octets to a socket; what becomes of that socket it tells the engine as
 * headers of the target's segments. So turns, gates, the ledger and everything else of the engine are the same as for packets.
 *
 * Nothing is lost or reordered between the two, so what a flow does of TCP is short (connected-flow.ts). The host's own TCP does the
 * rest, towards the target.
 */
import { connect, type Socket } from 'node:net';
import {
  FRAME,
  type FrameType,
  formatIpAddress,
  PAYLOAD_CAPABILITY,
  PacketHeader,
  parsePacket,
  RECORD_OPEN,
  RECORD_RELEASE,
  REPLAY_RECORD_HEADER_BYTES,
  RESPONSE_EVENT_FLOW_TABLE_FULL,
  type ReplayBatch,
  readU16,
  readU32,
} from '@trafficcopy/core';
import type { InterceptChannelOptions } from '../channel/intercept-channel.js';
import { ConnectedFlow, type FlowSurroundings, type SocketHandlers } from './connected-flow.js';
import { HeaderQueue } from './header-queue.js';
import { unacknowledged } from './unacknowledged.js';

/** What connecting needs beyond what a channel does. */
export interface ConnectPlan {
  /** Sockets at one time. */
  readonly socketsMax: number;
  /** First octets of what a socket reads at once that the engine gets; 0: none. */
  readonly keptBytesMax: number;
  /** A kind of failure that does not come from the target, once for each. */
  readonly onProblem: (message: string) => void;
}

/** Where all sockets read to: what a target says is counted, and kept only as far as the engine wants it. */
const READ_BYTES = 64 * 1024;
/** Ports come back one by one, as connections end and TIME-WAIT does (60 s): so often, so many flows try whether one has. */
const PORT_MS = 200;
const PORT_TRIES_MAX = 256;
/** Different ones that are told. */
const PROBLEMS_MAX = 20;

type Options = Pick<InterceptChannelOptions, 'queueBytesMax' | 'onUp' | 'onFrame' | 'onDrain'>;

export class ConnectChannel implements FlowSurroundings {
  readonly remote = 'ordinary connections';
  readonly identity = undefined;
  readonly peer = { name: 'this host', capabilities: [PAYLOAD_CAPABILITY] };
  /** Segments that were not taken are sent again by their sessions; nothing else is dropped. */
  readonly framesDropped = 0;
  /** Octets that wait in all sockets. */
  queuedBytes = 0;
  private readonly options: Options;
  private readonly plan: ConnectPlan;
  private readonly flows = new Map<number, ConnectedFlow>();
  private readonly headers: HeaderQueue;
  private readonly header = new PacketHeader();
  private readonly readBuffer = Buffer.allocUnsafe(READ_BYTES);
  private readonly problems = new Set<string>();
  private sockets = 0;
  /** Flows that had no local port, by session; and the timer that runs while there are some. */
  private readonly portless = new Map<number, ConnectedFlow>();
  private portTimer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(options: Options, plan: ConnectPlan) {
    this.options = options;
    this.plan = plan;
    this.headers = new HeaderQueue(plan.keptBytesMax, (bytes, length) =>
      options.onFrame(FRAME.HEADERS, bytes, 0, length),
    );
  }

  /** There is nobody to ask: it is up from the next turn of the loop on. */
  start(): void {
    setImmediate(() => {
      if (!this.isClosed) this.options.onUp(this);
    });
  }

  setCredentials(): void {}

  /** The engine has reset its sessions: what is left has nobody. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.headers.close();
    clearTimeout(this.portTimer);
    for (const flow of this.flows.values()) flow.leave();
    this.flows.clear();
  }

  flush(): void {}

  /** engine --segments--> target. There is nothing to register: flows are known by their SYN. */
  sendBatch(type: FrameType, batch: ReplayBatch): boolean {
    if (type !== FRAME.PACKETS || this.isClosed) return true;
    const { bytes, length } = batch;
    for (let at = batch.headroomBytes; at < length; ) {
      const packetBytes = readU16(bytes, at + 4);
      this.record(bytes, at, packetBytes);
      at += REPLAY_RECORD_HEADER_BYTES + ((packetBytes + 3) & ~3);
    }
    return true;
  }

  private record(bytes: Uint8Array, at: number, packetBytes: number): void {
    const { header } = this;
    const sessionId = readU32(bytes, at);
    const kind = bytes[at + 6]!;
    if (kind === RECORD_RELEASE) {
      this.release(sessionId);
      return;
    }
    const packetAt = at + REPLAY_RECORD_HEADER_BYTES;
    if (parsePacket(bytes, packetAt, packetBytes, packetBytes, header) !== 'ok') return;
    const known = this.flows.get(sessionId);
    if (kind !== RECORD_OPEN) {
      known?.segment(bytes, header);
      return;
    }
    // Repeated, or the session goes on over a fresh connection.
    if (known?.isOpenedBy(header.seq) === true) known.syn();
    else this.open(sessionId, bytes);
  }

  private open(sessionId: number, bytes: Uint8Array): void {
    this.release(sessionId);
    const { addressOffset, addressBytes, destinationPort, seq } = this.header;
    const from = addressOffset + addressBytes;
    const host = formatIpAddress(bytes.slice(from, from + addressBytes));
    const flow = new ConnectedFlow(this, sessionId, host, destinationPort, seq);
    this.flows.set(sessionId, flow);
    flow.syn();
  }

  private release(sessionId: number): void {
    this.flows.get(sessionId)?.leave();
    this.flows.delete(sessionId);
  }

  /** A recording waits meanwhile. */
  get isFull(): boolean {
    return this.portTimer !== undefined;
  }

  noteNoPort(sessionId: number): void {
    const flow = this.flows.get(sessionId);
    if (flow === undefined || this.isClosed) return;
    this.portless.set(sessionId, flow);
    if (this.portTimer !== undefined) return;
    this.portTimer = setTimeout(() => this.tryPorts(), PORT_MS);
    this.options.onDrain();
  }

  /** Some of them, those that wait longest: who has none again comes behind the others. */
  private tryPorts(): void {
    if (this.portless.size === 0) {
      this.portTimer = undefined;
      this.options.onDrain();
      return;
    }
    let tries = PORT_TRIES_MAX;
    for (const [sessionId, flow] of this.portless) {
      if (tries === 0) break;
      tries -= 1;
      this.portless.delete(sessionId);
      if (this.flows.get(sessionId) === flow) flow.syn();
    }
    // How these have fared is known by then.
    this.portTimer = setTimeout(() => this.tryPorts(), PORT_MS);
  }

  get hasRoom(): boolean {
    return this.queuedBytes < this.options.queueBytesMax;
  }

  noteQueued(bytes: number): void {
    this.queuedBytes += bytes;
    if (bytes < 0 && !this.isClosed) this.options.onDrain();
  }

  unacknowledged(socket: Socket): number | undefined {
    return unacknowledged(socket);
  }

  connect(sessionId: number, host: string, port: number, handlers: SocketHandlers): Socket | undefined {
    if (this.sockets >= this.plan.socketsMax) {
      this.refuse(sessionId, `${this.sockets} sockets are open, as many as this process may have (ulimit -n)`);
      return undefined;
    }
    this.sockets += 1;
    const socket = connect({
      host,
      port,
      allowHalfOpen: true,
      noDelay: true,
      onread: {
        buffer: this.readBuffer,
        callback: (octets: number): boolean => {
          handlers.onRead(octets, octets === READ_BYTES);
          return true;
        },
      },
    });
    socket.on('connect', handlers.onConnect);
    socket.on('end', handlers.onEnd);
    socket.on('finish', handlers.onFinish);
    socket.on('error', handlers.onError);
    socket.on('close', () => {
      this.sockets -= 1;
      handlers.onClose();
    });
    return socket;
  }

  refuse(sessionId: number, problem: string): void {
    this.note(problem);
    this.headers.event(sessionId, RESPONSE_EVENT_FLOW_TABLE_FULL);
  }

  note(problem: string): void {
    if (this.problems.has(problem) || this.problems.size >= PROBLEMS_MAX) return;
    this.problems.add(problem);
    this.plan.onProblem(problem);
  }

  say(...header: Parameters<FlowSurroundings['say']>): void {
    // What has payload is said while it is read.
    if (!this.isClosed) this.headers.segment(this.readBuffer, ...header);
  }
}
