import type { X509Certificate } from 'node:crypto';
import { CHANNEL_ROLES, type ChannelRole } from '@trafficcopy/core';

/** Who a peer is, as its certificate says. */
export interface PeerIdentity {
  readonly role: ChannelRole;
  /** Unique under the authority; up to four parts separated by `/` (`host-1-3fa9c2d1`, `shop/6f0c…`). */
  readonly name: string;
  /** SHA-256 of the certificate, hex. */
  readonly fingerprint: string;
  /** When the certificate ends, ms since the epoch. */
  readonly notAfterMs: number;
}

const IDENTITY_PATTERN = /^trafficcopy:\/\/([a-z]+)\/([A-Za-z0-9._-]{1,63}(?:\/[A-Za-z0-9._-]{1,63}){0,3})$/;

/** `trafficcopy://<role>/<name>`: the URI that is the certificate's only subject alternative name. */
export function formatIdentity(role: ChannelRole, name: string): string {
  return `trafficcopy://${role}/${name}`;
}

/** Role and name of such a URI, or undefined. */
export function parseIdentity(uri: string): { readonly role: ChannelRole; readonly name: string } | undefined {
  const match = IDENTITY_PATTERN.exec(uri);
  const role = CHANNEL_ROLES.find((known) => known === match?.[1]);
  return match && role ? { role, name: match[2]! } : undefined;
}

/**
 * The identity in a certificate, or undefined when it holds none or more than one. Says nothing about who issued it: the caller
 * has verified that.
 */
export function identityOf(certificate: X509Certificate): PeerIdentity | undefined {
  const names = certificate.subjectAltName?.split(', ') ?? [];
  const uri = names.length === 1 && names[0]!.startsWith('URI:') ? names[0]!.slice(4) : undefined;
  const identity = uri === undefined ? undefined : parseIdentity(uri);
  if (identity === undefined) return undefined;
  return {
    ...identity,
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notAfterMs: certificate.validToDate.getTime(),
  };
}
