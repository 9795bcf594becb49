/** The sessions that are open: slots of a fixed number, and ids that tell the sessions of one slot from each other. */
import { type Captured, END_NONE } from './captured.js';
import { CLOSED } from './replay.js';
import { type Session, SLOT_MASK } from './session.js';

/** Session ids: 20 bits of slot, 12 of generation. As many sessions have an id as there are slots. */
export const SESSIONS_MAX = SLOT_MASK + 1;
const GENERATION_MASK = 0xfff;

export class SessionTable {
  readonly #sessions: (Session | undefined)[];
  readonly #generations: Uint16Array;
  readonly #freeSlots: Int32Array;
  #freeCount: number;
  /** The last slot that was looked at for a silent connection. */
  #silentHand = 0;

  constructor(sessionsMax: number) {
    this.#sessions = new Array<Session | undefined>(sessionsMax).fill(undefined);
    this.#generations = new Uint16Array(sessionsMax);
    this.#freeSlots = new Int32Array(sessionsMax);
    for (let index = 0; index < sessionsMax; index += 1) this.#freeSlots[index] = sessionsMax - 1 - index;
    this.#freeCount = sessionsMax;
  }

  get openCount(): number {
    return this.#sessions.length - this.#freeCount;
  }

  /** Whether there is no room for another session. */
  get isFull(): boolean {
    return this.#freeCount === 0;
  }

  /** By slot. */
  get all(): readonly (Session | undefined)[] {
    return this.#sessions;
  }

  /** The slot that the next session gets. */
  get nextSlot(): number {
    return this.#freeSlots[this.#freeCount - 1]!;
  }

  /** An id that no session of the slot had for long. */
  nextId(slot: number): number {
    const generation = (this.#generations[slot]! + 1) & GENERATION_MASK;
    this.#generations[slot] = generation;
    return generation * SESSIONS_MAX + slot;
  }

  /** The session with the id; undefined when there is none any more. */
  withId(id: number): Session | undefined {
    const session = this.#sessions[id & SLOT_MASK];
    return session?.id === id ? session : undefined;
  }

  at(slot: number): Session | undefined {
    return this.#sessions[slot];
  }

  /** Adds a session at `nextSlot`. */
  add(session: Session): void {
    this.#freeCount -= 1;
    this.#sessions[session.slot] = session;
  }

  remove({ slot }: Session): void {
    this.#sessions[slot] = undefined;
    this.#freeSlots[this.#freeCount] = slot;
    this.#freeCount += 1;
  }

  /**
   * A connection, other than `newcomer`, that was not heard of since `sinceMs` and has not ended, all of whose sessions have settled
   * their turns and have no target connection. Looks at the next `looksMax` sessions only.
   */
  findSilent(newcomer: Captured, sinceMs: number, looksMax: number): Captured | undefined {
    for (let looked = 0; looked < looksMax; looked += 1) {
      this.#silentHand = (this.#silentHand + 1) % this.#sessions.length;
      const captured = this.#sessions[this.#silentHand]?.captured;
      if (captured === undefined || captured === newcomer || captured.lastSeenMs > sinceMs) continue;
      if (captured.end === END_NONE && captured.sessions.every(isResting)) return captured;
    }
    return undefined;
  }
}

/** Whether all turns are settled, and the target connection is gone. */
function isResting({ replay, turnUna, captured }: Session): boolean {
  return replay.state === CLOSED && turnUna >= captured.turns.endIndex;
}
