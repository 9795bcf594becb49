/**
 * The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding, as PostgreSQL has it: the user's name is left out, the server has it from
 * the start message.
 */
import { encodeUtf8 } from '../../channel/utf8.js';
import type { Digests } from '../digests.js';
import { decodeBase64, encodeBase64 } from './base64.js';

export const SCRAM_SHA_256 = 'SCRAM-SHA-256';
/** PostgreSQL has 4,096. A server must not make us reckon for seconds. */
const ITERATIONS_MAX = 65_536;
const NO_BINDING = 'n,,';
/** Base64 of that. */
const NO_BINDING_TEXT = 'biws';
const SERVER_FIRST = /^r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,5})$/;

export class Scram {
  readonly #digests: Digests;
  readonly #user: string;
  readonly #password: string;
  readonly #nonce: string;
  #serverProof = '';

  /** `user`: without commas and equals signs. `nonce`: printable, without commas, never used before. */
  constructor(digests: Digests, user: string, password: string, nonce: string) {
    this.#digests = digests;
    this.#user = user;
    this.#password = password;
    this.#nonce = nonce;
  }

  get clientFirst(): string {
    return `${NO_BINDING}${this.#clientFirstBare}`;
  }

  get #clientFirstBare(): string {
    return `n=${this.#user},r=${this.#nonce}`;
  }

  /** What answers the server's first message; undefined when that is none. */
  clientFinal(serverFirst: string): string | undefined {
    const [, nonce = '', saltText = '', iterations = '0'] = SERVER_FIRST.exec(serverFirst) ?? [];
    const salt = decodeBase64(saltText);
    const isOurs = nonce.startsWith(this.#nonce) && nonce.length > this.#nonce.length;
    if (!isOurs || salt === undefined || Number(iterations) > ITERATIONS_MAX) return undefined;
    const digests = this.#digests;
    // SASLprep (RFC 4013) leaves printable ASCII as it is; PostgreSQL takes other passwords as they are where that fails.
    const salted = digests.pbkdf2Sha256(encodeUtf8(this.#password.normalize('NFKC')), salt, Number(iterations));
    const clientKey = digests.hmacSha256(salted, encodeUtf8('Client Key'));
    const withoutProof = `c=${NO_BINDING_TEXT},r=${nonce}`;
    const message = encodeUtf8(`${this.#clientFirstBare},${serverFirst},${withoutProof}`);
    const signature = digests.hmacSha256(digests.sha256(clientKey), message);
    const proof = clientKey.map((octet, at) => octet ^ signature[at]!);
    const serverKey = digests.hmacSha256(salted, encodeUtf8('Server Key'));
    this.#serverProof = encodeBase64(digests.hmacSha256(serverKey, message));
    return `${withoutProof},p=${encodeBase64(proof)}`;
  }

  /** Whether the server's last message proves that it knows the password, too. */
  isServer(serverFinal: string): boolean {
    return this.#serverProof !== '' && serverFinal.split(',')[0] === `v=${this.#serverProof}`;
  }
}
