/**
 * A login at the target, from the answer to the start message until it is ready for queries («Message Flow», start-up): it asks for the password in one of its ways, and says
 * that it is satisfied; parameters follow.
 */
import { decodeUtf8, encodeUtf8 } from '../../channel/utf8.js';
import { readU32 } from '../../wire/bytes.js';
import type { Credential } from '../credential.js';
import type { Digests } from '../digests.js';
import { Exchange, TARGET_TEXT_LENGTH_MAX } from '../exchange.js';
import type { PlayerParts } from '../protocol.js';
import { encodeBase64 } from './base64.js';
import { int32, MESSAGE_HEADER_BYTES, messageOf } from './message.js';
import { MessageCollector } from './message-collector.js';
import { SCRAM_SHA_256, Scram } from './scram.js';

const PASSWORD_OK = 0;
const PASSWORD_PLAIN = 3;
const PASSWORD_MD5 = 5;
const SASL = 10;
const SASL_CONTINUE = 11;
const SASL_FINAL = 12;
const MD5_SALT_BYTES = 4;
const NONCE_BYTES = 18;

export class PasswordExchange extends Exchange {
  readonly #digests: Digests;
  readonly #nonceKey: Uint8Array;
  readonly #serial: number;
  readonly #messages = new MessageCollector();
  #nonces = 0;
  #scram: Scram | undefined;
  #isServerProved = false;

  constructor({ digests, nonceKey, serial }: PlayerParts) {
    super();
    this.#digests = digests;
    this.#nonceKey = nonceKey;
    this.#serial = serial;
  }

  override connect(): void {
    super.connect();
    this.#messages.clear();
    this.#scram = undefined;
    this.#isServerProved = false;
  }

  /** The server is to say once more that it is ready for queries. */
  awaitReady(): void {
    this.isReady = false;
  }

  protected read(bytes: Uint8Array, offset: number, end: number): void {
    const isRead = this.#messages.push(bytes, offset, end, (message, messageEnd) => {
      if (this.problem === '') this.#onMessage(message, messageEnd);
    });
    if (!isRead) this.refuse('what it answers is no PostgreSQL');
  }

  #onMessage(message: Uint8Array, end: number): void {
    const body = MESSAGE_HEADER_BYTES;
    switch (String.fromCharCode(message[0]!)) {
      case 'R':
        if (end >= body + 4) this.#onRequest(message, body, end);
        break;
      case 'E':
        // Statements that are prepared again may fail; a login may not.
        if (this.credential !== undefined) this.refuse(errorText(message, body, end));
        break;
      case 'Z':
        this.isReady = true;
        this.credential = undefined;
        break;
      default:
        // Parameters, keys, notices.
        break;
    }
  }

  #onRequest(message: Uint8Array, body: number, end: number): void {
    const data = body + 4;
    const kind = readU32(message, body);
    const credential = this.credential;
    if (credential === undefined) this.refuse('it asks for a password at the wrong time');
    else if (kind === PASSWORD_OK) this.#onSatisfied();
    else if (kind === PASSWORD_PLAIN) this.owe(messageOf('p', [`${credential.password}\0`]));
    else if (kind === PASSWORD_MD5 && end === data + MD5_SALT_BYTES) {
      this.owe(messageOf('p', [`${this.#md5Proof(credential, message.slice(data, end))}\0`]));
    } else if (kind === SASL) this.#onSasl(credential, decodeUtf8(message, data, end - data));
    else if (kind === SASL_CONTINUE) this.#onServerFirst(decodeUtf8(message, data, end - data));
    else if (kind === SASL_FINAL) this.#onServerFinal(decodeUtf8(message, data, end - data));
    else this.refuse(`it wants a kind of login that is not supported (${kind})`);
  }

  /** `md5` and MD5(MD5(password, user) in hexadecimal, salt) in hexadecimal. */
  #md5Proof({ password, targetUser }: Credential, salt: Uint8Array): string {
    const inner = encodeUtf8(hexOf(this.#digests.md5(encodeUtf8(password + targetUser))));
    const salted = new Uint8Array(inner.length + salt.length);
    salted.set(inner);
    salted.set(salt, inner.length);
    return `md5${hexOf(this.#digests.md5(salted))}`;
  }

  #onSasl({ password }: Credential, mechanisms: string): void {
    if (!mechanisms.split('\0').includes(SCRAM_SHA_256)) {
      this.refuse(`it wants ${mechanisms.split('\0')[0]?.slice(0, 40)}, which is not supported`);
      return;
    }
    this.#scram = new Scram(this.#digests, '', password, this.#nextNonce());
    const first = encodeUtf8(this.#scram.clientFirst);
    this.owe(messageOf('p', [`${SCRAM_SHA_256}\0`, int32(first.length), first]));
  }

  #nextNonce(): string {
    this.#nonces += 1;
    const number = encodeUtf8(`${this.#serial} ${this.#nonces}`);
    return encodeBase64(this.#digests.hmacSha256(this.#nonceKey, number).slice(0, NONCE_BYTES));
  }

  #onServerFirst(text: string): void {
    const final = this.#scram?.clientFinal(text);
    if (final === undefined) this.refuse('its SCRAM-SHA-256 is none');
    else this.owe(messageOf('p', [final]));
  }

  #onServerFinal(text: string): void {
    this.#isServerProved = this.#scram?.isServer(text) ?? false;
    if (!this.#isServerProved) this.refuse('it does not know the password that it asks for');
  }

  #onSatisfied(): void {
    if (this.#scram !== undefined && !this.#isServerProved) this.refuse('it broke its own SCRAM-SHA-256 off');
  }
}

/** Fields of an error: severity, code and message of them. */
function errorText(message: Uint8Array, body: number, end: number): string {
  const fields = decodeUtf8(message, body, end - body).split('\0');
  const field = (type: string): string => fields.find((one) => one.startsWith(type))?.slice(1) ?? '';
  return `${field('C')} ${field('M')}`.slice(0, TARGET_TEXT_LENGTH_MAX);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join('');
}
