/** Do key, certificate and authority belong together? Asked of files and of what a peer grants. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import type { CertificateGrant } from '@trafficcopy/core';
import type { ClientCredentials } from './credentials.js';
import { identityOf, type PeerIdentity } from './peer-identity.js';

export interface CertificateLifetime {
  /** ms since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** @throws when the PEM is no certificate: the caller's own data. */
export function certificateLifetime(pem: string): CertificateLifetime {
  const certificate = new X509Certificate(pem);
  return { notBeforeMs: certificate.validFromDate.getTime(), notAfterMs: certificate.validToDate.getTime() };
}

/** SHA-256 of the certificate's SubjectPublicKeyInfo, base64url: what a token pins. */
export function publicKeyPin(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

/** What is wrong with credentials, for a person; undefined when nothing is. Their time is not looked at. */
export function credentialProblem(credentials: ClientCredentials): string | undefined {
  try {
    const certificate = new X509Certificate(credentials.certificate);
    const authority = new X509Certificate(credentials.authority);
    if (!certificate.checkPrivateKey(createPrivateKey(credentials.key))) return 'the key is not the certificate’s';
    if (!certificate.verify(authority.publicKey)) return 'the authority did not issue the certificate';
    if (identityOf(certificate) === undefined) return 'the certificate holds no TrafficCopy identity';
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The own identity. The credentials were checked. */
export function ownIdentity(credentials: ClientCredentials): PeerIdentity {
  return identityOf(new X509Certificate(credentials.certificate))!;
}

/** Credentials with a granted certificate; undefined when it does not fit the own key, identity or authority. */
export function renewedCredentials(
  credentials: ClientCredentials,
  grant: CertificateGrant,
): ClientCredentials | undefined {
  const renewed = { key: credentials.key, certificate: grant.certificate, authority: credentials.authority };
  if (credentialProblem(renewed) !== undefined) return undefined;
  const [before, after] = [ownIdentity(credentials), ownIdentity(renewed)];
  return before.role === after.role && before.name === after.name ? renewed : undefined;
}
