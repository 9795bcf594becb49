import type { Credential } from './credential.js';
import type { Outlet } from './protocol.js';

/** Of what a target says about a refusal, as many characters are told. */
export const TARGET_TEXT_LENGTH_MAX = 200;

/**
 * What a player and the target say to each other until the target has let a user in. What the target says is read whole, so octets that did not
 * come along end it.
 */
export abstract class Exchange {
  /** Whom the target was told of; undefined: nobody. */
  protected credential: Credential | undefined;
  /** The target takes what the client says. */
  isReady = false;
  /** Why it lets nobody in; empty: it may. */
  problem = '';
  /** Octets were missed that matter. */
  isLost = false;
  /** What is to be said to the target, in order. */
  readonly #owed: Uint8Array[] = [];

  /** A target connection begins. */
  connect(): void {
    this.credential = undefined;
    this.isReady = false;
    this.problem = '';
    this.isLost = false;
    this.#owed.length = 0;
  }

  /** The target is told of this user. */
  expect(credential: Credential): void {
    this.credential = credential;
    this.isReady = false;
  }

  /** Says what is owed. */
  speak(out: Outlet): void {
    for (let owed = this.#owed.shift(); owed !== undefined; owed = this.#owed.shift()) out.write(owed, 0, owed.length);
  }

  /** target --octets--> client, as {@link Player.hear}. */
  hear(bytes: Uint8Array, offset: number, present: number, length: number): void {
    if (present < length) this.isLost = true;
    else this.read(bytes, offset, offset + length);
  }

  /** Octets [offset, end) of the target. */
  protected abstract read(bytes: Uint8Array, offset: number, end: number): void;

  protected owe(message: Uint8Array): void {
    this.#owed.push(message);
  }

  protected refuse(problem: string): void {
    this.problem = problem;
  }
}
