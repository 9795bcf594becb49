/**
 * A PostgreSQL session towards the target (protocol 3: «Message Flow», «Message Formats»).
 *
 *   start message, the client's or one of ours ──▶ logging in ──▶ statements prepared again ──▶ messages, which pass
 *
 * What a client answers to online's requests for a password (`p`) is dropped: the target asks for itself.
 */
import { decodeUtf8 } from '../../channel/utf8.js';
import { readU32 } from '../../wire/bytes.js';
import type { Outlet, PlayerParts } from '../protocol.js';
import { StreamPlayer } from '../stream-player.js';
import { int32, LENGTH_BYTES, MESSAGE_HEADER_BYTES, messageOf } from './message.js';
import { PasswordExchange } from './password-exchange.js';

const PROTOCOL_3 = 196_608;
const TLS_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;
/** Of a ClientHello, which follows where online agreed to TLS. */
const TLS_HANDSHAKE = 22;
/** PostgreSQL's own limit of a start message is 10,000 octets. */
const START_BYTES_MAX = 10_000;
/** Statements with a name that are kept for a fresh connection. */
const STATEMENTS_MAX = 256;
const STATEMENT_BYTES_MAX = 16 * 1024;
/** Names of portals and statements stand at the start of a message. */
const NAMES_BYTES_MAX = 512;

const PHASES = ['start', 'login', 'restore', 'messages'] as const;
type Phase = (typeof PHASES)[number];

export class PostgresqlPlayer extends StreamPlayer {
  readonly #login: PasswordExchange;
  #phase: Phase = 'messages';
  /** Names and values of the start message, one behind the other; undefined: it was not seen, and none of ours was made. */
  #start: readonly string[] | undefined;
  #isStartOwed = false;
  /** The session was joined while it ran: it may have statements that are not known. */
  #isJoined = false;
  /** Messages that prepare statements, by name. */
  readonly #statements = new Map<string, Uint8Array>();
  /** Names of statements that are too large to keep. */
  readonly #unkept = new Set<string>();

  constructor(parts: PlayerParts) {
    super('PostgreSQL', parts);
    this.#login = new PasswordExchange(parts);
  }

  protected begin(): void {
    this.#login.connect();
    this.#isStartOwed = false;
    this.#start = undefined;
    this.#isJoined = false;
    this.#statements.clear();
    this.#unkept.clear();
    this.#phase = 'start';
  }

  protected resume(): void {
    this.#login.connect();
    if (this.#start === undefined) {
      this.credential = this.parts.credentials[0]!;
      this.#start = this.credential.database === '' ? [] : ['database', this.credential.database];
      this.#isJoined = true;
    }
    this.#beginLogin();
  }

  #beginLogin(): void {
    this.#phase = 'login';
    this.state = 'busy';
    this.#isStartOwed = true;
    this.#login.expect(this.credential!);
  }

  speak(out: Outlet): void {
    if (this.#isStartOwed) {
      this.#isStartOwed = false;
      const words = ['user', this.credential!.targetUser, ...this.#start!, ''];
      put(out, messageOf('', [int32(PROTOCOL_3), words.map((word) => `${word}\0`).join('')]));
    }
    this.#login.speak(out);
    if (this.#phase === 'restore' && this.#login.isReady) {
      this.#login.awaitReady();
      for (const message of this.#statements.values()) put(out, message);
      put(out, messageOf('S', []));
    }
  }

  hear(bytes: Uint8Array, offset: number, present: number, length: number): void {
    if (this.#phase !== 'login' && this.#phase !== 'restore') return;
    if (this.state !== 'busy') return;
    const wasRestoring = this.#phase === 'restore' && !this.#login.isReady;
    this.#login.hear(bytes, offset, present, length);
    if (!this.follow(this.#login)) return;
    if (wasRestoring || this.#statements.size === 0) {
      this.#phase = 'messages';
      this.state = 'open';
    } else this.#phase = 'restore';
  }

  protected look(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    if (this.#phase === 'start') {
      // The target gets a start message of ours.
      this.isDropping = true;
      this.isAnswerOwn = true;
      return this.#onStart(bytes, at, end);
    }
    if (end - at < MESSAGE_HEADER_BYTES) return 0;
    const messageEnd = at + 1 + Math.max(readU32(bytes, at + 1), LENGTH_BYTES);
    const type = String.fromCharCode(bytes[at]!);
    if (type === 'p') {
      this.isDropping = true;
      this.isAnswerOwn = true;
    } else if (type === 'P') {
      if (end < Math.min(messageEnd, at + STATEMENT_BYTES_MAX)) return 0;
      this.#onParse(bytes, at, end, messageEnd);
    } else if (type === 'B' || type === 'D' || type === 'C') {
      if (end < Math.min(messageEnd, at + NAMES_BYTES_MAX)) return 0;
      this.#onNamed(type, bytes, at + MESSAGE_HEADER_BYTES, Math.min(messageEnd, end));
    }
    return this.goBy(bytes, at, end, messageEnd - at, out);
  }

  #onStart(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] === TLS_HANDSHAKE) {
      this.state = 'encrypted';
      return 0;
    }
    if (end - at < 2 * LENGTH_BYTES) return 0;
    const length = readU32(bytes, at);
    const code = readU32(bytes, at + LENGTH_BYTES);
    // Whether online agreed shows in what follows.
    if (length === 2 * LENGTH_BYTES && (code === TLS_REQUEST || code === GSS_REQUEST)) return length;
    if (length === 4 * LENGTH_BYTES && code === CANCEL_REQUEST) return end - at < length ? 0 : length;
    if (length < 2 * LENGTH_BYTES || length > START_BYTES_MAX || code >> 16 !== PROTOCOL_3 >> 16) {
      this.refuse('the client began with something that is no start message of protocol 3');
      return 0;
    }
    if (end - at < length) return 0;
    this.#onStartMessage(decodeUtf8(bytes, at + 2 * LENGTH_BYTES, length - 2 * LENGTH_BYTES).split('\0'));
    return this.state === 'busy' ? length : 0;
  }

  #onStartMessage(words: readonly string[]): void {
    const kept: string[] = [];
    let user = '';
    for (let index = 0; index + 1 < words.length && words[index] !== ''; index += 2) {
      if (words[index] === 'user') user = words[index + 1]!;
      else kept.push(words[index]!, words[index + 1]!);
    }
    const credential = this.credentialFor(user);
    if (credential === undefined) return;
    // Without a word on it the database is the user's name, as online has it.
    const isNamed = kept.some((word, index) => index % 2 === 0 && word === 'database');
    this.#start = isNamed ? kept : ['database', user, ...kept];
    this.credential = credential;
    this.#beginLogin();
  }

  #onParse(bytes: Uint8Array, at: number, end: number, messageEnd: number): void {
    const name = nameAt(bytes, at + MESSAGE_HEADER_BYTES, Math.min(messageEnd, end));
    if (name === '' || this.isTurnUnknown) return;
    const isKept = messageEnd <= end && this.#statements.size < STATEMENTS_MAX;
    if (isKept) this.#statements.set(name, bytes.slice(at, messageEnd));
    else if (this.#unkept.size < STATEMENTS_MAX) this.#unkept.add(name);
  }

  /** Bind: portal NUL, statement NUL. Describe, Close: `S` for a statement, its name NUL. */
  #onNamed(type: string, bytes: Uint8Array, body: number, end: number): void {
    const isBind = type === 'B';
    if (!isBind && bytes[body] !== 'S'.charCodeAt(0)) return;
    const name = isBind ? nameAt(bytes, afterName(bytes, body, end), end) : nameAt(bytes, body + 1, end);
    if (name === '') return;
    const isKnown = this.#statements.has(name) || this.#unkept.has(name);
    if (type === 'C') {
      this.#statements.delete(name);
      this.#unkept.delete(name);
    } else if (!isKnown && this.#isJoined && this.#unkept.size < STATEMENTS_MAX) {
      // It was prepared before the session was joined: the target does not have it.
      this.isTurnUnknown = true;
      this.isDropping = true;
    }
  }
}

function put(out: Outlet, message: Uint8Array): void {
  out.write(message, 0, message.length);
}

function nameAt(bytes: Uint8Array, at: number, end: number): string {
  const nameEnd = bytes.indexOf(0, at);
  return nameEnd < 0 || nameEnd >= end ? '' : decodeUtf8(bytes, at, nameEnd - at);
}

function afterName(bytes: Uint8Array, at: number, end: number): number {
  const nameEnd = bytes.indexOf(0, at);
  return nameEnd < 0 || nameEnd >= end ? end : nameEnd + 1;
}
