/**
 * The authority of a TrafficCopy on the command line: intercept is its own. It keeps one key in its state directory, made at the first start, and
 * issues short-lived certificates: one for the server of its process, one for each newcomer that shows a token.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { CertificateGrant, ChannelRole, JoinRequest } from '@trafficcopy/core';
import type { ChannelAuthority, GrantRefusal } from '../channel/channel-authority.js';
import { authorityProblem, CertificateAuthority, createAuthority, readRequest } from './certificate-authority.js';
import type { IssuerCredentials } from './certificate-issuer.js';
import type { ServerCredentials } from './credentials.js';
import { formatJoinToken, newJoinToken } from './join-token.js';
import { formatIdentity, type PeerIdentity, parseIdentity } from './peer-identity.js';
import { pemBlocks } from './pem.js';
import { StateError } from './state-error.js';
import { createStateFile, makeStateDirectory, readStateFile } from './state-file.js';
import { TokenStore } from './token-store.js';

export const TOKEN_LIFETIME_MS = 3600 * 1000;

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
  /** Any number of newcomers may come with it. Default: one. */
  readonly isReusable?: boolean | undefined;
}

export class Authority implements ChannelAuthority {
  readonly #options: AuthorityOptions;
  readonly #issuer: CertificateAuthority;
  readonly #tokens: TokenStore;

  private constructor(options: AuthorityOptions, issuer: IssuerCredentials) {
    this.#options = options;
    this.#issuer = new CertificateAuthority(issuer, options);
    this.#tokens = new TokenStore(path.join(options.directory, 'tokens'));
  }

  /**
   * Loads the authority of the directory, or makes it.
   * @throws {StateError} ERR_STATE_AUTHORITY: the file is damaged (it is left as it is); others: it cannot be read or written.
   */
  static async open(options: AuthorityOptions): Promise<Authority> {
    const file = path.join(options.directory, 'authority.pem');
    await makeStateDirectory(options.directory);
    const text = (await readStateFile(file)) ?? (await createAuthorityFile(file, (options.now ?? Date.now)()));
    return new Authority(options, parseAuthorityFile(file, text, (options.now ?? Date.now)()));
  }

  /** The authority's certificate, PEM. */
  get certificate(): string {
    return this.#issuer.certificate;
  }

  /** What tokens pin: the SHA-256 of the public key, base64url. */
  get pin(): string {
    return this.#issuer.pin;
  }

  /** A new token, to be shown once: only its hash is kept. */
  async issueToken(options: TokenOptions = {}): Promise<string> {
    const { role = 'copy', name, lifetimeMs = TOKEN_LIFETIME_MS, isReusable = false } = options;
    const token = newJoinToken(this.pin);
    const nowMs = this.#now();
    await this.#tokens.add(token.secret, { role, name, expiresAtMs: nowMs + lifetimeMs, isReusable }, nowMs);
    return formatJoinToken(token);
  }

  /** Nobody joins with a token that was given out before. Who has joined stays in. @returns how many were still good */
  async revokeTokens(): Promise<number> {
    return await this.#tokens.clear(this.#now());
  }

  async serverCredentials(): Promise<ServerCredentials> {
    const { role, name } = this.#options;
    return await this.#issuer.serverCredentials(role, identityName(name));
  }

  async join(request: JoinRequest): Promise<CertificateGrant | GrantRefusal> {
    const newcomer = await this.#readRequest(request);
    if ('code' in newcomer) return newcomer;
    const keyPin = createHash('sha256').update(newcomer.publicKey).digest('hex');
    const grant = await this.#tokens.redeem(request.secret, keyPin, this.#now());
    if (typeof grant === 'string') return tokenRefusal(grant);
    const name = grant.name ?? `${identityName(request.name).slice(0, 54)}-${keyPin.slice(0, 8)}`;
    const holder = { role: grant.role, name, usages: ['client'] } as const;
    return { certificate: await this.#issuer.issue(newcomer.publicKey, holder), authority: this.certificate };
  }

  async renew(identity: PeerIdentity, certificateRequest: string): Promise<CertificateGrant | GrantRefusal> {
    const { role, name } = identity;
    return await this.#issuer.grant(certificateRequest, { role, name, usages: ['client'] });
  }

  /** The newcomer's public key, if its token may be good and its request is signed by the key. */
  async #readRequest(request: JoinRequest): Promise<{ publicKey: Uint8Array } | GrantRefusal> {
    // The token first: nobody without one makes us parse a request.
    const glance = await this.#tokens.look(request.secret, undefined, this.#now());
    if (typeof glance === 'string') return tokenRefusal(glance);
    if (glance.role !== request.role) {
      return { code: 'role', message: `the token is for the role ${glance.role}, not ${request.role}` };
    }
    return await readRequest(request.certificateRequest);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

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
  const issuer = await createAuthority(nowMs);
  const text = issuer.key + issuer.certificate;
  if (await createStateFile(file, text)) return text;
  // Another process was first: its authority is ours.
  return (await readStateFile(file)) ?? text;
}

function parseAuthorityFile(file: string, text: string, nowMs: number): IssuerCredentials {
  const advice = `move it away to make a new authority (every copy must then join again with a new token)`;
  const blocks = pemBlocks(text);
  const key = blocks.find((block) => block.label === 'PRIVATE KEY')?.text;
  const certificate = blocks.find((block) => block.label === 'CERTIFICATE')?.text;
  if (key === undefined || certificate === undefined) {
    const missing = key === undefined ? 'private key' : 'certificate';
    throw new StateError('ERR_STATE_AUTHORITY', `${file} is damaged: it holds no ${missing}; ${advice}`);
  }
  const problem = authorityProblem({ key, certificate }, nowMs);
  if (problem !== undefined) {
    throw new StateError('ERR_STATE_AUTHORITY', `${file} is damaged or too old: ${problem}; ${advice}`);
  }
  return { key, certificate };
}
