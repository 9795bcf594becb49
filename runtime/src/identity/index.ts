/**
 * Who may talk to whom. An authority issues certificates whose only name is `trafficcopy://<role>/<name>`; tokens let newcomers in; keys never
 * leave the machine that made them. docs/channel.md has the walk of joining, docs/adr/0004 the reasons.
 */
export * from './authority.js';
export {
  AUTHORITY_LIFETIME_MS,
  authorityProblem,
  CERTIFICATE_LIFETIME_MS,
  CertificateAuthority,
  type CertificateAuthorityOptions,
  type CertificateHolder,
  CLOCK_SKEW_MS,
  createAuthority,
} from './certificate-authority.js';
export type { CertificateUsage, IssuerCredentials } from './certificate-issuer.js';
export {
  type CertificateLifetime,
  certificateLifetime,
  credentialProblem,
  ownIdentity,
  publicKeyPin,
} from './credential-check.js';
export * from './credential-storage.js';
export * from './credential-store.js';
export * from './credentials.js';
export * from './join-token.js';
export * from './joining.js';
export * from './memory-credential-store.js';
export * from './peer-identity.js';
export * from './state-error.js';
export { makeStateDirectory, readStateFile, writeStateFile } from './state-file.js';
export { TOKENS_MAX } from './token-store.js';
