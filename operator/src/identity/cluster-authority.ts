/**
 * The authority of a cluster: one key for all replicas of the operator, in a Secret that only they read. Everything else is made
 * from it: the certificates of hub, webhook, copies and intercepts, and the tokens of TrafficCopies.
 */
import { createHmac, createPrivateKey, hkdfSync } from 'node:crypto';
import {
  CertificateAuthority,
  formatJoinToken,
  type IssuerCredentials,
  type ServerCredentials,
} from '@trafficcopy/runtime';

const DAY_MS = 24 * 3600 * 1000;
/** Shorter than on the command line: whoever is let in can join again at any time. */
const MEMBER_LIFETIME_MS = 7 * DAY_MS;

export interface ClusterAuthorityOptions {
  readonly certificateLifetimeMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

export class ClusterAuthority extends CertificateAuthority {
  readonly #tokenKey: Uint8Array;

  /** @param issuer PEM, from the Secret; a new one is made by `createAuthority`. @throws {Error} it cannot be one. */
  constructor(issuer: IssuerCredentials, options: ClusterAuthorityOptions = {}) {
    super(issuer, { certificateLifetimeMs: MEMBER_LIFETIME_MS, ...options });
    const key = createPrivateKey(issuer.key).export({ type: 'pkcs8', format: 'der' });
    this.#tokenKey = new Uint8Array(hkdfSync('sha256', key, '', 'trafficcopy token of a TrafficCopy', 32));
  }

  /**
   * The secret that lets copies of the TrafficCopy in. Derived and not drawn, so that every replica knows it without reading a
   * Secret, and none is lost with a leader.
   */
  secretOf(namespace: string, trafficCopyUid: string): string {
    return createHmac('sha256', this.#tokenKey).update(`${namespace}/${trafficCopyUid}`).digest('base64url');
  }

  /** As {@link secretOf}, in the form that copies take: `tc1.<secret>.<pin>`. */
  tokenOf(namespace: string, trafficCopyUid: string): string {
    return formatJoinToken({ secret: this.secretOf(namespace, trafficCopyUid), pin: this.pin });
  }

  /** Key and certificate of the hub's server. */
  async hubCredentials(): Promise<ServerCredentials> {
    return await this.serverCredentials('operator', 'operator');
  }
}
