/**
 * The registrations of C tcpcopies, as flows: where headers of responses go. They come without sessions, and no flow is ever ended, so
 * the table is kept by silence; the registry has the rest.
 */
import {
  PacketHeader,
  readU16,
  TUNNEL_ADD,
  TUNNEL_CLIENT_ADDRESS,
  TUNNEL_CLIENT_PORT,
  TUNNEL_DELETE,
  TUNNEL_TARGET_ADDRESS,
  TUNNEL_TARGET_PORT,
  TUNNEL_TYPE,
} from '@trafficcopy/core';
import type { CopyLink } from '../channel/copy-link.js';
import type { CopyLinks } from '../channel/copy-links.js';
import type { InterceptCounters, RefusalReason } from '../counters.js';
import type { FlowRegistry } from './flow-registry.js';
import type { TargetGate } from './target-gate.js';

const NONE = -1;
const ADDRESS_BYTES = 4;
/** Lines that are looked at for a flow that can go. */
const EVICTION_LINES = 64;

export interface TunnelRoutesOptions {
  readonly flows: FlowRegistry;
  readonly links: CopyLinks;
  readonly gate: TargetGate;
  readonly counters: InterceptCounters;
}

export class TunnelRoutes {
  /** Client's and target's address of the last registration. */
  readonly addresses = new Uint8Array(2 * ADDRESS_BYTES);
  /** Where they stand there, and the ports. */
  readonly header = new PacketHeader();
  readonly #options: TunnelRoutesOptions;

  constructor(options: TunnelRoutesOptions) {
    this.#options = options;
  }

  /** tcpcopy --message--> intercept, 14 octets at `offset`. Returns the flow that it opens; -1 when it opens none. */
  register(link: CopyLink, bytes: Uint8Array, offset: number, nowMs: number): number {
    const { counters } = this.#options;
    const type = readU16(bytes, offset + TUNNEL_TYPE);
    if (type !== TUNNEL_ADD) {
      // A C intercept does not act on it either.
      if (type !== TUNNEL_DELETE) counters.messagesUnknown += 1;
      return NONE;
    }
    counters.registrations += 1;
    const { addresses, header } = this;
    for (let at = 0; at < ADDRESS_BYTES; at += 1) {
      addresses[at] = bytes[offset + TUNNEL_CLIENT_ADDRESS + at]!;
      addresses[at + ADDRESS_BYTES] = bytes[offset + TUNNEL_TARGET_ADDRESS + at]!;
    }
    header.sourcePort = readU16(bytes, offset + TUNNEL_CLIENT_PORT);
    header.destinationPort = readU16(bytes, offset + TUNNEL_TARGET_PORT);
    return this.#route(link, nowMs);
  }

  /** Responses of that flow go to `link` from now on. */
  #route(link: CopyLink, nowMs: number): number {
    const { addresses, header } = this;
    const { flows, links, gate } = this.#options;
    const known = flows.findSent(addresses, header);
    if (known !== NONE) {
      const owner = links.at(flows.ownerOf(known));
      // The newer tunnel has it; but a copy that said HELLO keeps what it has.
      if (!owner.isWire) return this.#refuse('flowTaken');
      if (owner !== link) flows.assign(known, link.owner, link.nextSessionId());
      flows.touch(known, nowMs);
      return NONE;
    }
    if (!gate.servesDestination(addresses, header, undefined)) return this.#refuse('targetUnknown');
    if (!gate.permitsSource(addresses, header, undefined)) return this.#refuse('sourceRefused');
    return this.#open(link, nowMs);
  }

  /** Where there is no room the flow goes that was silent for longest, of those that are looked at. */
  #open(link: CopyLink, nowMs: number): number {
    const { addresses, header } = this;
    const { flows, links, counters } = this.#options;
    const sessionId = link.nextSessionId();
    let flow = flows.open(addresses, header, link.owner, sessionId, nowMs);
    if (flow === NONE) {
      const oldest = flows.oldestOf(EVICTION_LINES, (owner) => links.at(owner).isWire);
      if (oldest === NONE) return this.#refuse('flowTableFull');
      flows.remove(oldest);
      counters.flowsEvicted += 1;
      flow = flows.open(addresses, header, link.owner, sessionId, nowMs);
    }
    if (flow === NONE) return this.#refuse('flowTableFull');
    counters.flowsOpened += 1;
    return flow;
  }

  #refuse(reason: RefusalReason): -1 {
    this.#options.counters.recordsRefused[reason] += 1;
    return NONE;
  }
}
