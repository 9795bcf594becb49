import type { Credentials } from './credential.js';
import type { Digests } from './digests.js';

/** What a player needs from outside. */
export interface PlayerParts {
  readonly credentials: Credentials;
  readonly digests: Digests;
  /** Secret octets that nonces are made of: 16 or more, random. */
  readonly nonceKey: Uint8Array;
  /** Different for each player. */
  readonly serial: number;
}

/** One protocol. */
export interface Protocol {
  readonly name: string;
  /** The part of one session. */
  player(parts: PlayerParts): Player;
}

/** Takes what the target is to be sent. */
export interface Outlet {
  /** The octets are copied. */
  write(bytes: Uint8Array, offset: number, length: number): void;
}

/** How a player stands to its session. */
export const PLAYER_STATES = [
  /** It takes what the client says. */
  'open',
  /** It waits for the target: nothing of the client's goes out. */
  'busy',
  /** The target does not let it in, or nobody said how to get in; `problem` says which. */
  'refused',
  /** The target's octets cannot be followed any more: a fresh connection may help. */
  'lost',
  /** The client goes on with TLS. */
  'encrypted',
] as const;
export type PlayerState = (typeof PLAYER_STATES)[number];

export interface Player {
  readonly state: PlayerState;
  /** For people, no secret in it; with state `refused`. */
  readonly problem: string;
  /** The turn needs what only online knows: the rest of it is taken and not sent, and the turn is lost. */
  readonly isTurnUnknown: boolean;
  /** What the target answers to the turn says nothing about it: part of a login, of another form, or with a number that the target counts by itself. */
  readonly isAnswerOwn: boolean;
  /** What is offered next begins a turn. */
  beginTurn(): void;
  /** A target connection begins. `isStart`: so did the client's, with the octets that follow; otherwise those of a running connection follow. */
  connect(isStart: boolean): void;
  /** Says what it has to say on its own account. */
  speak(out: Outlet): void;
  /**
   * client --bytes[offset, offset + length)--> target. Returns how many octets it has taken; those that it has not are offered again,
   * with more behind them, or in state `open` again. `isWhole`: the turn ends with them, and all must be taken that the state lets.
   */
  translate(bytes: Uint8Array, offset: number, length: number, isWhole: boolean, out: Outlet): number;
  /**
   * target --octets--> client: `length` octets of its stream, the first `present` of them at `offset` of `bytes`; the rest did not come along. `length`
   * octets of which none is present may be a gap.
   */
  hear(bytes: Uint8Array, offset: number, present: number, length: number): void;
}
