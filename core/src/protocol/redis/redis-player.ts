/**
 * A Redis session towards the target: AUTH, and HELLO with AUTH, get the target's user and password. A connection that was joined, or lost, is let in first, and gets
 * the database that it had (SELECT) and the protocol (HELLO). Everything else passes.
 */
import { decodeUtf8 } from '../../channel/utf8.js';
import { type Credential, credentialOf } from '../credential.js';
import { TARGET_TEXT_LENGTH_MAX } from '../exchange.js';
import type { Outlet, PlayerParts } from '../protocol.js';
import { StreamPlayer } from '../stream-player.js';
import { commandOf, endOfLine, MORE, NONE, NumberLine, readBulk, readCount, wordsAt } from './command-words.js';

/** Users without a name are this one. */
const DEFAULT_USER = 'default';
/** A login is no longer than this. */
const COMMAND_BYTES_MAX = 4096;
const NAME_BYTES_MAX = 16;
const REPLY_BYTES_MAX = 512;
const ERROR = 0x2d;
const LOOKED_AT = new Set(['AUTH', 'HELLO', 'SELECT']);
const LINE_NAME = /^(auth|hello|select)\s/i;

export class RedisPlayer extends StreamPlayer {
  readonly #number = new NumberLine();
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
  /** Bulk strings of the current command that pass. */
  #strings = 0;
  #isInLine = false;

  constructor(parts: PlayerParts) {
    super('Redis', parts);
  }

  override beginTurn(): void {
    super.beginTurn();
    this.#hasSaid = false;
  }

  override connect(isStart: boolean): void {
    this.#strings = 0;
    this.#isInLine = false;
    this.#reply = [];
    this.#awaited = 0;
    this.#prologue = [];
    super.connect(isStart);
  }

  protected begin(): void {
    this.#protocol = '';
    this.#database = '';
  }

  protected resume(): void {
    if (this.credential === undefined && this.#database === '' && this.#protocol === '') {
      this.credential = this.parts.credentials[0]!;
      this.#database = this.credential.database;
    }
    if (this.credential !== undefined) this.#prologue.push(...authOf(this.credential));
    if (this.#protocol !== '') this.#prologue.push(commandOf(['HELLO', this.#protocol]));
    if (this.#database !== '') this.#prologue.push(commandOf(['SELECT', this.#database]));
    if (this.#prologue.length === 0) this.state = 'open';
  }

  /** One command at a time: what answers it is told from what answers the next. */
  speak(out: Outlet): void {
    if (this.state !== 'busy' || this.#awaited > 0) return;
    const command = this.#prologue.shift();
    if (command === undefined) {
      this.state = 'open';
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
    if (present < length) this.state = 'lost';
  }

  /** The first line of a reply is there: of a reply of several lines it says enough. */
  #onReply(): void {
    const reply = decodeUtf8(Uint8Array.from(this.#reply));
    this.#reply = [];
    this.#awaited = 0;
    if (reply.charCodeAt(0) === ERROR) {
      this.refuse(
        `the target does not let ${this.#userText()} in: ${reply.slice(1).trim().slice(0, TARGET_TEXT_LENGTH_MAX)}`,
      );
    } else if (this.#prologue.length === 0) this.state = 'open';
  }

  #userText(): string {
    return JSON.stringify(this.credential?.targetUser || DEFAULT_USER);
  }

  protected override put(bytes: Uint8Array, offset: number, length: number, out: Outlet): void {
    super.put(bytes, offset, length, out);
    this.#hasSaid = true;
  }

  protected look(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    if (this.#isInLine) return this.#passLine(bytes, at, end, out);
    if (this.#strings > 0) return this.#string(bytes, at, end, out);
    return this.#command(bytes, at, end, out);
  }

  /** The rest of a line, as far as it is there. */
  #passLine(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const lineEnd = endOfLine(bytes, at, end);
    this.#isInLine = lineEnd === MORE;
    return this.goBy(bytes, at, end, (lineEnd === MORE ? end : lineEnd) - at, out);
  }

  /** A bulk string. */
  #string(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const length = readBulk(bytes, at, end, this.#number);
    if (length === MORE) return 0;
    if (length === NONE) {
      this.#strings = 0;
      return this.#passLine(bytes, at, end, out);
    }
    this.#strings -= 1;
    return this.goBy(bytes, at, end, this.#number.end - at + length + 2, out);
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
    if (this.state !== 'open') return 0;
    this.#strings = count;
    return this.goBy(bytes, at, end, head - at, out);
  }

  /** A command as a line of words. */
  #line(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    const lineEnd = endOfLine(bytes, at, end);
    if (lineEnd === MORE && end - at < COMMAND_BYTES_MAX) return 0;
    if (lineEnd !== MORE && lineEnd - at <= COMMAND_BYTES_MAX) {
      const text = decodeUtf8(bytes, at, lineEnd - at);
      if (LINE_NAME.test(text) && this.#onWords(text.trim().split(/\s+/), out)) return lineEnd - at;
      if (this.state !== 'open') return 0;
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
    const credential = credentialOf(this.parts.credentials, user) ?? this.credentialFor(user || DEFAULT_USER);
    if (credential === undefined) return false;
    this.credential = credential;
    this.isAnswerOwn = true;
    for (const command of commandsFor(credential)) {
      out.write(command, 0, command.length);
      if (!this.#hasSaid) {
        // Nothing else is on its way, so the next reply is that of the login.
        this.#awaited = 1;
        this.state = 'busy';
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
