import { type Credential, credentialOf } from './credential.js';
import type { Exchange } from './exchange.js';
import type { Outlet, Player, PlayerParts, PlayerState } from './protocol.js';

const NAME_LENGTH_MAX = 80;

/**
 * What the players of all protocols have in common. A client's stream is pieces (messages, packets, commands), one behind the other. A player looks at the
 * head of each and decides: it passes or is dropped as a whole, however long it is and however it is cut, or something else is sent in its place.
 */
export abstract class StreamPlayer implements Player {
  protected readonly parts: PlayerParts;
  /** Of the protocol, for people. */
  readonly #name: string;
  state: PlayerState = 'busy';
  problem = '';
  isTurnUnknown = false;
  isAnswerOwn = false;
  /** Who the client is at the target; undefined as long as that was not seen. */
  protected credential: Credential | undefined;
  /** What goes by is not sent. As the turn has it where a piece begins. */
  protected isDropping = false;
  /** Octets of the current piece that go by without being looked at. */
  #left = 0;

  constructor(name: string, parts: PlayerParts) {
    this.#name = name;
    this.parts = parts;
  }

  beginTurn(): void {
    this.isTurnUnknown = false;
    this.isAnswerOwn = false;
  }

  connect(isStart: boolean): void {
    this.problem = '';
    this.isDropping = false;
    this.#left = 0;
    this.state = isStart ? 'open' : 'busy';
    if (!isStart) {
      this.resume();
      return;
    }
    this.credential = undefined;
    this.begin();
  }

  /** The client's connection begins. What was known of it counts no more. */
  protected abstract begin(): void;

  /** The client's connection goes on at a fresh one of the target: with what is known of it, or as the first user. */
  protected abstract resume(): void;

  abstract speak(out: Outlet): void;

  abstract hear(bytes: Uint8Array, offset: number, present: number, length: number): void;

  translate(bytes: Uint8Array, offset: number, length: number, isWhole: boolean, out: Outlet): number {
    const end = offset + length;
    let at = offset;
    while (at < end && this.state === 'open') {
      const taken = this.#left > 0 ? this.#goOn(bytes, at, end, out) : this.#next(bytes, at, end, out);
      if (taken === 0 && this.state === 'open') {
        if (!isWhole) break;
        // The turn ends within a head: whatever it is, it goes by.
        this.put(bytes, at, end - at, out);
        return length;
      }
      at += taken;
    }
    return at - offset;
  }

  #next(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    this.isDropping = this.isTurnUnknown;
    return this.look(bytes, at, end, out);
  }

  /**
   * Looks at the piece that begins at `at`; there is more of it than `end`, maybe. Returns how many octets it has taken, those of {@link goBy} among
   * them; 0: more of it is needed, or the state says why not.
   */
  protected abstract look(bytes: Uint8Array, at: number, end: number, out: Outlet): number;

  /** So many octets from `at` on go by, also those that are not there yet. Returns how many are. */
  protected goBy(bytes: Uint8Array, at: number, end: number, octets: number, out: Outlet): number {
    this.#left = octets;
    return this.#goOn(bytes, at, end, out);
  }

  #goOn(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const taken = Math.min(this.#left, end - at);
    this.put(bytes, at, taken, out);
    this.#left -= taken;
    if (this.#left === 0) this.onGoneBy();
    return taken;
  }

  /** All octets of {@link goBy} were there. */
  protected onGoneBy(): void {}

  /** Sends octets of the client's. */
  protected put(bytes: Uint8Array, offset: number, length: number, out: Outlet): void {
    if (!this.isDropping) out.write(bytes, offset, length);
  }

  /** How the target is to know a user of online. Undefined, and the state says why: the credentials do not have him. */
  protected credentialFor(user: string): Credential | undefined {
    const known = credentialOf(this.parts.credentials, user);
    if (known === undefined) this.refuse(`user ${JSON.stringify(user.slice(0, NAME_LENGTH_MAX))} has no credential`);
    return known;
  }

  /** Takes over how the login stands. Returns whether the user is in. */
  protected follow({ problem, isLost, isReady }: Exchange): boolean {
    if (problem !== '') this.refuse(`login of ${this.#userText()} at the target: ${problem}`);
    else if (isLost) this.state = 'lost';
    return isReady && this.state === 'busy';
  }

  #userText(): string {
    return this.credential === undefined ? 'nobody yet' : `user ${JSON.stringify(this.credential.targetUser)}`;
  }

  protected refuse(problem: string): void {
    this.problem = `${this.#name}: ${problem}`;
    this.state = 'refused';
  }
}
