/**
 * Prepared statements of one connection: which number each has at online, and which at the target.
 *
 * The client's stream holds what was prepared, in order, but not the numbers that online gave: they are in online's answers. Both MySQL and MariaDB count statements of a
 * connection from 1 on, also those that turn out to be wrong and those that are prepared in SQL, so in a connection that was seen from its start the number says which
 * statement it is. In one that was joined while it ran, the count is found when the client uses a number right after it has prepared a statement, one that is
 * higher than all that it used before. Until then numbers mean statements of before the join, which the target does not have.
 */

/** Statements of one connection that are remembered; the oldest goes. */
const STATEMENTS_MAX = 4096;
/** Octets of statements that are kept for a fresh connection; beyond it they are not prepared there again. */
const TEXT_BYTES_MAX = 256 * 1024;
/** A server that lost its place, or a statement that it could not prepare. */
export const NO_NUMBER = -1;

export interface Statement {
  /** Its number at online; undefined: not known. */
  readonly onlineNumber: number | undefined;
  /** Its number at the target; NO_NUMBER: it has none. */
  targetNumber: number;
  /** The whole packet that prepares it; undefined: not kept. */
  readonly packet: Uint8Array | undefined;
}

export class StatementMap {
  /** By order of preparation; undefined where none is any more, or where SQL prepared one. */
  readonly #statements = new Map<number, Statement>();
  /** Order of the next one. */
  #next = 0;
  /** Number at online less order; undefined: not known. */
  #offset: number | undefined;
  /** While the count is not known: the highest number that was used. */
  #highestUsed = 0;
  /** While the count is not known: the statement that was prepared since a number was used last. */
  #newest: number | undefined;
  #textBytes = 0;

  /** `isStart`: the connection was seen from its start. */
  clear(isStart: boolean): void {
    this.#statements.clear();
    this.#textBytes = 0;
    this.#next = 0;
    this.#offset = isStart ? 1 : undefined;
    this.#highestUsed = 0;
    this.#newest = undefined;
  }

  /** Numbers of before say nothing any more. */
  loseCount(): void {
    this.#statements.clear();
    this.#textBytes = 0;
    this.#offset = undefined;
    this.#highestUsed = 0;
    this.#newest = undefined;
  }

  /** A statement was prepared, by this packet. */
  prepare(packet: Uint8Array | undefined): Statement {
    const keeps = packet !== undefined && this.#textBytes + packet.length <= TEXT_BYTES_MAX;
    const onlineNumber = this.#offset === undefined ? undefined : this.#next + this.#offset;
    const statement: Statement = { onlineNumber, targetNumber: NO_NUMBER, packet: keeps ? packet : undefined };
    if (keeps) this.#textBytes += packet.length;
    if (this.#statements.size >= STATEMENTS_MAX) this.#drop(this.#statements.keys().next().value!);
    this.#statements.set(this.#next, statement);
    // Of two one might have failed at online, which has no way to be seen here.
    this.#newest = this.#newest === undefined ? this.#next : NO_NUMBER;
    this.#next += 1;
    return statement;
  }

  /** SQL has prepared one: it takes a number. */
  skip(): void {
    this.#next += 1;
  }

  /** The target's number of the statement that the client calls `number`; undefined when that cannot be told, or it has none. */
  targetNumberOf(number: number): number | undefined {
    const order = this.#orderOf(number);
    const statement = order === undefined ? undefined : this.#statements.get(order);
    return statement === undefined || statement.targetNumber === NO_NUMBER ? undefined : statement.targetNumber;
  }

  /** The client has closed it. */
  close(number: number): void {
    const order = this.#orderOf(number);
    if (order !== undefined) this.#drop(order);
  }

  #orderOf(number: number): number | undefined {
    if (this.#offset === undefined) {
      const newest = this.#newest;
      this.#newest = undefined;
      if (newest === undefined || newest === NO_NUMBER || number <= this.#highestUsed) {
        this.#highestUsed = Math.max(this.#highestUsed, number);
        return undefined;
      }
      this.#offset = number - newest;
    }
    const order = number - this.#offset;
    return this.#statements.has(order) ? order : undefined;
  }

  #drop(order: number): void {
    this.#textBytes -= this.#statements.get(order)?.packet?.length ?? 0;
    this.#statements.delete(order);
  }

  /** Those that live, in order. */
  get all(): Iterable<Statement> {
    return this.#statements.values();
  }
}
