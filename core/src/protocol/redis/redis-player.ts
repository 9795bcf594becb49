/**
 * A Redis session towards the target: AUTH, and HELLO with AUTH, get the target's user and password. A connection that was joined, or lost, is let in first, and gets
 * the database that it had (SELECT) and the protocol (HELLO). Everything else passes.
 */
import { decodeUtf8 } from '../../channel/utf8.js';
import { type Credential, credentialOf } from '../credential.js';
import type { Outlet, Player, PlayerParts, PlayerState } from '../protocol.js';
import { commandOf, endOfLine, MORE, NONE, NumberLine, readBulk, readCount, wordsAt } from './command-words.js';

/** Users without a name are this one. */
const DEFAULT_USER = 'default';
/** A login is no longer than this. */
const COMMAND_BYTES_MAX = 4096;
const NAME_BYTES_MAX = 16;
const REPLY_BYTES_MAX = 512;
const PROBLEM_LENGTH_MAX = 200;
const ERROR = 0x2d;
const LOOKED_AT = new Set(['AUTH', 'HELLO', 'SELECT']);
const LINE_NAME = /^(auth|hello|select)\s/i;

export class RedisPlayer implements Player {
  readonly #parts: PlayerParts;
  readonly #number = new NumberLine();
  #state: PlayerState = 'open';
  #problem = '';
  #credential: Credential | undefined;
  /** What the client has chosen; empty: nothing. */
  #protocol = '';
  #database = '';
  /** Commands that a connection begins with, and how many of their replies are to come. */
  #prologue: Uint8Array[] = [];
  #awaited = 0;
  /** Of a reply, what came so far. */
  #reply: number[] = [];
  /** Something of the turn was sent: an answer may not be that of a login. */
  #hasSaid = false;
  /** Bulk strings of the current command that pass, and octets of the current one. */
  #strings = 0;
  #left = 0;
  #isInLine = false;

  constructor(parts: PlayerParts) {
    this.#parts = parts;
  }

  get state(): PlayerState {
    return this.#state;
  }

  get problem(): string {
    return this.#problem;
  }

  get isTurnUnknown(): boolean {
    return false;
  }

  beginTurn(): void {
    this.#hasSaid = false;
  }

  connect(isStart: boolean): void {
    this.#problem = '';
    this.#strings = 0;
    this.#left = 0;
    this.#isInLine = false;
    this.#reply = [];
    this.#awaited = 0;
    this.#prologue = [];
    this.#state = 'open';
    if (isStart) {
      this.#credential = undefined;
      this.#protocol = '';
      this.#database = '';
      return;
    }
    if (this.#credential === undefined && this.#database === '' && this.#protocol === '') {
      this.#credential = this.#parts.credentials[0]!;
      this.#database = this.#credential.database;
    }
    if (this.#credential !== undefined) this.#prologue.push(...authOf(this.#credential));
    if (this.#protocol !== '') this.#prologue.push(commandOf(['HELLO', this.#protocol]));
    if (this.#database !== '') this.#prologue.push(commandOf(['SELECT', this.#database]));
    if (this.#prologue.length > 0) this.#state = 'busy';
  }

  /** One command at a time: what answers it is told from what answers the next. */
  speak(out: Outlet): void {
    if (this.#state !== 'busy' || this.#awaited > 0) return;
    const command = this.#prologue.shift();
    if (command === undefined) {
      this.#state = 'open';
      return;
    }
    out.write(command, 0, command.length);
    this.#awaited = 1;
  }

  hear(bytes: Uint8Array, offset: number, present: number, length: number): void {
    if (this.#awaited === 0) return;
    for (let at = offset; at < offset + present; at += 1) {
      if (bytes[at] === 0x0a) {
        this.#onReply();
        return;
      }
      if (this.#reply.length < REPLY_BYTES_MAX) this.#reply.push(bytes[at]!);
    }
    if (present < length) this.#state = 'lost';
  }

  /** The first line of a reply is there: of a reply of several lines it says enough. */
  #onReply(): void {
    const reply = decodeUtf8(Uint8Array.from(this.#reply));
    this.#reply = [];
    this.#awaited = 0;
    if (reply.charCodeAt(0) === ERROR) {
      this.#refuse(
        `the target does not let ${this.#userText()} in: ${reply.slice(1).trim().slice(0, PROBLEM_LENGTH_MAX)}`,
      );
    } else if (this.#prologue.length === 0) this.#state = 'open';
  }

  #userText(): string {
    return JSON.stringify(this.#credential?.targetUser || DEFAULT_USER);
  }

  #refuse(problem: string): void {
    this.#problem = `Redis: ${problem}`;
    this.#state = 'refused';
  }

  translate(bytes: Uint8Array, offset: number, length: number, isWhole: boolean, out: Outlet): number {
    const end = offset + length;
    let at = offset;
    while (at < end && this.#state === 'open') {
      const taken = this.#step(bytes, at, end, out);
      if (taken === 0 && this.#state === 'open') {
        if (!isWhole) break;
        // The turn ends within a command's head: whatever it is, it passes.
        this.#pass(bytes, at, end - at, out);
        return length;
      }
      at += taken;
    }
    return at - offset;
  }

  #pass(bytes: Uint8Array, at: number, length: number, out: Outlet): number {
    out.write(bytes, at, length);
    this.#hasSaid = true;
    return length;
  }

  #step(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    if (this.#left > 0) {
      const taken = Math.min(this.#left, end - at);
      this.#left -= taken;
      return this.#pass(bytes, at, taken, out);
    }
    if (this.#isInLine) return this.#passLine(bytes, at, end, out);
    if (this.#strings > 0) return this.#string(bytes, at, end, out);
    return this.#command(bytes, at, end, out);
  }

  /** The rest of a line, as far as it is there. */
  #passLine(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const lineEnd = endOfLine(bytes, at, end);
    this.#isInLine = lineEnd === MORE;
    return this.#pass(bytes, at, (lineEnd === MORE ? end : lineEnd) - at, out);
  }

  /** The head of a bulk string; its text passes. */
  #string(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const length = readBulk(bytes, at, end, this.#number);
    if (length === MORE) return 0;
    if (length === NONE) {
      this.#strings = 0;
      return this.#passLine(bytes, at, end, out);
    }
    this.#strings -= 1;
    this.#left = length + 2;
    return this.#pass(bytes, at, this.#number.end - at, out);
  }

  #command(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const count = readCount(bytes, at, end, this.#number);
    if (count === MORE) return 0;
    if (count === NONE || count === 0) return this.#line(bytes, at, end, out);
    const head = this.#number.end;
    const nameBytes = readBulk(bytes, head, end, this.#number);
    if (nameBytes === MORE) return 0;
    if (nameBytes >= 0 && nameBytes <= NAME_BYTES_MAX) {
      const nameAt = this.#number.end;
      if (nameAt + nameBytes > end) return 0;
      if (LOOKED_AT.has(decodeUtf8(bytes, nameAt, nameBytes).toUpperCase())) {
        const command = wordsAt(bytes, at, end);
        if (command === undefined && end - at < COMMAND_BYTES_MAX) return 0;
        if (command !== undefined && this.#onWords(command.words, out)) return command.end - at;
      }
    }
    if (this.#state !== 'open') return 0;
    this.#strings = count;
    return this.#pass(bytes, at, head - at, out);
  }

  /** A command as a line of words. */
  #line(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const lineEnd = endOfLine(bytes, at, end);
    if (lineEnd === MORE && end - at < COMMAND_BYTES_MAX) return 0;
    if (lineEnd !== MORE && lineEnd - at <= COMMAND_BYTES_MAX) {
      const text = decodeUtf8(bytes, at, lineEnd - at);
      if (LINE_NAME.test(text) && this.#onWords(text.trim().split(/\s+/), out)) return lineEnd - at;
      if (this.#state !== 'open') return 0;
    }
    return this.#passLine(bytes, at, end, out);
  }

  /** AUTH, HELLO or SELECT. True when something else was sent, or nothing; false: it passes, or the state says why not. */
  #onWords(words: readonly string[], out: Outlet): boolean {
    const [name = '', ...rest] = words;
    switch (name.toUpperCase()) {
      case 'SELECT':
        this.#database = rest[0] ?? '';
        return false;
      case 'AUTH':
        return rest.length > 0 && this.#onAuth(rest.length > 1 ? rest[0]! : '', authOf, out);
      default:
        return this.#onHello(rest, out);
    }
  }

  #onHello(rest: readonly string[], out: Outlet): boolean {
    this.#protocol = rest[0] ?? this.#protocol;
    const at = rest.findIndex((word, index) => index > 0 && word.toUpperCase() === 'AUTH');
    if (at < 0 || rest.length < at + 3) return false;
    const [before, behind] = [rest.slice(0, at), rest.slice(at + 3)];
    return this.#onAuth(
      rest[at + 1]!,
      ({ targetUser, password }) => {
        const auth = password === '' ? [] : ['AUTH', targetUser || DEFAULT_USER, password];
        return [commandOf(['HELLO', ...before, ...auth, ...behind])];
      },
      out,
    );
  }

  #onAuth(user: string, commandsFor: (credential: Credential) => readonly Uint8Array[], out: Outlet): boolean {
    const known =
      credentialOf(this.#parts.credentials, user) ?? credentialOf(this.#parts.credentials, user || DEFAULT_USER);
    if (known === undefined) {
      this.#refuse(`user ${JSON.stringify((user || DEFAULT_USER).slice(0, 80))} has no credential`);
      return false;
    }
    this.#credential = known.user === '' ? { ...known, targetUser: user } : known;
    for (const command of commandsFor(this.#credential)) {
      out.write(command, 0, command.length);
      if (!this.#hasSaid) {
        // Nothing else is on its way, so the next reply is that of the login.
        this.#awaited = 1;
        this.#state = 'busy';
      }
      this.#hasSaid = true;
    }
    return true;
  }
}

/** A target without password is asked for nothing. */
function authOf({ targetUser, password }: Credential): Uint8Array[] {
  if (password === '') return [];
  return [
    commandOf(targetUser === '' || targetUser === DEFAULT_USER ? ['AUTH', password] : ['AUTH', targetUser, password]),
  ];
}
