/**
 * THE WALK BACK: how a copied packet reaches the target, and its response the copy.
 *
 *     PACKETS frame ──► each record: whole? its flow known, or a SYN to a served target? ──► raw socket ──► lo ──► target
 *                 or a datagram to a served target, from an address of --udp-clients?                                 │
 *     REGISTER, RELEASE frames ──► flows                                                                             │
 *     registration of a C tcpcopy ──► flow                                                                           │
 *     HEADERS frame ◄── buffer of the flow's connection ◄── flow known? ◄── header ◄── NFQUEUE (dropped) ◄───────────┘
 *                                                              a datagram, or ICMP? counted ◄──┘
 *
 * Everything happens on one thread and synchronously. Bytes stay where the channel and the queue put them; what one frame brought
 * goes to the kernel in few calls, what one turn of the queue brought goes to each copy in one frame. The target answers within the
 * call that injects, so after every piece of packets the queue is drained and its headers leave: a burst cannot fill the queue by
 * itself, and neither direction waits for the other. Nothing here throws for what is in a frame or a packet: it is a counter, and
 * where the copy can do something about it, an event.
 */
import {
  ACK,
  type AddressRange,
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  FIN,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
  PacketHeader,
  parsePacket,
  parseTcpOptions,
  RECORD_DATAGRAM,
  RECORD_OPEN,
  RECORD_RELEASE,
  REPLAY_RECORD_HEADER_BYTES,
  RESPONSE_ELAPSED_UNIT_US,
  RESPONSE_EVENT_FLOW_TABLE_FULL,
  RESPONSE_EVENT_FLOW_TAKEN,
  RESPONSE_EVENT_TARGET_UNKNOWN,
  RST,
  readU16,
  readU32,
  Seq,
  SYN,
  TcpOptions,
} from '@trafficcopy/core';
import type { CopyLink } from './channel/copy-link.js';
import type { CopyLinks } from './channel/copy-links.js';
import type { InterceptCounters, RefusalReason } from './counters.js';
import { Datagrams } from './datagrams.js';
import { InjectionBatch } from './injector/injection-batch.js';
import { isPlainPacket } from './injector/packet-check.js';
import type { PacketSender } from './injector/packet-sender.js';
import { ResetWriter } from './injector/reset-writer.js';
import type { InterceptLimits } from './limits.js';
import { ParkedResponses } from './responses/parked-responses.js';
import { HEADER_COPY_BYTES, type ResponseSource } from './responses/response-source.js';
import type { FlowBudget } from './targets/flow-budget.js';
import { FlowRegistry } from './targets/flow-registry.js';
import type { TargetGate } from './targets/target-gate.js';
import { TunnelRoutes } from './targets/tunnel-routes.js';

/** Reads of the queue in one turn of the loop, so that frames get theirs; the kernel wakes us for the rest. */
const READS_PER_TURN_MAX = 32;
/** Packets of one call to the kernel, and of all calls until the queue is looked at again: what one sendmmsg of native code takes. */
export const PIECE_PACKETS = 256;
/** As much of a packet can come out of a queue. */
const COPY_BYTES_MAX = 65_535;
const NONE = -1;

export interface PipelineOptions {
  readonly sender: PacketSender;
  readonly source: ResponseSource;
  readonly gate: TargetGate;
  readonly links: CopyLinks;
  readonly counters: InterceptCounters;
  readonly limits: InterceptLimits;
  /** Addresses that clients of datagrams have. Default: no datagrams are taken. */
  readonly udpClients?: readonly AddressRange[] | undefined;
  /** Datagrams find nobody at a target, like 10.0.0.2:53. Called once for each. */
  readonly onClosedPort?: ((target: string) => void) | undefined;
  /** Undefined: the tables of flows have their full size from the start. */
  readonly flowBudget?: FlowBudget | undefined;
  /** Seeds the hashes of the flow tables. */
  readonly seed: number;
  /** A clock that never goes back, milliseconds. */
  readonly nowMs: () => number;
  /** The same to the microsecond, for the times that answers take. */
  readonly nowUs: () => number;
  /** Sees every batch that is injected and every batch of responses (--record). */
  readonly recorder?: { recordPackets(direction: 'sent' | 'answered', batch: PacketBatch): void } | undefined;
}

export class Pipeline {
  readonly flows: FlowRegistry;
  readonly #options: PipelineOptions;
  readonly #counters: InterceptCounters;
  readonly #links: CopyLinks;
  readonly #parked: ParkedResponses;
  readonly #tunnelRoutes: TunnelRoutes;
  readonly #resets: ResetWriter;
  readonly #datagrams: Datagrams;
  readonly #batch = new InjectionBatch(PIECE_PACKETS);
  readonly #header = new PacketHeader();
  readonly #parkedHeader = new PacketHeader();
  readonly #tcpOptions = new TcpOptions();
  readonly #waiting: CopyLink[] = [];
  /** Of one flow, client's and target's. */
  readonly #addresses = new Uint8Array(32);
  /** Before it, responses of unknown flows are not reset: their copies may be on their way back. */
  #quietUntilMs: number;
  #resetBudget = 0;
  #copyBytes = HEADER_COPY_BYTES;
  /** No REGISTER will come any more. */
  #isClosing = false;
  /** Whether the packets that are being gathered are datagrams: a batch is of one kind, so that it is known what failed. */
  #gathersDatagrams = false;
  /** Packets that were injected since the queue was drained. */
  #injectedSinceDrain = 0;
  /** When the packets go that are being gathered, and when those were read that are being returned: #now(). */
  #injectsAt = 0;
  #readAt = 0;

  constructor(options: PipelineOptions) {
    const { limits, seed, nowMs, flowBudget } = options;
    this.#options = options;
    this.#counters = options.counters;
    this.#links = options.links;
    this.flows = new FlowRegistry({ ...limits, ownersMax: options.links.ownersMax, seed, budget: flowBudget });
    this.#tunnelRoutes = new TunnelRoutes({ ...options, flows: this.flows });
    this.#parked = new ParkedResponses(limits.parkedMax, limits.parkedMs, seed ^ 0x3c6ef372);
    this.#resets = new ResetWriter(options.sender);
    const { gate, counters, udpClients: clients = [], onClosedPort = () => {} } = options;
    this.#datagrams = new Datagrams({ clients, gate, counters, onClosedPort });
    this.#quietUntilMs = nowMs() + limits.graceMs;
  }

  /** When a datagram was injected last, on the caller's clock. */
  get lastDatagramMs(): number {
    return this.#datagrams.lastSentMs;
  }

  start(): void {
    this.#options.source.start(() => this.drain());
  }

  /** Copies have come or gone: as much of each response is taken out of the kernel as one of them wants. */
  followWishes(): void {
    const copyBytes = Math.min(HEADER_COPY_BYTES + this.#links.keptBytesMax, COPY_BYTES_MAX);
    if (copyBytes === this.#copyBytes) return;
    // What was read is worked through: this is called between two frames.
    this.#copyBytes = copyBytes;
    this.#options.source.setCopyBytes(copyBytes);
  }

  /** copy --PACKETS--> target. `isRegister`: the flows are made known, nothing is injected. */
  packets(link: CopyLink, bytes: Uint8Array, offset: number, length: number, isRegister: boolean): void {
    const nowMs = this.#options.nowMs();
    const end = offset + length;
    this.#batch.reset(bytes);
    this.#injectsAt = this.#now();
    let at = offset;
    while (at < end) {
      const packetBytes = at + REPLAY_RECORD_HEADER_BYTES <= end ? readU16(bytes, at + 4) : 0;
      const packetAt = at + REPLAY_RECORD_HEADER_BYTES;
      const next = packetAt + ((packetBytes + 3) & ~3);
      const kind = bytes[at + 6]!;
      const lastKind = isRegister ? RECORD_RELEASE : RECORD_DATAGRAM;
      if (next > end || kind > lastKind || (kind === RECORD_RELEASE) !== (packetBytes === 0)) {
        this.#counters.recordsRefused.malformed += 1;
        break;
      }
      const sessionId = readU32(bytes, at);
      const isDatagram = kind === RECORD_DATAGRAM;
      if (kind === RECORD_RELEASE) this.#release(link, sessionId);
      else if (isDatagram) {
        if (this.#datagrams.admits(link, bytes, packetAt, packetBytes)) this.#gather(link, packetAt, packetBytes, true);
      } else if (this.#admits(link, bytes, packetAt, packetBytes, sessionId, kind, nowMs) && !isRegister) {
        this.#gather(link, packetAt, packetBytes, false);
      }
      at = next;
    }
    this.#inject(link);
    if (!link.tally.isEmpty) this.#tellTally(link);
    this.#flushWaiting();
  }

  /** A packet passed, and goes to the kernel with those around it that are of its kind. */
  #gather(link: CopyLink, packetAt: number, packetBytes: number, isDatagram: boolean): void {
    if (isDatagram !== this.#gathersDatagrams) this.#inject(link);
    this.#gathersDatagrams = isDatagram;
    this.#batch.add(packetAt, packetBytes);
    if (this.#batch.isFull) this.#inject(link);
  }

  /** Hands the packets that passed to the kernel. Their responses come by the queue: during the call, and later. */
  #inject(link: CopyLink): void {
    const batch = this.#batch;
    if (batch.count === 0) return;
    const sent = this.#options.sender.send(batch);
    this.#counters.packetsInjected += sent;
    this.#counters.packetsFailed += batch.count - sent;
    if (this.#gathersDatagrams) this.#datagrams.noteSent(link, batch.count, sent, this.#options.nowMs());
    this.#options.recorder?.recordPackets('sent', batch);
    this.#injectedSinceDrain += batch.count;
    batch.reset(batch.bytes);
    if (this.#injectedSinceDrain >= PIECE_PACKETS) this.drain();
    this.#injectsAt = this.#now();
  }

  /** Whether a record's packet may go to the target; what it says about its flow is taken over. */
  #admits(
    link: CopyLink,
    bytes: Uint8Array,
    packetAt: number,
    packetBytes: number,
    sessionId: number,
    kind: number,
    nowMs: number,
  ): boolean {
    const header = this.#header;
    this.#counters.packetsReceived += 1;
    this.#counters.bytesReceived += packetBytes;
    if (!isPlainPacket(bytes, packetAt, packetBytes, header)) return this.#refuse('badPacket');
    let flow = this.flows.findSent(bytes, header);
    if (kind === RECORD_OPEN) {
      flow = this.#open(link, bytes, header, flow, sessionId, nowMs);
      if (flow === NONE) return false;
    } else if (flow === NONE || this.flows.ownerOf(flow) !== link.owner || this.flows.sessionIdOf(flow) !== sessionId) {
      return this.#refuse('flowUnknown');
    }
    const phantom = (header.flags & SYN ? 1 : 0) + (header.flags & FIN ? 1 : 0);
    const askedAt = header.payloadBytes > 0 ? this.#injectsAt : 0;
    this.flows.noteSent(flow, Seq.add(header.seq, header.payloadBytes + phantom), askedAt);
    this.flows.touch(flow, nowMs);
    return true;
  }

  /** The SYN of a flow: its first, one more, or the one that says «it is still mine» after a reconnection. */
  #open(
    link: CopyLink,
    bytes: Uint8Array,
    header: PacketHeader,
    known: number,
    sessionId: number,
    nowMs: number,
  ): number {
    if ((header.flags & (SYN | ACK | FIN | RST)) !== SYN) return this.#refuseOpen('notSyn');
    if (known !== NONE) {
      const owner = this.#links.at(this.flows.ownerOf(known));
      if (owner !== link) {
        if (!link.mayTakeOver(owner)) {
          return this.#refuseOpen('flowTaken', link, sessionId, RESPONSE_EVENT_FLOW_TAKEN);
        }
        this.#counters.flowsResumed += 1;
      }
      this.flows.assign(known, link.owner, sessionId);
      return known;
    }
    const { gate } = this.#options;
    if (!gate.servesDestination(bytes, header, link.permitted)) {
      return this.#refuseOpen('targetUnknown', link, sessionId, RESPONSE_EVENT_TARGET_UNKNOWN);
    }
    if (!gate.permitsSource(bytes, header, link.permitted)) {
      return this.#refuseOpen('sourceRefused', link, sessionId, RESPONSE_EVENT_TARGET_UNKNOWN);
    }
    const flow = this.flows.open(bytes, header, link.owner, sessionId, nowMs);
    if (flow === NONE) {
      return this.#refuseOpen('flowTableFull', link, sessionId, RESPONSE_EVENT_FLOW_TABLE_FULL);
    }
    this.#counters.flowsOpened += 1;
    this.#claimParked(link, flow, bytes, header);
    return flow;
  }

  /** The response that came before the flow was known, if it waits. `header` is the flow's way to the target. */
  #claimParked(link: CopyLink, flow: number, bytes: Uint8Array, header: PacketHeader): void {
    const parked = this.#parked;
    const line = parked.find(bytes, header);
    if (line === NONE) return;
    const packetAt = parked.packetAt(line);
    const response = this.#parkedHeader;
    parked.claim(line);
    const [headerBytes, packetBytes] = [parked.headerBytesOf(line), parked.packetBytesOf(line)];
    if (parsePacket(parked.bytes, packetAt, headerBytes, packetBytes, response) !== 'ok') return;
    this.#return(link, flow, parked.bytes, packetAt, response);
  }

  /** target --response--> the copy of a flow */
  #return(link: CopyLink, flow: number, bytes: Uint8Array, packetAt: number, header: PacketHeader): void {
    if (header.flags & ACK) this.flows.noteAck(flow, header.ack);
    parseTcpOptions(bytes, header.optionsOffset, header.payloadOffset, this.#tcpOptions);
    this.#makeRoom(link);
    const askedAt = this.flows.askedAt(flow);
    const elapsedUs = askedAt === 0 ? -1 : ((this.#readAt - askedAt) >>> 0) * RESPONSE_ELAPSED_UNIT_US;
    link.addSegment(this.flows.sessionIdOf(flow), bytes, packetAt, header, this.#tcpOptions, elapsedUs);
    this.#committed(link);
  }

  /** tcpcopy --registration--> intercept: 14 octets at `offset`. */
  register(link: CopyLink, bytes: Uint8Array, offset: number): void {
    const routes = this.#tunnelRoutes;
    const flow = routes.register(link, bytes, offset, this.#options.nowMs());
    if (flow === NONE) return;
    this.#claimParked(link, flow, routes.addresses, routes.header);
    this.#flushWaiting();
  }

  #release(link: CopyLink, sessionId: number): void {
    const flow = this.flows.findSession(link.owner, sessionId);
    if (flow === NONE) return;
    this.flows.remove(flow);
    this.#counters.flowsReleased += 1;
  }

  /** target --NFQUEUE--> copy. Takes what waits; the packets are dropped in the kernel already. */
  drain(): void {
    const { source, recorder, nowMs } = this.#options;
    const now = nowMs();
    this.#injectedSinceDrain = 0;
    for (let reads = 0; reads < READS_PER_TURN_MAX && source.read(); reads += 1) {
      this.#readAt = this.#now();
      recorder?.recordPackets('answered', source);
      for (let index = 0; index < source.count; index += 1) this.#respond(source, index * PACKET_ENTRY_FIELDS, now);
    }
    this.#flushWaiting();
    this.#flushResets();
  }

  #respond(source: ResponseSource, entry: number, nowMs: number): void {
    const { bytes, entries } = source;
    const counters = this.#counters;
    const header = this.#header;
    const wireBytes = entries[entry + ENTRY_WIRE_BYTES]!;
    const packetAt = entries[entry + ENTRY_OFFSET]!;
    const capturedBytes = entries[entry + ENTRY_CAPTURED_BYTES]!;
    if (parsePacket(bytes, packetAt, capturedBytes, wireBytes, header) !== 'ok') {
      const isAnswer = this.#datagrams.countAnswer(bytes, packetAt, capturedBytes, wireBytes);
      if (!isAnswer) counters.responsesMalformed += 1;
      return;
    }
    counters.responses += 1;
    counters.responseBytes += wireBytes;
    const flow = this.flows.findResponse(bytes, header);
    if (flow === NONE) {
      this.#respondUnknown(bytes, packetAt, header, nowMs);
      return;
    }
    this.flows.touch(flow, nowMs);
    this.#return(this.#links.at(this.flows.ownerOf(flow)), flow, bytes, packetAt, header);
  }

  /** Time in the unit of records, never 0; it wraps after 12 hours. */
  #now(): number {
    return Math.floor(this.#options.nowUs() / RESPONSE_ELAPSED_UNIT_US) >>> 0 || 1;
  }

  /** A first response waits for its REGISTER; for any other nobody is there, and the target is told so. */
  #respondUnknown(bytes: Uint8Array, packetAt: number, header: PacketHeader, nowMs: number): void {
    this.#counters.responsesUnknown += 1;
    if (header.flags & (SYN | RST) && !this.#isClosing) {
      this.#counters.responsesParked += 1;
      this.#parked.park(bytes, packetAt, header, nowMs);
    } else if (!(header.flags & RST) && nowMs >= this.#quietUntilMs && this.#resetBudget > 0) {
      this.#resetBudget -= 1;
      this.#resets.answer(bytes, header);
    }
  }

  /** Call it about four times a second: what has waited too long goes. */
  tick(): void {
    const { limits, nowMs } = this.#options;
    const now = nowMs();
    this.#resetBudget = Math.ceil(limits.resetsPerSecondMax / 4);
    this.#parked.expire(now);
    this.#counters.responsesUnclaimed = this.#parked.unclaimed;
    for (const link of this.#links.expired(now)) {
      this.#resetAll(link);
      this.#links.forget(link);
    }
    // What was heard of datagrams behind the last frame of their copy.
    for (const link of this.#links.all()) if (link.isUp && !link.tally.isEmpty) this.#tellTally(link);
    this.#flushWaiting();
    // The whole table once in a minute.
    const soonestMs = Math.min(limits.idleMs, limits.wireIdleMs);
    this.flows.sweepIdle(now - soonestMs, Math.ceil(limits.flowsMax / 240), (flow) => {
      const { isWire } = this.#links.at(this.flows.ownerOf(flow));
      if (this.flows.lastSeenMs(flow) >= now - (isWire ? limits.wireIdleMs : limits.idleMs)) return;
      this.flows.remove(flow);
      this.#counters.flowsIdle += 1;
    });
    this.#flushResets();
  }

  /** A connection ended. Its flows wait for their copy; without flows there is nothing to wait for. */
  linkDown(link: CopyLink): void {
    const { limits, nowMs } = this.#options;
    const heir = this.#links.heirOf(link);
    this.#links.down(link, nowMs() + limits.graceMs);
    this.followWishes();
    if (heir !== undefined) this.#inherit(heir, link);
    if (this.flows.firstOf(link.owner) === NONE) this.#links.forget(link);
  }

  /** One of several tunnels was cut: the others go on. */
  #inherit(heir: CopyLink, link: CopyLink): void {
    for (let flow = this.flows.firstOf(link.owner); flow !== NONE; flow = this.flows.firstOf(link.owner)) {
      this.flows.assign(flow, heir.owner, heir.nextSessionId());
    }
  }

  /** What a copy may reach has changed: flows that it may no longer have are reset, and it is told. */
  enforce(link: CopyLink): void {
    const { gate } = this.#options;
    const addresses = this.#addresses;
    for (let flow = this.flows.firstOf(link.owner); flow !== NONE; ) {
      const next = this.flows.nextOf(flow);
      this.flows.writeAddresses(flow, addresses, 0);
      const ends = {
        addressOffset: 0,
        addressBytes: this.flows.addressBytesOf(flow),
        sourcePort: this.flows.clientPortOf(flow),
        destinationPort: this.flows.targetPortOf(flow),
      };
      const isServed = gate.servesDestination(addresses, ends, link.permitted);
      if (!isServed || !gate.permitsSource(addresses, ends, link.permitted)) {
        this.#event(link, this.flows.sessionIdOf(flow), RESPONSE_EVENT_TARGET_UNKNOWN);
        this.#reset(flow);
      }
      flow = next;
    }
    this.#flushWaiting();
    this.#flushResets();
  }

  /** A copy may reach nothing any more: its flows are reset at once. */
  drop(link: CopyLink): void {
    this.#resetAll(link);
    this.#links.forget(link);
    this.followWishes();
    this.#flushResets();
  }

  /** Gives back what the tables have taken of the budget. Nothing may be called afterwards. */
  release(): void {
    this.flows.release();
  }

  /** Resets every flow at the target, so that no half-open connection stays behind. The queue goes on being drained. */
  close(): void {
    for (const link of this.#links.all()) this.#resetAll(link);
    this.#isClosing = true;
    this.#quietUntilMs = 0;
    this.#resetBudget = Number.POSITIVE_INFINITY;
    this.#flushResets();
  }

  #resetAll(link: CopyLink): void {
    for (let flow = this.flows.firstOf(link.owner); flow !== NONE; flow = this.flows.firstOf(link.owner)) {
      this.#reset(flow);
    }
  }

  #reset(flow: number): void {
    this.#resets.resetFlow(this.flows, flow);
    this.flows.remove(flow);
    this.#counters.flowsReset += 1;
  }

  #flushResets(): void {
    this.#resets.flush();
    this.#counters.resetsInjected = this.#resets.sent;
  }

  #refuse(reason: RefusalReason): false {
    this.#counters.recordsRefused[reason] += 1;
    return false;
  }

  #refuseOpen(reason: RefusalReason, link?: CopyLink, sessionId = 0, event = 0): -1 {
    this.#refuse(reason);
    if (link !== undefined) this.#event(link, sessionId, event);
    return NONE;
  }

  #event(link: CopyLink, sessionId: number, event: number): void {
    if (link.isWire) return;
    this.#makeRoom(link);
    link.addEvent(sessionId, event);
    this.#committed(link);
  }

  /** What became of the datagrams of a frame. */
  #tellTally(link: CopyLink): void {
    this.#makeRoom(link);
    link.addTally();
    this.#committed(link);
  }

  #makeRoom(link: CopyLink): void {
    if (link.isFull) this.#flush(link);
  }

  #committed(link: CopyLink): void {
    if (link.count === 1) this.#waiting.push(link);
  }

  #flushWaiting(): void {
    const waiting = this.#waiting;
    for (let index = 0; index < waiting.length; index += 1) this.#flush(waiting[index]!);
    waiting.length = 0;
  }

  /** intercept --HEADERS--> copy */
  #flush(link: CopyLink): void {
    const { responses } = link;
    if (link.flush()) this.#counters.responsesReturned += responses;
    else this.#counters.responsesNotReturned += responses;
  }
}
