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
import { Exchange, TARGET_TEXT_LENGTH_MAX } from '../exchange.js';
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
const NO_LOGIN = 'what it answers is no MySQL login';

export class LoginExchange extends Exchange {
  readonly #digests: Digests;
  readonly #packets = new PacketCollector();
  #greeting: Greeting | undefined;
  #plugin = NATIVE_PASSWORD;
  #salt: Uint8Array = new Uint8Array(SALT_BYTES);

  constructor(digests: Digests) {
    super();
    this.#digests = digests;
  }

  /** A target connection begins: its greeting comes first. */
  override connect(): void {
    super.connect();
    this.#packets.clear();
    this.#greeting = undefined;
  }

  /** The server's greeting is there, and nobody has logged in. */
  get isGreeted(): boolean {
    return this.#greeting !== undefined && this.credential === undefined && this.problem === '';
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
    this.expectBy(credential, plugin);
    this.owe(writeLoginRequest(request, capabilities, credential.targetUser, database, proof, plugin));
  }

  /** The server was told who is there, by this method. */
  expectBy(credential: Credential, plugin: string): void {
    this.expect(credential);
    this.#plugin = plugin;
    this.#salt = this.#greeting!.salt;
    this.#packets.clear();
  }

  protected read(bytes: Uint8Array, offset: number, end: number): void {
    const isRead = this.#packets.push(bytes, offset, end, (packet, packetEnd) => {
      this.#onPacket(packet, packetEnd);
      return !this.isReady && this.problem === '';
    });
    if (!isRead) this.refuse(NO_LOGIN);
  }

  #onPacket(packet: Uint8Array, end: number): void {
    const body = PACKET_HEADER_BYTES;
    if (end === body) {
      this.refuse(NO_LOGIN);
      return;
    }
    const kind = packet[body]!;
    if (kind === ERROR) this.refuse(errorText(packet, body, end));
    else if (this.#greeting === undefined) this.#onGreeting(packet, body, end);
    else if (this.credential === undefined) this.refuse('it speaks before its turn');
    else if (kind === OK) this.isReady = true;
    else if (kind === OTHER_METHOD) this.#onOtherMethod(packet, body, end);
    else if (kind === MORE_DATA) this.#onMoreData(packet, body, end);
    else this.refuse(NO_LOGIN);
  }

  #onGreeting(packet: Uint8Array, body: number, end: number): void {
    this.#greeting = parseGreeting(packet, body, end);
    if (this.#greeting === undefined) this.refuse('its greeting is not that of a MySQL or MariaDB server since 4.1');
  }

  /** Authentication switch request: method NUL, salt (NUL). */
  #onOtherMethod(packet: Uint8Array, body: number, end: number): void {
    if (end === body + 1) {
      this.refuse('it wants the method of servers before 4.1 (mysql_old_password)');
      return;
    }
    const plugin = textAt(packet, body + 1, end);
    const saltAt = Math.min(packet.indexOf(0, body + 1) + 1, end);
    const salt = packet.slice(saltAt, Math.min(saltAt + SALT_BYTES, end));
    const proof = scrambleFor(plugin, this.#digests, this.credential!.password, salt);
    if (proof === undefined || saltAt === 0 || salt.length < SALT_BYTES) {
      this.refuse(`it wants the method ${plugin.slice(0, 40)}, which is not supported`);
      return;
    }
    this.#plugin = plugin;
    this.#salt = salt;
    this.owe(packetOf(packet[3]! + 1, [proof]));
  }

  #onMoreData(packet: Uint8Array, body: number, end: number): void {
    if (this.#plugin !== CACHING_SHA2_PASSWORD) {
      this.refuse(`its method ${this.#plugin} wants more than is known of it`);
      return;
    }
    const sequence = packet[3]! + 1;
    if (end === body + 2 && packet[body + 1] === FAST_SUCCESS) return;
    if (end === body + 2 && packet[body + 1] === FULL_LOGIN) {
      this.owe(packetOf(sequence, [ASK_FOR_KEY]));
      return;
    }
    const key = decodeUtf8(packet, body + 1, end - body - 1);
    const sealed = sealedPassword(this.#digests, this.credential!.password, this.#salt, key);
    if (sealed === undefined) this.refuse('the RSA key that it sent cannot be used');
    else this.owe(packetOf(sequence, [sealed]));
  }
}

/** Error packet: code 2, `#` and state 5, message. */
function errorText(packet: Uint8Array, body: number, end: number): string {
  if (end < body + 3) return 'it answered with an error';
  const code = packet[body + 1]! | (packet[body + 2]! << 8);
  const at = packet[body + 3] === 0x23 ? Math.min(body + 9, end) : body + 3;
  return `error ${code}, ${decodeUtf8(packet, at, end - at).slice(0, TARGET_TEXT_LENGTH_MAX)}`;
}
