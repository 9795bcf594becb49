import type { CertificateGrant, JoinRequest, RefusalCode } from '@trafficcopy/core';
import type { ServerCredentials } from '../identity/credentials.js';
import type { PeerIdentity } from '../identity/peer-identity.js';

/** Why a certificate was not granted. */
export interface GrantRefusal {
  readonly code: RefusalCode;
  readonly message: string;
}

/** What a server needs of an authority: to answer JOIN and RENEW, and to renew its own certificate. */
export interface ChannelAuthority {
  /**
   * Checks token and request of a newcomer and issues its certificate. Never rejects for what the newcomer sent.
   * @param remote where it comes from, `10.1.2.3:40000`.
   */
  join(request: JoinRequest, remote: string): Promise<CertificateGrant | GrantRefusal>;
  /** Issues a certificate of the same identity for a peer whose current one was verified. */
  renew(identity: PeerIdentity, certificateRequest: string): Promise<CertificateGrant | GrantRefusal>;
  /** A fresh key and certificate for the server itself. */
  serverCredentials(): Promise<ServerCredentials>;
}
