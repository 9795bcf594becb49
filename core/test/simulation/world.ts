/**
 * Clients, online, the engine beside it, a target, and the networks between them, all on one clock:
 *
 *     client <== access ==> online          each of them a ReferenceSocket
 *                  | capture
 *               engine  -- path -->  target
 *                  ^------ headers ----'    as intercept reports them: a lost one was dropped by a full NFQUEUE
 *
 * A run depends on its options alone.
 */
import assert from 'node:assert/strict';
import { RECORD_OPEN, RECORD_RELEASE, REPLAY_RECORD_HEADER_BYTES } from '../../src/batch/replay-batch.js';
import { LOSS_REASONS, TERMINAL_STATES } from '../../src/counters.js';
import { Engine } from '../../src/engine.js';
import type { EngineConfig } from '../../src/engine-config.js';
import { readU16, readU32 } from '../../src/wire/bytes.js';
import { icmpTooBig } from '../kit/icmp.js';
import { Random } from '../kit/random.js';
import { recordOf, responseBatchOf } from '../kit/record.js';
import { CONFIG } from '../kit/rig.js';
import { batchOf, packetOf } from '../kit/segment.js';
import { ClientApplication, type ClientManner } from './client-application.js';
import type { Conversation, Request } from './conversation.js';
import { EventQueue } from './event-queue.js';
import { type LinkOptions, NetworkLink } from './network-link.js';
import { ReferenceHost } from './reference-host.js';
import { ReferenceSocket, type SocketOptions, type SocketUser } from './reference-socket.js';
import { ServerApplication, type ServerEvents, type ServerManner } from './server-application.js';
import { readPacket, type WireSegment } from './wire-segment.js';

export interface Visit {
  readonly conversation: Conversation;
  readonly manner: ClientManner;
  /** After the one before on the same port has ended. */
  readonly pauseMs: number;
}

export interface WorldOptions {
  readonly seed: number;
  readonly startMs: number;
  readonly engine: Partial<EngineConfig>;
  readonly isV6: boolean;
  /** By port of the client: what follows on it, one after the other. */
  readonly visits: readonly (readonly Visit[])[];
  readonly clientSocket: () => SocketOptions;
  readonly onlineSocket: () => SocketOptions;
  readonly targetSocket: () => SocketOptions;
  readonly onlineManner: ServerManner;
  readonly targetManner: ServerManner;
  readonly access: LinkOptions;
  readonly path: LinkOptions;
  readonly headers: LinkOptions;
  /** What the router before the narrow part of the path says of packets that are too big. */
  readonly tooBig: 'mtu' | 'no-mtu' | 'nothing';
  readonly captureLoss: number;
  readonly captureDuplication: number;
  /** Nothing is captured before. */
  readonly captureAfterMs: number;
  /** What happens to the target, by time. */
  readonly faults: readonly { readonly atMs: number; readonly kind: 'reboot' | 'deaf' | 'listen' | 'channel' }[];
  /** By then everything must have come to rest. */
  readonly untilMs: number;
}

/** What came of one request. */
export interface Outcome {
  online: number;
  taken: number;
  read: number;
}

const CLIENT_V4 = [10, 0, 0, 1];
const ONLINE_V4 = [10, 0, 0, 2];
const CLIENT_V6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const ONLINE_V6 = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
const ISS_STEP = 0x100_0000;
const CHANNEL_AWAY_MS = 500;
const STEPS_MAX = 3_000_000;

export class World {
  readonly engine: Engine;
  readonly queue: EventQueue;
  readonly path: NetworkLink;
  readonly target: ReferenceHost;
  readonly complaints: string[] = [];
  /** By conversation and request. */
  readonly outcomes: Outcome[][];
  /** Of all that was sent, and when. */
  digest = 0;
  /** Told of each packet, for people. */
  onEvent: ((what: string) => void) | undefined;
  /** When the last octet of a request was read at the target. */
  lastReadMs = 0;
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #headers: NetworkLink;
  readonly #up: NetworkLink;
  readonly #down: NetworkLink;
  readonly #online: ReferenceHost;
  readonly #clients: (ReferenceSocket | undefined)[] = [];
  readonly #lastIss: number[] = [];
  readonly #flows = new Map<string, number>();
  #isListening = true;
  #hasChannel = true;
  #visitsLeft = 0;

  constructor(options: WorldOptions) {
    this.#options = options;
    const random = new Random(options.seed);
    this.#random = random;
    const queue = new EventQueue(options.startMs);
    this.queue = queue;
    this.engine = new Engine({ ...CONFIG, ...options.engine }, options.startMs);
    this.path = new NetworkLink(queue, random, options.path);
    this.#headers = new NetworkLink(queue, random, options.headers);
    this.#up = new NetworkLink(queue, random, options.access);
    this.#down = new NetworkLink(queue, random, options.access);
    const conversations = options.visits.flat().map(({ conversation }) => conversation);
    assert.ok(
      conversations.every((one, index) => one.number === index),
      'conversations are numbered in order',
    );
    this.outcomes = conversations.map(({ requests }) => requests.map(() => ({ online: 0, taken: 0, read: 0 })));
    const server =
      (manner: ServerManner, events: (peer: string) => ServerEvents) =>
      (peer: string, socket: () => ReferenceSocket): SocketUser =>
        new ServerApplication(queue, random, manner, conversations, socket, events(peer));
    this.#online = new ReferenceHost(queue, {
      socket: options.onlineSocket,
      isListening: () => true,
      user: server(options.onlineManner, (peer) => ({
        send: (segment) => this.#answerClient(peer, segment),
        took: (conversation, request) => {
          this.#outcomeOf(conversation, request).online += 1;
        },
        read: () => {},
        complain: () => {},
        isLossy: false,
      })),
      send: (peer, segment) => this.#answerClient(peer, segment),
    });
    this.target = new ReferenceHost(queue, {
      socket: options.targetSocket,
      isListening: () => this.#isListening,
      user: server(options.targetManner, (peer) => ({
        send: (segment) => this.#report(peer, segment),
        took: (conversation, request) => {
          this.#outcomeOf(conversation, request).taken += 1;
        },
        read: (conversation, request) => {
          this.#outcomeOf(conversation, request).read += 1;
          this.lastReadMs = queue.nowMs;
        },
        complain: (what) =>
          this.complaints.push(`target, at ${Math.round(queue.nowMs - options.startMs)} ms, ${peer}: ${what}`),
        isLossy: options.captureLoss > 0,
      })),
      send: (peer, segment) => this.#report(peer, segment),
    });
    this.path.onTooBig = (packet) => this.#sayTooBig(packet);
    for (const { atMs, kind } of options.faults) queue.at(options.startMs + atMs, () => this.#fault(kind));
    for (const [index, visits] of options.visits.entries()) this.#visit(index, visits, 0);
  }

  #outcomeOf(conversation: Conversation, request: Request): Outcome {
    return this.outcomes[conversation.number]![request.index]!;
  }

  #fault(kind: 'reboot' | 'deaf' | 'listen' | 'channel'): void {
    if (kind === 'reboot') this.target.forgetAll();
    else if (kind === 'channel') this.#cutChannel();
    else this.#isListening = kind === 'listen';
  }

  /** Intercept forgets the flows; when it is back it is told of those that are open, before anything is sent. */
  #cutChannel(): void {
    if (!this.#hasChannel) return;
    this.#hasChannel = false;
    this.#flows.clear();
    this.engine.setLaneUp(0, false, this.queue.nowMs);
    this.queue.after(CHANNEL_AWAY_MS, () => {
      this.#drain();
      this.#hasChannel = true;
      this.engine.reopenFlows(0);
      this.#drain(true);
      this.engine.setLaneUp(0, true, this.queue.nowMs);
    });
  }

  /** router --ICMP--> the client's address, which is one of the capturing host's here */
  #sayTooBig(packet: Uint8Array): void {
    const { tooBig, path } = this.#options;
    if (tooBig === 'nothing') return;
    const message = icmpTooBig(packet, tooBig === 'mtu' ? path.mtuBytes : 0);
    this.#headers.carry(message.length, () => this.engine.ingestCaptured(batchOf([message]), this.queue.nowMs));
  }

  /** The visits of one client port from the `from`th on. */
  #visit(index: number, visits: readonly Visit[], from: number): void {
    const visit = visits[from];
    if (visit === undefined) return;
    this.#visitsLeft += 1;
    this.queue.after(visit.pauseMs, () => {
      const onEnd = (): void => {
        this.#visitsLeft -= 1;
        this.#visit(index, visits, from + 1);
      };
      const send = (segment: WireSegment): void => this.#sendToOnline(index, segment);
      const user = new ClientApplication(this.queue, visit.conversation, visit.manner, send, onEnd);
      const options = this.#options.clientSocket();
      // RFC 6528 3: numbers of connections with the same ports go up.
      const iss = from === 0 ? options.iss : (this.#lastIss[index]! + ISS_STEP) | 0;
      this.#lastIss[index] = iss;
      const socket = new ReferenceSocket(this.queue, { ...options, iss }, user);
      user.attach(socket);
      this.#clients[index] = socket;
    });
  }

  #sendToOnline(index: number, segment: WireSegment): void {
    const { isV6, captureLoss, captureDuplication, captureAfterMs, startMs } = this.#options;
    this.#up.carry(40 + segment.text.length, () => {
      this.#online.arrive(`${index}`, segment);
      if (this.queue.nowMs < startMs + captureAfterMs || this.#random.chance(captureLoss)) {
        this.#tell('unseen', 40_000 + index, segment);
        return;
      }
      const packet = packetOf({
        clientAddress: isV6 ? CLIENT_V6 : CLIENT_V4,
        clientPort: 40_000 + index,
        onlineAddress: isV6 ? ONLINE_V6 : ONLINE_V4,
        onlinePort: 80,
        seq: segment.seq >>> 0,
        ack: segment.ack >>> 0,
        flags: segment.flags,
        window: segment.window,
        text: segment.text,
        ...(segment.mss > 0 ? { mss: segment.mss } : {}),
        ...(segment.windowScale >= 0 ? { windowScale: segment.windowScale } : {}),
        ...(segment.hasTimestamps ? { tsVal: segment.tsVal } : {}),
      });
      this.#tell('client', 40_000 + index, segment);
      const times = captureDuplication > 0 && this.#random.chance(captureDuplication) ? 2 : 1;
      this.engine.ingestCaptured(batchOf(new Array<Uint8Array>(times).fill(packet)), this.queue.nowMs);
    });
  }

  #answerClient(peer: string, segment: WireSegment): void {
    this.#down.carry(40 + segment.text.length, () => this.#clients[Number(peer)]?.arrive(segment));
  }

  /** target --response header--> engine */
  #report(peer: string, segment: WireSegment): void {
    const sessionId = this.#flows.get(peer);
    this.#tell('target', Number(peer.split(' ')[1]), segment);
    if (sessionId === undefined) return;
    const record = recordOf({
      sessionId,
      seq: segment.seq >>> 0,
      ack: segment.ack >>> 0,
      flags: segment.flags,
      window: segment.window,
      payloadBytes: segment.text.length,
      mss: segment.mss,
      ...(segment.windowScale >= 0 ? { windowScale: segment.windowScale } : {}),
      ...(segment.hasTimestamps ? { tsVal: segment.tsVal, tsEcr: segment.tsEcr } : {}),
    });
    this.#headers.carry(40, () => this.engine.ingestResponses(0, responseBatchOf([record]), this.queue.nowMs));
  }

  /** engine --packets--> target. Intercept hears of a flow over the channel, whatever becomes of its packets. */
  #drain(isRegistering = false): void {
    const batch = this.engine.outputs[0]!;
    for (let at = batch.headroomBytes; at < batch.length; ) {
      const id = readU32(batch.bytes, at);
      const octets = readU16(batch.bytes, at + 4);
      const kind = batch.bytes[at + 6]!;
      const packetAt = at + REPLAY_RECORD_HEADER_BYTES;
      at = packetAt + ((octets + 3) & ~3);
      if (!this.#hasChannel) continue;
      if (kind === RECORD_RELEASE) this.#release(id);
      else this.#send(id, kind, batch.bytes.slice(packetAt, packetAt + octets), isRegistering);
    }
    batch.clear();
  }

  #tell(party: string, port: number, { seq, ack, flags, window, text }: WireSegment): void {
    if (this.onEvent === undefined) return;
    const letters = [...'FSRP.'].filter((_, bit) => flags & (1 << bit)).join('');
    const numbers = `${seq >>> 0}:${(seq + text.length) >>> 0}(${text.length}) ack=${ack >>> 0} win=${window}`;
    const atMs = (this.queue.nowMs - this.#options.startMs).toFixed(1);
    this.onEvent(`${atMs.padStart(9)} ${party.padEnd(6)} ${port} ${letters.padEnd(3)} ${numbers}`);
  }

  #release(id: number): void {
    for (const [peer, owner] of this.#flows) {
      if (owner === id) this.#flows.delete(peer);
    }
  }

  #send(id: number, kind: number, packet: Uint8Array, isRegistering: boolean): void {
    const { source, octets, segment } = readPacket(packet);
    const owner = this.#flows.get(source);
    if (kind === RECORD_OPEN) {
      if (owner !== undefined && owner !== id) this.complaints.push(`${source} belongs to two sessions`);
      this.#flows.set(source, id);
    } else if (owner !== id) this.complaints.push(`${source} sends without being registered`);
    if (isRegistering) return;
    if (octets > (this.#options.engine.mtuBytes ?? CONFIG.mtuBytes))
      this.complaints.push(`a packet of ${octets} octets`);
    const mixed = Math.imul(this.digest ^ segment.seq ^ (segment.flags << 24) ^ octets, 0x01000193);
    this.digest = (mixed ^ Math.floor(this.queue.nowMs)) >>> 0;
    this.#tell('sent', Number(source.split(' ')[1]), segment);
    this.path.carry(octets, () => this.target.arrive(source, segment), packet);
  }

  /** Runs until everything has come to rest. */
  run(): void {
    const { untilMs, startMs } = this.#options;
    const { engine, queue } = this;
    for (let steps = 0; ; steps += 1) {
      assert.ok(steps < STEPS_MAX, 'it comes to rest within a number of steps');
      this.#drain();
      const isOver = this.#visitsLeft === 0 && engine.sessionsOpen === 0 && engine.connectionsOpen === 0;
      if (isOver && engine.nextDeadlineMs() > 0) break;
      const deadlineMs = Math.max(engine.nextDeadlineMs(), queue.nowMs);
      if (Math.min(deadlineMs, queue.nextMs) > startMs + untilMs) break;
      if (deadlineMs <= queue.nextMs) {
        queue.nowMs = deadlineMs;
        engine.advance(deadlineMs);
      } else {
        queue.step();
      }
    }
  }

  get lostTurns(): number {
    const { turnsLost } = this.engine.counters;
    return LOSS_REASONS.reduce((sum, reason) => sum + turnsLost[reason], 0);
  }

  /** What holds for every run: the ledger's sums, nothing left, nothing twice, no half request, nothing beyond a window. */
  check(): void {
    const { counters } = this.engine;
    assert.deepEqual(this.complaints, []);
    assert.equal(this.#visitsLeft, 0, 'every client has ended');
    assert.equal(this.engine.sessionsOpen, 0, 'no session is left');
    assert.equal(this.engine.connectionsOpen, 0, 'no connection is left');
    assert.equal(this.engine.heldBytes, 0, 'no octet is held');
    assert.equal(counters.turnsPending, 0, 'no turn is pending');
    assert.equal(counters.turnsCaptured, counters.turnsDelivered + this.lostTurns, 'turns add up');
    const copies = this.#options.engine.copies ?? 1;
    const ended = TERMINAL_STATES.reduce((sum, state) => sum + counters.terminal[state], 0);
    assert.equal(ended, counters.connectionsSeen * copies, 'each session ends once');
    // A target that starts again answers as one that never opened the connection, where its word that it had was lost.
    const { faults, headers } = this.#options;
    const again = headers.loss > 0 ? faults.filter(({ kind }) => kind === 'reboot').length * copies : 0;
    const visits = this.#options.visits.flat();
    for (const [number, requests] of this.outcomes.entries()) {
      for (const [index, { online, read, taken }] of requests.entries()) {
        const where = `request ${index} of client ${number}`;
        assert.ok(read <= copies + again, `${where} was read ${read} times`);
        // What online refuses (RFC 7323 5.3: overtaken by a newer timestamp) the client repeats, unless it gives up in the midst.
        const isCertain = this.#options.captureLoss > 0 && visits[number]!.manner.abortAfterMs === 0;
        assert.ok(taken === 0 || online > 0 || !isCertain, `${where} came out of nothing`);
      }
    }
    if (this.lostTurns === 0 && counters.turnsBeforeJoin === 0 && this.#isAllSeen()) this.#checkWhole('taken');
  }

  /** No turn was lost, and the target has read every request that online had, once. */
  checkLossless(): void {
    const { counters } = this.engine;
    const lost = Object.fromEntries(LOSS_REASONS.map((reason) => [reason, counters.turnsLost[reason]]));
    const copies = this.#options.engine.copies ?? 1;
    // A client that resets in the midst of what it says may never have sent all of it.
    const broken = this.#options.visits.flat().filter(({ manner }) => manner.abortAfterMs > 0).length * copies;
    assert.ok(counters.turnsLost.captureGap <= broken, `lost: ${JSON.stringify(lost)}`);
    assert.equal(this.lostTurns, counters.turnsLost.captureGap, `lost: ${JSON.stringify(lost)}`);
    // What comes late of a connection that was reset looks like one that runs already.
    const { copied, captureGap, midStreamSkipped } = counters.terminal;
    assert.ok(midStreamSkipped <= broken, `${midStreamSkipped} connections were joined`);
    assert.equal(copied + captureGap + midStreamSkipped, counters.connectionsSeen * copies);
    // A client that does not wait for answers has ended before the target has read all.
    this.#checkWhole(this.#options.engine.wait === false ? 'taken' : 'read');
  }

  /** Whether every connection of a client was captured from its start. */
  #isAllSeen(): boolean {
    return this.#options.captureLoss === 0 && this.#options.captureAfterMs === 0;
  }

  #checkWhole(atMost: 'taken' | 'read'): void {
    const copies = this.#options.engine.copies ?? 1;
    const { isHalfClosed } = this.#options.targetManner;
    const visits = this.#options.visits.flat();
    for (const [number, requests] of this.outcomes.entries()) {
      const { abortAfterMs, end } = visits[number]!.manner;
      // A reset in the midst may overtake what was said before it, and a reset at the end what the target's program has not read.
      if (abortAfterMs > 0) continue;
      // Nobody waits for answers of a target that closes its side first: the run may be over before its program reads. And it is left
      // with a FIN, which the next SYN from that port may overtake: that finds a half-open connection and resets it (RFC 9293 3.5.1),
      // which flushes what is unread (3.10.7.4).
      const at = end === 'abort' || end === 'vanish' || isHalfClosed ? 'taken' : atMost;
      for (const [index, outcome] of requests.entries()) {
        const expected = outcome.online > 0 ? copies : 0;
        const count = outcome[at];
        assert.ok(count >= expected, `request ${index} of client ${number} was ${at} ${count} times, not ${expected}`);
      }
    }
  }
}
