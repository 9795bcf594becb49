/**
 * The authority of a TrafficCopy on the command line: intercept is its own. It keeps one key in its state directory, made at the first start, and
 * issues short-lived certificates: one for the server of its process, one for each newcomer that shows a token.
 */
import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import path from 'node:path';
import type { CertificateGrant, ChannelRole, JoinRequest } from '@trafficcopy/core';
import type { ChannelAuthority, GrantRefusal } from '../channel/channel-authority.js';
import { publicKeyPin } from './credential-check.js';
import type { ServerCredentials } from './credentials.js';
import { formatJoinToken, newJoinToken } from './join-token.js';
import { formatIdentity, type PeerIdentity, parseIdentity } from './peer-identity.js';
import { pemBlocks } from './pem.js';
import { StateError } from './state-error.js';
import { createStateFile, makeStateDirectory, readStateFile } from './state-file.js';
import { TokenStore } from './token-store.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Certificates are valid from a little earlier, so that a clock that is late does not refuse them. */
export const CLOCK_SKEW_MS = 10 * MINUTE_MS;
export const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;
/** Certificates of servers and clients; renewed at half of it. */
export const CERTIFICATE_LIFETIME_MS = 30 * DAY_MS;
export const TOKEN_LIFETIME_MS = 60 * MINUTE_MS;

export interface AuthorityOptions {
  /** Where key and tokens are kept; made when missing. */
  readonly directory: string;
  /** Role and name in the server certificates. */
  readonly role: ChannelRole;
  readonly name: string;
  readonly certificateLifetimeMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

export interface TokenOptions {
  /** What the holder becomes. Default copy. */
  readonly role?: ChannelRole | undefined;
  /** The holder's name; default: its own wish and a part of its key's hash. */
  readonly name?: string | undefined;
  /** Default one hour. */
  readonly lifetimeMs?: number | undefined;
}

export class Authority implements ChannelAuthority {
  readonly #options: AuthorityOptions;
  readonly #key: string;
  readonly #certificate: string;
  readonly #tokens: TokenStore;
  /** What tokens pin: the SHA-256 of the public key, base64url. */
  readonly pin: string;

  private constructor(options: AuthorityOptions, key: string, certificate: string) {
    this.#options = options;
    this.#key = key;
    this.#certificate = certificate;
    this.#tokens = new TokenStore(path.join(options.directory, 'tokens'));
    this.pin = publicKeyPin(new X509Certificate(certificate));
  }

  /**
   * Loads the authority of the directory, or makes it.
   * @throws {StateError} ERR_STATE_AUTHORITY: the file is damaged (it is left as it is); others: it cannot be read or written.
   */
  static async open(options: AuthorityOptions): Promise<Authority> {
    const file = path.join(options.directory, 'authority.pem');
    await makeStateDirectory(options.directory);
    const text = (await readStateFile(file)) ?? (await createAuthorityFile(file, (options.now ?? Date.now)()));
    const { key, certificate } = parseAuthorityFile(file, text, (options.now ?? Date.now)());
    return new Authority(options, key, certificate);
  }

  /** The authority's certificate, PEM. */
  get certificate(): string {
    return this.#certificate;
  }

  /** A new one-time token, to be shown once: only its hash is kept. */
  async issueToken(options: TokenOptions = {}): Promise<string> {
    const token = newJoinToken(this.pin);
    const nowMs = this.#now();
    const expiresAtMs = nowMs + (options.lifetimeMs ?? TOKEN_LIFETIME_MS);
    await this.#tokens.add(token.secret, { role: options.role ?? 'copy', name: options.name, expiresAtMs }, nowMs);
    return formatJoinToken(token);
  }

  async serverCredentials(): Promise<ServerCredentials> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const { role, name } = this.#options;
    return {
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      certificate: await this.#issue(spki, 'server', role, identityName(name)),
      authority: this.#certificate,
    };
  }

  async join(request: JoinRequest): Promise<CertificateGrant | GrantRefusal> {
    const newcomer = await this.#readRequest(request);
    if ('code' in newcomer) return newcomer;
    const keyPin = createHash('sha256').update(newcomer.publicKey).digest('hex');
    const grant = await this.#tokens.redeem(request.secret, keyPin, this.#now());
    if (typeof grant === 'string') return tokenRefusal(grant);
    const name = grant.name ?? `${identityName(request.name).slice(0, 54)}-${keyPin.slice(0, 8)}`;
    return {
      certificate: await this.#issue(newcomer.publicKey, 'client', grant.role, name),
      authority: this.#certificate,
    };
  }

  async renew(identity: PeerIdentity, certificateRequest: string): Promise<CertificateGrant | GrantRefusal> {
    const { readCertificateRequest } = await import('./certificate-issuer.js');
    const publicKey = await readCertificateRequest(certificateRequest);
    if (publicKey === undefined) return REQUEST_REFUSAL;
    return {
      certificate: await this.#issue(publicKey, 'client', identity.role, identity.name),
      authority: this.#certificate,
    };
  }

  /** The newcomer's public key, if its token may be good and its request is signed by the key. */
  async #readRequest(request: JoinRequest): Promise<{ publicKey: Uint8Array } | GrantRefusal> {
    // The token first: nobody without one makes us parse a request.
    const glance = await this.#tokens.look(request.secret, undefined, this.#now());
    if (typeof glance === 'string') return tokenRefusal(glance);
    if (glance.role !== request.role) {
      return { code: 'role', message: `the token is for the role ${glance.role}, not ${request.role}` };
    }
    const { readCertificateRequest } = await import('./certificate-issuer.js');
    const publicKey = await readCertificateRequest(request.certificateRequest);
    return publicKey === undefined ? REQUEST_REFUSAL : { publicKey };
  }

  async #issue(publicKey: Uint8Array, usage: 'server' | 'client', role: ChannelRole, name: string): Promise<string> {
    const { issueCertificate } = await import('./certificate-issuer.js');
    const nowMs = this.#now();
    return await issueCertificate({ key: this.#key, certificate: this.#certificate }, publicKey, {
      commonName: `trafficcopy ${role}`,
      uri: formatIdentity(role, name),
      usage,
      notBeforeMs: nowMs - CLOCK_SKEW_MS,
      notAfterMs: nowMs + (this.#options.certificateLifetimeMs ?? CERTIFICATE_LIFETIME_MS),
    });
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

const REQUEST_REFUSAL: GrantRefusal = {
  code: 'certificateRequest',
  message: 'the certificate request is not one of a P-256 key, signed by it',
};

function tokenRefusal(code: 'tokenUnknown' | 'tokenUsed' | 'tokenExpired'): GrantRefusal {
  const what = {
    tokenUnknown: 'this server did not issue the token',
    tokenUsed: 'the token was used by another copy; each lets one in',
    tokenExpired: 'the token has expired',
  }[code];
  return { code, message: `${what}; take a new one from the server` };
}

/** `name` with every character that an identity cannot have replaced. */
function identityName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 63);
  return parseIdentity(formatIdentity('copy', plain)) === undefined ? 'unnamed' : plain;
}

async function createAuthorityFile(file: string, nowMs: number): Promise<string> {
  const { createIssuer } = await import('./certificate-issuer.js');
  const issuer = await createIssuer('TrafficCopy authority', nowMs - CLOCK_SKEW_MS, nowMs + AUTHORITY_LIFETIME_MS);
  const text = issuer.key + issuer.certificate;
  if (await createStateFile(file, text)) return text;
  // Another process was first: its authority is ours.
  return (await readStateFile(file)) ?? text;
}

function parseAuthorityFile(file: string, text: string, nowMs: number): { key: string; certificate: string } {
  const advice = `move it away to make a new authority (every copy must then join again with a new token)`;
  const blocks = pemBlocks(text);
  const key = blocks.find((block) => block.label === 'PRIVATE KEY')?.text;
  const certificate = blocks.find((block) => block.label === 'CERTIFICATE')?.text;
  if (key === undefined || certificate === undefined) {
    const missing = key === undefined ? 'private key' : 'certificate';
    throw new StateError('ERR_STATE_AUTHORITY', `${file} is damaged: it holds no ${missing}; ${advice}`);
  }
  try {
    const parsed = new X509Certificate(certificate);
    if (!parsed.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is not the certificate’s');
    if (parsed.validToDate.getTime() <= nowMs) throw new Error(`its certificate ended on ${parsed.validTo}`);
  } catch (cause) {
    const message = `${file} is damaged or too old: ${(cause as Error).message}; ${advice}`;
    throw new StateError('ERR_STATE_AUTHORITY', message, { cause });
  }
  return { key, certificate };
}
