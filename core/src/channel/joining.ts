/**
 * Messages by which a newcomer gets a certificate and a member renews its own. The private key never leaves its owner: what
 * travels is a certificate request (PKCS #10, RFC 2986) and certificates in PEM (RFC 7468).
 */
import { CHANNEL_ROLES, type ChannelRole } from './hello.js';
import { encodeJson, linesField, parseJson, textField } from './json-payload.js';
import { type ChannelVersion, PREAMBLE_BYTES, parsePreamble, withPreamble } from './preamble.js';

/** JOIN. */
export interface JoinRequest {
  readonly version: ChannelVersion;
  /** The secret part of the token, or another proof that the authority knows how to check (a service account token: a JWT). */
  readonly secret: string;
  readonly role: ChannelRole;
  /** What the newcomer would like to be called; the authority has the last word. */
  readonly name: string;
  /** PEM. */
  readonly certificateRequest: string;
}

/** RENEW. */
export interface RenewRequest {
  /** PEM. */
  readonly certificateRequest: string;
}

/** JOINED and RENEWED. */
export interface CertificateGrant {
  /** PEM: the new certificate. */
  readonly certificate: string;
  /** PEM: the authority's own. */
  readonly authority: string;
}

/** A JWT of Kubernetes has about 1,200 characters; JOIN as a whole keeps to the limit of payloads before WELCOME. */
const SECRET_LENGTH_MAX = 8192;
const NAME_LENGTH_MAX = 255;
const PEM_LENGTH_MAX = 8192;

export function encodeJoinRequest(request: JoinRequest): Uint8Array {
  const { version, secret, role, name, certificateRequest } = request;
  return withPreamble(version, encodeJson({ secret, role, name, certificateRequest }));
}

export function parseJoinRequest(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): JoinRequest | undefined {
  const version = parsePreamble(bytes, offset, length);
  const object = version && parseJson(bytes, offset + PREAMBLE_BYTES, length - PREAMBLE_BYTES);
  if (version === undefined || object === undefined) return undefined;
  const secret = textField(object, 'secret', SECRET_LENGTH_MAX);
  const role = CHANNEL_ROLES.find((known) => known === object['role']);
  const name = textField(object, 'name', NAME_LENGTH_MAX);
  const certificateRequest = linesField(object, 'certificateRequest', PEM_LENGTH_MAX);
  if (secret === undefined || !role || name === undefined || certificateRequest === undefined) return undefined;
  return { version, secret, role, name, certificateRequest };
}

export function encodeRenewRequest(request: RenewRequest): Uint8Array {
  return encodeJson({ certificateRequest: request.certificateRequest });
}

export function parseRenewRequest(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): RenewRequest | undefined {
  const object = parseJson(bytes, offset, length);
  const certificateRequest = object && linesField(object, 'certificateRequest', PEM_LENGTH_MAX);
  return certificateRequest === undefined ? undefined : { certificateRequest };
}

export function encodeCertificateGrant(grant: CertificateGrant): Uint8Array {
  return encodeJson({ certificate: grant.certificate, authority: grant.authority });
}

export function parseCertificateGrant(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): CertificateGrant | undefined {
  const object = parseJson(bytes, offset, length);
  const certificate = object && linesField(object, 'certificate', PEM_LENGTH_MAX);
  const authority = object && linesField(object, 'authority', PEM_LENGTH_MAX);
  return certificate === undefined || authority === undefined ? undefined : { certificate, authority };
}
