import type { Socket } from 'node:net';

/**
 * How much of a socket is read in one turn of the loop, about; then whatever else waits gets its turn, such as responses. A socket
 * that always has more would otherwise be read 32 times in a row. Its user can stop reading as well.
 */
export class SocketReading {
  readonly #socket: Socket;
  readonly #turnBytesMax: number;
  /** Octets read since the last look. */
  #turnBytes = 0;
  #isTurnWatched = false;
  #isPaused = false;

  constructor(socket: Socket, turnBytesMax: number) {
    this.#socket = socket;
    this.#turnBytesMax = turnBytesMax;
  }

  /** Whether its user has stopped it. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#turnBytes < this.#turnBytesMax) this.#socket.resume();
  }

  /** So many octets came. Short turns cost nothing: they are only looked at when half of the bound has come. */
  took(bytes: number): void {
    this.#turnBytes += bytes;
    if (this.#turnBytes < this.#turnBytesMax / 2) return;
    if (!this.#isTurnWatched) {
      this.#isTurnWatched = true;
      setImmediate(this.#nextTurn);
    }
    if (this.#turnBytes >= this.#turnBytesMax) this.#socket.pause();
  }

  readonly #nextTurn = (): void => {
    const wasLong = this.#turnBytes >= this.#turnBytesMax;
    this.#turnBytes = 0;
    this.#isTurnWatched = false;
    if (wasLong && !this.#isPaused) this.#socket.resume();
  };
}
