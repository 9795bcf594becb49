/** What of a connection is kept: the octets and turns that some session may still need. */
import type { ByteStore } from './byte-store.js';
import type { Captured } from './captured.js';
import { CLOSED } from './replay.js';
import type { Session } from './session.js';

export class Retention {
  readonly #store: ByteStore;
  /** Connections that may give up octets and turns, each once. */
  readonly #due: Captured[] = [];

  constructor(store: ByteStore) {
    this.#store = store;
  }

  /**
   * Gives up the bytes and turns of the connection that no session needs any more. With several sessions once for all of
   * them, when all have been worked through.
   */
  trim(captured: Captured): void {
    if (captured.sessions.length <= 1) this.trimNow(captured);
    else if (!captured.isTrimDue) {
      captured.isTrimDue = true;
      this.#due.push(captured);
    }
  }

  trimNow(captured: Captured): void {
    let offset = captured.streamEnd;
    let turn = captured.turns.endIndex;
    for (const session of captured.sessions) {
      session.script?.forget(session.turnUna);
      session.script?.trim(session, session.replay.state === CLOSED);
      const needed = neededOffset(session);
      if (needed < offset) offset = needed;
      if (session.turnUna < turn) turn = session.turnUna;
    }
    captured.stream.trimTo(this.#store, offset);
    captured.turns.trimTo(turn);
  }

  /** Trims the connections for which that was put off. */
  flush(): void {
    for (const captured of this.#due) {
      captured.isTrimDue = false;
      this.trimNow(captured);
    }
    this.#due.length = 0;
  }

  /** Sessions of a connection because of which more than half of its octets or turns are held. */
  laggards({ stream, turns, sessions }: Captured): Session[] {
    const middle = stream.startOffset + stream.heldBytes / 2;
    const middleTurn = turns.firstIndex + turns.count / 2;
    return sessions.filter((session) => neededOffset(session) < middle || session.turnUna < middleTurn);
  }
}

/** Stream offset of the first octet that the session may still have to send. */
function neededOffset(session: Session): number {
  const { replay, captured, turnUna, script } = session;
  const isConnected = replay.state !== CLOSED;
  if (isConnected && script === undefined) return replay.sndUnaOffset;
  if (turnUna >= captured.turns.endIndex) return script === undefined ? captured.streamEnd : script.endNeeded(session);
  const start = captured.turns.offsetOf(turnUna);
  return isConnected && script !== undefined ? script.neededOffset(session, turnUna, start) : start;
}
