/**
 * The part of an authority that signs: a key and its certificate, wherever they are kept. Who gets a certificate is decided
 * elsewhere: by one-time tokens on the command line ({@link Authority}), by the operator in a cluster.
 */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { CertificateGrant, ChannelRole } from '@trafficcopy/core';
import type { GrantRefusal } from '../channel/channel-authority.js';
import type { CertificateUsage, IssuerCredentials } from './certificate-issuer.js';
import { publicKeyPin } from './credential-check.js';
import type { ServerCredentials } from './credentials.js';
import { formatIdentity } from './peer-identity.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Certificates are valid from a little earlier, so that a clock that is late does not refuse them. */
export const CLOCK_SKEW_MS = 10 * MINUTE_MS;
export const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;
/** Certificates of servers and clients; renewed at half of it. */
export const CERTIFICATE_LIFETIME_MS = 30 * DAY_MS;

export interface CertificateAuthorityOptions {
  readonly certificateLifetimeMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

/** Whom a certificate names. */
export interface CertificateHolder {
  readonly role: ChannelRole;
  /** As {@link formatIdentity} takes it. */
  readonly name: string;
  readonly usages: readonly CertificateUsage[];
}

export class CertificateAuthority {
  readonly #issuer: IssuerCredentials;
  readonly #lifetimeMs: number;
  readonly #now: () => number;
  /** What tokens pin: the SHA-256 of the public key, base64url. */
  readonly pin: string;

  /** @throws {Error} when {@link authorityProblem} finds one. @param issuer PEM, as {@link createAuthority} makes them. */
  constructor(issuer: IssuerCredentials, options: CertificateAuthorityOptions = {}) {
    this.#now = options.now ?? Date.now;
    const problem = authorityProblem(issuer, this.#now());
    if (problem !== undefined) throw new Error(`the authority cannot be used: ${problem}`);
    this.#issuer = issuer;
    this.#lifetimeMs = options.certificateLifetimeMs ?? CERTIFICATE_LIFETIME_MS;
    this.pin = publicKeyPin(new X509Certificate(issuer.certificate));
  }

  /** The authority's certificate, PEM. */
  get certificate(): string {
    return this.#issuer.certificate;
  }

  /** A certificate for the public key (SubjectPublicKeyInfo, DER), PEM. */
  async issue(publicKey: Uint8Array, holder: CertificateHolder): Promise<string> {
    const { role, name, usages } = holder;
    return await this.#sign(publicKey, `trafficcopy ${role}`, { uri: formatIdentity(role, name) }, usages);
  }

  /** As {@link issue}, for the key that signed the request. */
  async grant(certificateRequest: string, holder: CertificateHolder): Promise<CertificateGrant | GrantRefusal> {
    const publicKey = await readRequest(certificateRequest);
    if ('code' in publicKey) return publicKey;
    return { certificate: await this.issue(publicKey.publicKey, holder), authority: this.certificate };
  }

  /** A fresh key and certificate for a server of the channel. */
  async serverCredentials(role: ChannelRole, name: string): Promise<ServerCredentials> {
    const { key, publicKey } = newKey();
    const certificate = await this.issue(publicKey, { role, name, usages: ['server'] });
    return { key, certificate, authority: this.certificate };
  }

  /** A fresh key and certificate for an HTTPS server of these host names. It is no member: no channel accepts it. */
  async webServerCredentials(hosts: readonly string[]): Promise<ServerCredentials> {
    const { key, publicKey } = newKey();
    const certificate = await this.#sign(publicKey, hosts[0]?.slice(0, 64) ?? 'trafficcopy', { hosts }, ['server']);
    return { key, certificate, authority: this.certificate };
  }

  async #sign(
    publicKey: Uint8Array,
    commonName: string,
    names: { readonly uri: string } | { readonly hosts: readonly string[] },
    usages: readonly CertificateUsage[],
  ): Promise<string> {
    const { issueCertificate } = await import('./certificate-issuer.js');
    const nowMs = this.#now();
    const notBeforeMs = nowMs - CLOCK_SKEW_MS;
    const notAfterMs = nowMs + this.#lifetimeMs;
    return await issueCertificate(this.#issuer, publicKey, { commonName, names, usages, notBeforeMs, notAfterMs });
  }
}

/** Key and certificate of a new authority, PEM: to be kept where only its owner reads. */
export async function createAuthority(nowMs: number = Date.now()): Promise<IssuerCredentials> {
  const { createIssuer } = await import('./certificate-issuer.js');
  return await createIssuer('TrafficCopy authority', nowMs - CLOCK_SKEW_MS, nowMs + AUTHORITY_LIFETIME_MS);
}

/** Why these cannot be an authority's key and certificate, for a person; undefined when they can. */
export function authorityProblem(issuer: IssuerCredentials, nowMs: number): string | undefined {
  try {
    const certificate = new X509Certificate(issuer.certificate);
    if (!certificate.ca) return 'its certificate is not one of an authority';
    if (!certificate.checkPrivateKey(createPrivateKey(issuer.key))) return 'the key is not the certificate’s';
    if (certificate.validToDate.getTime() <= nowMs) return `its certificate ended on ${certificate.validTo}`;
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const REQUEST_REFUSAL: GrantRefusal = {
  code: 'certificateRequest',
  message: 'the certificate request is not one of a P-256 key, signed by it',
};

/** The public key of a request that is signed by it, or why there is none. */
export async function readRequest(pem: string): Promise<{ readonly publicKey: Uint8Array } | GrantRefusal> {
  const { readCertificateRequest } = await import('./certificate-issuer.js');
  const publicKey = await readCertificateRequest(pem);
  return publicKey === undefined ? REQUEST_REFUSAL : { publicKey };
}

function newKey(): { readonly key: string; readonly publicKey: Uint8Array } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
  };
}
