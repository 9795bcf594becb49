/**
 * A login at the target, from its greeting to its word that the user is in:
 *
 *   greeting ──▶ request ──▶ { other method ──▶ its proof | more data ──▶ key asked for, password under it } ──▶ OK, or error
 *
 * Also the second half of it, from the request on, for COM_CHANGE_USER.
 */
import { decodeUtf8 } from '../../channel/utf8.js';
import type { Credential } from '../credential.js';
import type { Digests } from '../digests.js';
import { type Greeting, parseGreeting, SALT_BYTES, textAt } from './greeting.js';
import { type LoginRequest, PACKET_HEADER_BYTES, packetOf, writeLoginRequest } from './login-request.js';
import { PacketCollector } from './packet-collector.js';
import { CACHING_SHA2_PASSWORD, NATIVE_PASSWORD, scrambleFor, sealedPassword } from './scramble.js';

const OK = 0x00;
const MORE_DATA = 0x01;
const OTHER_METHOD = 0xfe;
const ERROR = 0xff;
/** Of caching_sha2_password: the server remembers the proof; it wants the password itself. */
const FAST_SUCCESS = 0x03;
const FULL_LOGIN = 0x04;
const ASK_FOR_KEY = Uint8Array.of(0x02);
const PROBLEM_LENGTH_MAX = 200;

export class LoginExchange {
  readonly #digests: Digests;
  readonly #packets = new PacketCollector();
  #greeting: Greeting | undefined;
  #credential: Credential | undefined;
  #plugin = NATIVE_PASSWORD;
  #salt: Uint8Array = new Uint8Array(SALT_BYTES);
  /** What is to be said to the server, in order. */
  readonly #owed: Uint8Array[] = [];
  #isIn = false;
  #problem = '';
  #isLost = false;

  constructor(digests: Digests) {
    this.#digests = digests;
  }

  /** A target connection begins: its greeting comes first. */
  connect(): void {
    this.#packets.clear();
    this.#greeting = undefined;
    this.#credential = undefined;
    this.#owed.length = 0;
    this.#isIn = false;
    this.#problem = '';
    this.#isLost = false;
  }

  /** The server's greeting is there, and nobody has logged in. */
  get isGreeted(): boolean {
    return this.#greeting !== undefined && this.#credential === undefined && this.#problem === '';
  }

  /** The server has let the user in. */
  get isIn(): boolean {
    return this.#isIn;
  }

  /** Why the server does not; empty: it may. */
  get problem(): string {
    return this.#problem;
  }

  /** Octets were missed that matter. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** The proof of a credential for the method that the server proposes, and that method. */
  proof({ password }: Credential): { readonly plugin: string; readonly proof: Uint8Array } {
    const { plugin, salt } = this.#greeting!;
    const proof = scrambleFor(plugin, this.#digests, password, salt);
    // Of another method than we have the server says so by itself.
    return proof === undefined
      ? { plugin: NATIVE_PASSWORD, proof: scrambleFor(NATIVE_PASSWORD, this.#digests, password, salt)! }
      : { plugin, proof };
  }

  /** Says who is there. Once the greeting is there. */
  request(request: LoginRequest, credential: Credential, database: string): void {
    const { plugin, proof } = this.proof(credential);
    const { capabilities } = this.#greeting!;
    this.expect(credential, plugin);
    this.#owed.push(writeLoginRequest(request, capabilities, credential.targetUser, database, proof, plugin));
  }

  /** The server was told who is there, by this method. */
  expect(credential: Credential, plugin: string): void {
    this.#credential = credential;
    this.#plugin = plugin;
    this.#salt = this.#greeting!.salt;
    this.#isIn = false;
    this.#packets.clear();
  }

  /** The next packet that the server is to be sent. */
  takeOwed(): Uint8Array | undefined {
    return this.#owed.shift();
  }

  /** server --octets--> client, of which all must be known. */
  hear(bytes: Uint8Array, offset: number, present: number, length: number): void {
    if (present < length) {
      this.#isLost = true;
      return;
    }
    const isRead = this.#packets.push(bytes, offset, offset + length, (packet, end) => {
      this.#onPacket(packet, end);
      return !this.#isIn && this.#problem === '';
    });
    if (!isRead) this.#refuse('what it answers is no MySQL login');
  }

  #onPacket(packet: Uint8Array, end: number): void {
    const body = PACKET_HEADER_BYTES;
    if (end === body) {
      this.#refuse('what it answers is no MySQL login');
      return;
    }
    const kind = packet[body]!;
    if (kind === ERROR) this.#refuse(errorText(packet, body, end));
    else if (this.#greeting === undefined) this.#onGreeting(packet, body, end);
    else if (this.#credential === undefined) this.#refuse('it speaks before its turn');
    else if (kind === OK) this.#isIn = true;
    else if (kind === OTHER_METHOD) this.#onOtherMethod(packet, body, end);
    else if (kind === MORE_DATA) this.#onMoreData(packet, body, end);
    else this.#refuse('what it answers is no MySQL login');
  }

  #onGreeting(packet: Uint8Array, body: number, end: number): void {
    this.#greeting = parseGreeting(packet, body, end);
    if (this.#greeting === undefined) this.#refuse('its greeting is not that of a MySQL or MariaDB server since 4.1');
  }

  /** Authentication switch request: method NUL, salt (NUL). */
  #onOtherMethod(packet: Uint8Array, body: number, end: number): void {
    if (end === body + 1) {
      this.#refuse('it wants the method of servers before 4.1 (mysql_old_password)');
      return;
    }
    const plugin = textAt(packet, body + 1, end);
    const saltAt = Math.min(packet.indexOf(0, body + 1) + 1, end);
    const salt = packet.slice(saltAt, Math.min(saltAt + SALT_BYTES, end));
    const proof = scrambleFor(plugin, this.#digests, this.#credential!.password, salt);
    if (proof === undefined || saltAt === 0 || salt.length < SALT_BYTES) {
      this.#refuse(`it wants the method ${plugin.slice(0, 40)}, which is not supported`);
      return;
    }
    this.#plugin = plugin;
    this.#salt = salt;
    this.#owed.push(packetOf(packet[3]! + 1, [proof]));
  }

  #onMoreData(packet: Uint8Array, body: number, end: number): void {
    if (this.#plugin !== CACHING_SHA2_PASSWORD) {
      this.#refuse(`its method ${this.#plugin} wants more than is known of it`);
      return;
    }
    const sequence = packet[3]! + 1;
    if (end === body + 2 && packet[body + 1] === FAST_SUCCESS) return;
    if (end === body + 2 && packet[body + 1] === FULL_LOGIN) {
      this.#owed.push(packetOf(sequence, [ASK_FOR_KEY]));
      return;
    }
    const key = decodeUtf8(packet, body + 1, end - body - 1);
    const sealed = sealedPassword(this.#digests, this.#credential!.password, this.#salt, key);
    if (sealed === undefined) this.#refuse('the RSA key that it sent cannot be used');
    else this.#owed.push(packetOf(sequence, [sealed]));
  }

  #refuse(problem: string): void {
    this.#problem = problem;
  }
}

/** Error packet: code 2, `#` and state 5, message. */
function errorText(packet: Uint8Array, body: number, end: number): string {
  if (end < body + 3) return 'it answered with an error';
  const code = packet[body + 1]! | (packet[body + 2]! << 8);
  const at = packet[body + 3] === 0x23 ? Math.min(body + 9, end) : body + 3;
  return `error ${code}, ${decodeUtf8(packet, at, end - at).slice(0, PROBLEM_LENGTH_MAX)}`;
}
