/**
 * Who is let into the cluster's channels. A copy shows the token of its TrafficCopy and comes from a pod that the TrafficCopy selects; an
 * intercept shows its pod's service account token and comes from that pod. Where a program comes from is the address of its
 * socket: no program can claim another's.
 *
 * A refusal that a cache which is behind may be the reason for is `unavailable`: the program comes again. On followers that is
 * every refusal but those of what the program itself sent.
 */
import type { CertificateGrant, Hello, JoinRequest, RefusalCode } from '@trafficcopy/core';
import type { ChannelAuthority, GrantRefusal, PeerIdentity, ServerCredentials } from '@trafficcopy/runtime';
import type { ClusterAuthority } from './cluster-authority.js';
import { formatCopyIdentity, parseCopyIdentity } from './copy-identity.js';
import type { KnownPod, KnownPods, TokenReviewStatus } from './known-pods.js';
import { type RegisteredTrafficCopy, TrafficCopyRegistry } from './traffic-copy-registry.js';

/** Audience of the intercepts' service account tokens. */
export const INTERCEPT_AUDIENCE = 'trafficcopy.dev';
/** TokenReviews under way at one time: strangers cannot make us flood the API server. */
const REVIEWS_MAX = 16;
/** header.payload.signature, base64url. */
const JWT_PATTERN = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export interface JoinPolicyOptions {
  readonly authority: ClusterAuthority;
  readonly pods: KnownPods;
  /** Namespace of the operator, where the intercepts are. */
  readonly namespace: string;
  /** Name of the intercepts' service account. */
  readonly interceptServiceAccount: string;
  /** Asks the API server (TokenReview); ends within a few seconds. A rejection is a fault of ours, not of the newcomer. */
  reviewToken(token: string, audience: string): Promise<TokenReviewStatus>;
}

export class JoinPolicy implements ChannelAuthority {
  readonly #options: JoinPolicyOptions;
  readonly #trafficCopies = new TrafficCopyRegistry();
  #reviews = 0;
  /** False while the caches may be behind those that decided: on followers, and before the first look at everything. */
  isComplete = false;

  constructor(options: JoinPolicyOptions) {
    this.#options = options;
  }

  /**
   * A TrafficCopy exists: on every replica, again and again if you like. Returns the token for its Secret, `tc1.<secret>.<pin>`: the same
   * on every replica.
   */
  registerTrafficCopy(trafficCopy: RegisteredTrafficCopy): string {
    const { authority } = this.#options;
    const { namespace, uid } = trafficCopy;
    if (this.#trafficCopies.find(uid)?.name !== trafficCopy.name) {
      this.#trafficCopies.add(trafficCopy, authority.secretOf(namespace, uid));
    }
    return authority.tokenOf(namespace, uid);
  }

  /** It is gone: its token lets nobody in any more, and nobody's certificate is renewed. */
  forgetTrafficCopy(uid: string): void {
    this.#trafficCopies.delete(uid);
  }

  findTrafficCopy(uid: string): RegisteredTrafficCopy | undefined {
    return this.#trafficCopies.find(uid);
  }

  trafficCopies(): Iterable<RegisteredTrafficCopy> {
    return this.#trafficCopies.all();
  }

  async join(request: JoinRequest, remote: string): Promise<CertificateGrant | GrantRefusal> {
    if (request.role === 'copy') return await this.#joinCopy(request, remote);
    if (request.role === 'intercept') return await this.#joinIntercept(request, remote);
    return { code: 'role', message: `nobody joins as ${request.role}` };
  }

  async renew(identity: PeerIdentity, certificateRequest: string): Promise<CertificateGrant | GrantRefusal> {
    const { role, name } = identity;
    if (!this.#mayRenew(identity)) {
      return this.#doubt('forbidden', `${role} ${name} is no member any more: its pod or its TrafficCopy is gone`);
    }
    return await this.#options.authority.grant(certificateRequest, { role, name, usages: USAGES[identity.role] });
  }

  async serverCredentials(): Promise<ServerCredentials> {
    return await this.#options.authority.hubCredentials();
  }

  /** Why a member with a good certificate is not let in now; undefined when it is. */
  authorize(hello: Hello, identity: PeerIdentity | undefined, remote: string): GrantRefusal | undefined {
    if (identity === undefined) return { code: 'certificateRequired', message: 'join with a token first' };
    const pod = this.#options.pods.podAt(addressOf(remote));
    if (pod === undefined) return unknownAddress(remote);
    const copy = hello.role === 'copy' ? parseCopyIdentity(identity.name) : undefined;
    const isItself =
      hello.role === 'copy' ? copy?.podUid === pod.uid : pod.nodeName === identity.name && this.#isOwnPod(pod);
    if (isItself) return undefined;
    // An address can have a new pod that we have not heard of; a thief may come again as often as it likes.
    const message = `the certificate is that of ${identity.name}, and ${addressOf(remote)} is the address of another pod`;
    return { code: 'unavailable', message };
  }

  async #joinCopy(request: JoinRequest, remote: string): Promise<CertificateGrant | GrantRefusal> {
    const trafficCopy = this.#trafficCopies.findBySecret(request.secret);
    if (trafficCopy === undefined) {
      // Said by every replica: what was deleted does not come back.
      if (this.#trafficCopies.isGone(request.secret)) return { code: 'gone', message: 'the TrafficCopy was deleted' };
      return this.#doubt('tokenUnknown', 'no TrafficCopy has this token; it may have been deleted');
    }
    const { authority, pods } = this.#options;
    const pod = pods.podAt(addressOf(remote));
    if (pod === undefined) return unknownAddress(remote);
    const { namespace, name, uid } = trafficCopy;
    if (pod.namespace !== namespace || !pods.isSource(uid, pod.uid)) {
      const message = `the token is for the source pods of TrafficCopy ${namespace}/${name}, and the pod at ${addressOf(remote)} is none of them`;
      return this.#doubt('forbidden', message);
    }
    const identity = formatCopyIdentity({ namespace, trafficCopyUid: uid, podUid: pod.uid });
    return await authority.grant(request.certificateRequest, { role: 'copy', name: identity, usages: USAGES.copy });
  }

  async #joinIntercept(request: JoinRequest, remote: string): Promise<CertificateGrant | GrantRefusal> {
    const { authority, pods } = this.#options;
    const pod = pods.podAt(addressOf(remote));
    if (pod === undefined) return unknownAddress(remote);
    if (!this.#isOwnPod(pod)) {
      return {
        code: 'forbidden',
        message: `the pod at ${addressOf(remote)} is no intercept: it is in another namespace`,
      };
    }
    const problem = await this.#reviewProblem(request.secret, pod);
    if (problem !== undefined) return problem;
    if (pod.nodeName === '') return { code: 'unavailable', message: 'the node of the pod is not known yet' };
    const holder = { role: 'intercept', name: pod.nodeName, usages: USAGES.intercept } as const;
    return await authority.grant(request.certificateRequest, holder);
  }

  async #reviewProblem(token: string, pod: KnownPod): Promise<GrantRefusal | undefined> {
    if (!JWT_PATTERN.test(token)) {
      return { code: 'tokenUnknown', message: 'an intercept joins with a service account token, and this is none' };
    }
    if (this.#reviews >= REVIEWS_MAX) return { code: 'unavailable', message: 'too many token reviews are under way' };
    this.#reviews += 1;
    try {
      const status = await this.#options.reviewToken(token, INTERCEPT_AUDIENCE);
      return this.#reviewRefusal(status, pod);
    } finally {
      this.#reviews -= 1;
    }
  }

  #reviewRefusal(status: TokenReviewStatus, pod: KnownPod): GrantRefusal | undefined {
    const { namespace, interceptServiceAccount } = this.#options;
    if (status.authenticated !== true || !status.audiences?.includes(INTERCEPT_AUDIENCE)) {
      const why = status.error ? `: ${status.error.slice(0, 200)}` : '';
      return { code: 'tokenUnknown', message: `the API server does not accept the service account token${why}` };
    }
    const expected = `system:serviceaccount:${namespace}:${interceptServiceAccount}`;
    if (status.user?.username !== expected) {
      return { code: 'forbidden', message: `the token is not one of the service account ${expected}` };
    }
    const { extra } = status.user;
    const podUid = extra?.['authentication.kubernetes.io/pod-uid']?.[0];
    if (podUid !== pod.uid)
      return { code: 'unavailable', message: 'the token is bound to another pod than the one here' };
    // Told from Kubernetes 1.30 on.
    const node = extra?.['authentication.kubernetes.io/node-name']?.[0];
    if (node === undefined || node === pod.nodeName) return undefined;
    return {
      code: 'unavailable',
      message: `the token is bound to the node ${node}, and the pod is on ${pod.nodeName}`,
    };
  }

  #mayRenew(identity: PeerIdentity): boolean {
    const { pods } = this.#options;
    if (identity.role === 'intercept') return pods.hasIntercept(identity.name);
    const copy = identity.role === 'copy' ? parseCopyIdentity(identity.name) : undefined;
    if (copy === undefined) return false;
    const trafficCopy = this.#trafficCopies.find(copy.trafficCopyUid);
    return trafficCopy?.namespace === copy.namespace && pods.isSource(copy.trafficCopyUid, copy.podUid);
  }

  #isOwnPod(pod: KnownPod): boolean {
    return pod.namespace === this.#options.namespace;
  }

  #doubt(code: RefusalCode, message: string): GrantRefusal {
    return { code: this.isComplete ? code : 'unavailable', message };
  }
}

/** An intercept is a server to copies and a client to the operator; a copy is nobody's server. */
const USAGES = { copy: ['client'], intercept: ['server', 'client'], operator: ['client'] } as const;

function unknownAddress(remote: string): GrantRefusal {
  const message = `no pod with the address ${addressOf(remote)} is known (yet); if it is a node's, pods' traffic to Services is masqueraded, and copies cannot be told apart`;
  return { code: 'unavailable', message };
}

/** `10.1.2.3` of `10.1.2.3:40000`, `fd00::1` of `[fd00::1]:40000`. */
export function addressOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}
