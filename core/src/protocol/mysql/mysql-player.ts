/**
 * A MySQL or MariaDB session towards the target. Read «MySQL Client/Server Protocol», connection and command phase, first.
 *
 *   greeted?  ── the client's login, or one of ours where it was not seen ──▶ logging in ──▶ statements prepared again ──▶ commands
 *
 * What a client answers to online's other methods is dropped: the target asks for itself. In commands only the numbers of prepared statements change.
 */
import { decodeUtf8, encodeUtf8 } from '../../channel/utf8.js';
import { type Credential, credentialOf } from '../credential.js';
import type { Outlet, PlayerParts } from '../protocol.js';
import { StreamPlayer } from '../stream-player.js';
import { changeUserRequest, parseChangeUser } from './change-user.js';
import { COMMAND } from './command.js';
import { LoginExchange } from './login-exchange.js';
import {
  defaultLoginRequest,
  isTlsRequest,
  type LoginRequest,
  PACKET_HEADER_BYTES,
  packetOf,
  parseLoginRequest,
} from './login-request.js';
import { readUint24, readUint32, writeUint32 } from './mysql-integer.js';
import { PrepareAnswer } from './prepare-answer.js';
import { NO_NUMBER, type Statement, StatementMap } from './statement-map.js';

/** A login with attributes; MySQL's own limit of those is 64 KB, clients send some hundred octets. */
const LOGIN_BYTES_MAX = 16 * 1024;
/** Of a statement that is prepared: as much is kept, so that a fresh connection can prepare it again. */
const PREPARE_BYTES_MAX = 16 * 1024;
const DATABASE_LENGTH_MAX = 64;
/** Of a query, as much is looked at. */
const QUERY_LOOK_BYTES = 96;
/** Packet header, command, number of the statement. */
const NUMBER_OFFSET = PACKET_HEADER_BYTES + 1;
const NUMBERED_BYTES = NUMBER_OFFSET + 4;
/** MariaDB: the statement that was prepared last. */
const LAST_PREPARED = 0xffffffff;
/** What is offered at a time is more than that, so a whole packet of these sizes is seen. */
const USE = /^\s*use\s+`?([^`;\s]+)`?\s*;?\s*$/i;
const PREPARES_IN_SQL = /^\s*(?:prepare|execute\s+immediate)\s/i;

const PHASES = ['request', 'login', 'restore', 'commands'] as const;
type Phase = (typeof PHASES)[number];

export class MysqlPlayer extends StreamPlayer {
  readonly #login: LoginExchange;
  readonly #statements = new StatementMap();
  readonly #answer = new PrepareAnswer();
  #phase: Phase = 'commands';
  /** How the client logged in, or how we did for it. */
  #request: LoginRequest | undefined;
  /** It is ours. What answers look like depends on it: capabilities, character set. */
  #isRequestOurs = false;
  #database = '';
  /** The client's own login was seen; what follows it with a sequence number other than 0 belongs to it. */
  #isAnsweringOnline = false;
  /** The statement whose number is awaited when the current packet has gone by. */
  #passing: Statement | undefined;
  /** The statement whose number at the target is awaited. */
  #preparing: Statement | undefined;
  /** Those that a fresh connection has yet to prepare. */
  #restoring: Statement[] = [];

  constructor(parts: PlayerParts) {
    super('MySQL', parts);
    this.#login = new LoginExchange(parts.digests);
  }

  override beginTurn(): void {
    super.beginTurn();
    this.isAnswerOwn = this.#isRequestOurs;
  }

  override connect(isStart: boolean): void {
    this.#login.connect();
    this.#answer.clear();
    this.#isAnsweringOnline = false;
    this.#preparing = undefined;
    this.#passing = undefined;
    this.#restoring = [];
    super.connect(isStart);
  }

  protected begin(): void {
    this.#request = undefined;
    this.#isRequestOurs = false;
    this.#statements.clear(true);
    this.#phase = 'request';
  }

  protected resume(): void {
    if (this.#request === undefined) {
      const credential = this.parts.credentials[0]!;
      this.#request = defaultLoginRequest(credential.user, credential.database, credential.collation);
      this.#isRequestOurs = true;
      this.credential = credential;
      this.#database = credential.database;
      this.#statements.clear(false);
    }
    this.#restoring = [...this.#statements.all].filter(({ packet }) => packet !== undefined);
    for (const statement of this.#statements.all) statement.targetNumber = -1;
    this.#phase = 'login';
  }

  speak(out: Outlet): void {
    if (this.#phase === 'login' && this.#login.isGreeted && this.#request !== undefined) {
      this.#login.request(this.#request, this.credential!, this.#database);
    }
    this.#login.speak(out);
    if (this.#phase === 'restore' && this.#preparing === undefined) this.#restoreNext(out);
  }

  #restoreNext(out: Outlet): void {
    const statement = this.#restoring.shift();
    if (statement?.packet === undefined) {
      this.#phase = 'commands';
      this.state = 'open';
      return;
    }
    out.write(statement.packet, 0, statement.packet.length);
    this.#await(statement);
  }

  #await(statement: Statement): void {
    this.#preparing = statement;
    this.#answer.clear();
    this.state = 'busy';
  }

  hear(bytes: Uint8Array, offset: number, present: number, length: number): void {
    if (this.state === 'refused' || this.state === 'encrypted') return;
    if (this.#preparing !== undefined) {
      this.#hearAnswer(bytes, offset, present);
    } else if (this.#phase === 'request' || this.#phase === 'login') {
      this.#login.hear(bytes, offset, present, length);
      if (this.follow(this.#login)) this.#onLoggedIn();
    }
  }

  #hearAnswer(bytes: Uint8Array, offset: number, present: number): void {
    const number = this.#answer.hear(bytes, offset, present);
    if (number === undefined) return;
    const statement = this.#preparing!;
    statement.targetNumber = number;
    this.#preparing = undefined;
    if (this.#phase !== 'commands') return;
    if (number !== NO_NUMBER && number !== statement.onlineNumber) this.isAnswerOwn = true;
    this.state = 'open';
  }

  #onLoggedIn(): void {
    this.#phase = this.#restoring.length > 0 ? 'restore' : 'commands';
    this.state = this.#phase === 'commands' ? 'open' : 'busy';
  }

  protected look(bytes: Uint8Array, at: number, end: number, out: Outlet): number {
    if (end - at < PACKET_HEADER_BYTES) return 0;
    const packetEnd = at + PACKET_HEADER_BYTES + readUint24(bytes, at);
    if (this.#phase === 'request') return this.#onRequest(bytes, at, end, packetEnd);
    const sequence = bytes[at + 3]!;
    if (sequence !== 0 || packetEnd === at + PACKET_HEADER_BYTES) {
      // Behind a login the client's part of what online wanted; otherwise more of a large packet, or of a file.
      if (sequence !== 0 && this.#isAnsweringOnline) {
        this.isDropping = true;
        this.isAnswerOwn = true;
      }
      return this.goBy(bytes, at, end, packetEnd - at, out);
    }
    this.#isAnsweringOnline = false;
    if (end - at === PACKET_HEADER_BYTES) return 0;
    return this.#command(bytes, at, end, packetEnd, out);
  }

  protected override onGoneBy(): void {
    if (this.#passing !== undefined) this.#await(this.#passing);
    this.#passing = undefined;
  }

  #onRequest(bytes: Uint8Array, at: number, end: number, packetEnd: number): number {
    const body = at + PACKET_HEADER_BYTES;
    if (packetEnd - at > LOGIN_BYTES_MAX) {
      this.refuse('the client began with something that is no login');
      return 0;
    }
    if (packetEnd > end) return 0;
    if (isTlsRequest(bytes, body, packetEnd - body)) {
      this.state = 'encrypted';
      return 0;
    }
    const request = parseLoginRequest(bytes, body, packetEnd - body);
    if (request === undefined) {
      this.refuse('the client began with something that is no login');
      return 0;
    }
    const credential = this.#loginOf(request.user, request.hasProof);
    if (credential === undefined) return 0;
    this.#request = request;
    this.#beginLogin(credential, request.database);
    return packetEnd - at;
  }

  #beginLogin(credential: Credential, database: string): void {
    this.credential = credential;
    this.#database = database;
    this.#isAnsweringOnline = true;
    this.isAnswerOwn = true;
    this.#phase = 'login';
    this.state = 'busy';
  }

  /** Who has no password at online needs none in the file. */
  #loginOf(user: string, hasProof: boolean): Credential | undefined {
    if (!hasProof && credentialOf(this.parts.credentials, user) === undefined)
      return { user, targetUser: user, password: '', database: '', collation: 0 };
    return this.credentialFor(user);
  }

  #command(bytes: Uint8Array, at: number, end: number, packetEnd: number, out: Outlet): number {
    const body = at + NUMBER_OFFSET;
    switch (bytes[at + PACKET_HEADER_BYTES]) {
      case COMMAND.prepare:
        return this.#onPrepare(bytes, at, end, packetEnd, out);
      case COMMAND.execute:
      case COMMAND.bulkExecute:
      case COMMAND.fetch:
      case COMMAND.resetStatement:
      case COMMAND.sendLongData:
      case COMMAND.closeStatement:
        return this.#onNumbered(bytes, at, end, packetEnd, out);
      case COMMAND.query:
        if (end < Math.min(packetEnd, body + QUERY_LOOK_BYTES)) return 0;
        this.#onQuery(decodeUtf8(bytes, body, Math.min(packetEnd - body, QUERY_LOOK_BYTES)));
        break;
      case COMMAND.initDb:
        if (end < Math.min(packetEnd, body + DATABASE_LENGTH_MAX)) return 0;
        if (packetEnd - body <= DATABASE_LENGTH_MAX) this.#database = decodeUtf8(bytes, body, packetEnd - body);
        break;
      case COMMAND.resetConnection:
        this.#statements.loseCount();
        break;
      case COMMAND.changeUser:
        return this.#onChangeUser(bytes, at, end, packetEnd, out);
      default:
        break;
    }
    return this.goBy(bytes, at, end, packetEnd - at, out);
  }

  #onQuery(text: string): void {
    if (PREPARES_IN_SQL.test(text)) this.#statements.skip();
    const database = USE.exec(text)?.[1];
    if (database !== undefined) this.#database = database;
  }

  #onPrepare(bytes: Uint8Array, at: number, end: number, packetEnd: number, out: Outlet): number {
    const isKept = packetEnd - at <= PREPARE_BYTES_MAX;
    if (isKept && packetEnd > end) return 0;
    const statement = this.#statements.prepare(isKept ? bytes.slice(at, packetEnd) : undefined);
    if (!this.isTurnUnknown) this.#passing = statement;
    return this.goBy(bytes, at, end, packetEnd - at, out);
  }

  #onNumbered(bytes: Uint8Array, at: number, end: number, packetEnd: number, out: Outlet): number {
    if (packetEnd < at + NUMBERED_BYTES) {
      return this.goBy(bytes, at, end, packetEnd - at, out);
    }
    if (end < at + NUMBERED_BYTES) return 0;
    const command = bytes[at + PACKET_HEADER_BYTES]!;
    const number = readUint32(bytes, at + NUMBER_OFFSET);
    const targetNumber = number === LAST_PREPARED ? number : this.#statements.targetNumberOf(number);
    if (command === COMMAND.closeStatement) this.#statements.close(number);
    if (targetNumber === undefined) {
      // Nothing answers these two, so nothing waits for them.
      const isSilent = command === COMMAND.closeStatement || command === COMMAND.sendLongData;
      this.isTurnUnknown ||= !isSilent;
      this.isDropping = true;
    } else {
      const head = bytes.slice(at, at + NUMBERED_BYTES);
      writeUint32(head, NUMBER_OFFSET, targetNumber);
      this.put(head, 0, head.length, out);
    }
    return NUMBERED_BYTES + this.goBy(bytes, at + NUMBERED_BYTES, end, packetEnd - at - NUMBERED_BYTES, out);
  }

  #onChangeUser(bytes: Uint8Array, at: number, end: number, packetEnd: number, out: Outlet): number {
    if (packetEnd - at <= LOGIN_BYTES_MAX && packetEnd > end) return 0;
    const body = at + NUMBER_OFFSET;
    const request = packetEnd > end ? undefined : parseChangeUser(bytes, body, packetEnd, this.#request!.capabilities);
    if (request === undefined) {
      this.refuse('a change of user (COM_CHANGE_USER) cannot be read');
      return 0;
    }
    const credential = this.#loginOf(request.user, request.hasProof);
    if (credential === undefined) return 0;
    this.#statements.loseCount();
    const { proof, plugin } = this.#login.proof(credential);
    const changed = changeUserRequest(request, encodeUtf8(credential.targetUser), proof, plugin);
    const packet = packetOf(0, [Uint8Array.of(COMMAND.changeUser), ...changed]);
    out.write(packet, 0, packet.length);
    this.#login.expectBy(credential, plugin);
    this.#beginLogin(credential, request.database);
    return packetEnd - at;
  }
}
