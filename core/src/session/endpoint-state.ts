import type { EndpointConfig } from '../engine-config.js';
import { flowHash } from '../flow/flow-hash.js';
import type { IpAddress } from '../wire/ip-address.js';
import { OpeningWindow } from './opening-window.js';
import { PATH_MTU_MS } from './path-mtu.js';

/** RFC 6298 2.2: timeout after the first sample, in round trips. */
const RTO_ROUND_TRIPS = 3;
/** A new connection waits no longer than this for an answer to its first SYN. */
const RTO_SHARED_MAX_MS = 10_000;
/** Sessions in a row whose full segments got no answer, and smaller ones did, before new ones begin with the smaller. */
const BLACK_HOLES_MAX = 3;

/** Loss probes that may go out at once. */
const PROBES_MAX = 64;
/** What each acknowledgement adds to them. */
const PROBES_EARNED = 1 / 8;

/** One place where a target listens, with what its connections have learnt about the way to it. */
export class EndpointState {
  readonly lane: number;
  readonly address: IpAddress;
  readonly port: number;
  /** Number of this address and port in the port table: the same for all targets that have it. */
  readonly portKey: number;
  /** Of address and port: weighs endpoints against each other. */
  readonly hash: number;
  readonly openings = new OpeningWindow();
  /** Whether it was taken out of the settings. */
  isGone = false;
  /** Largest packet that the path carries, as far as is known; Infinity: nothing is. */
  pathMtuBytes = Number.POSITIVE_INFINITY;
  #pathMtuUntilMs = 0;
  #blackHoles = 0;
  #probes = PROBES_MAX;
  /** Round trip of late handshakes, ms; it follows a longer one at once, and shorter ones slowly. */
  #handshakeMs = 0;

  constructor({ lane, address, port }: EndpointConfig, portKey: number) {
    this.lane = lane;
    this.address = address;
    this.port = port;
    this.portKey = portKey;
    this.hash = flowHash(0, address, 0, address.length, port);
  }

  /** The path carries no more than this. Returns whether that is less than was known; a message never makes it more. */
  narrowPath(mtuBytes: number, nowMs: number): boolean {
    this.#pathMtuUntilMs = nowMs + PATH_MTU_MS;
    if (mtuBytes >= this.pathMtuBytes) return false;
    this.pathMtuBytes = mtuBytes;
    return true;
  }

  /**
   * A session's full segments got no answer, and segments of packets of this size did. `isPlain`: none of its full segments ever
   * got through, so it may be the path and not bad luck. Returns whether the path is taken to be that narrow now.
   */
  noteBlackHole(mtuBytes: number, isPlain: boolean, nowMs: number): boolean {
    this.#blackHoles = isPlain ? this.#blackHoles + 1 : 0;
    return this.#blackHoles >= BLACK_HOLES_MAX && this.narrowPath(mtuBytes, nowMs);
  }

  /** An acknowledgement of new octets came. */
  earnProbe(): void {
    if (this.#probes < PROBES_MAX) this.#probes += PROBES_EARNED;
  }

  /**
   * Takes the right to one loss probe. Where more than one acknowledgement in eight has to be asked for, the target holds them back, or is
   * overloaded, or gone: then what is sent twice makes nothing better, and the retransmission timer is soon enough.
   */
  takeProbe(): boolean {
    if (this.#probes < 1) return false;
    this.#probes -= 1;
    return true;
  }

  /** Before a new target connection. */
  forgetOldPath(nowMs: number): void {
    if (nowMs < this.#pathMtuUntilMs || this.pathMtuBytes === Number.POSITIVE_INFINITY) return;
    this.pathMtuBytes = Number.POSITIVE_INFINITY;
    this.#blackHoles = 0;
  }

  noteHandshake(rttMs: number): void {
    const isLonger = rttMs > this.#handshakeMs;
    this.#handshakeMs = isLonger ? rttMs : 0.875 * this.#handshakeMs + 0.125 * rttMs;
  }

  /**
   * What a new connection may take for the least time until its SYN counts as lost (RFC 9040: connections to one host share the
   * round trip that they measured). A target or an intercept that lags by seconds would get each SYN twice and more, when it can
   * least do with it.
   */
  get rtoSharedMs(): number {
    return Math.min(RTO_ROUND_TRIPS * this.#handshakeMs, RTO_SHARED_MAX_MS);
  }
}
