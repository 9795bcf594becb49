import type { KubeClient } from './kube-client.js';
import { listAt, textAt, valueAt } from './kube-object.js';
import { TOKEN_REVIEWS } from './kube-resource.js';

/** Whom a service account token belongs to. */
export interface ReviewedToken {
  /** system:serviceaccount:NAMESPACE:NAME */
  readonly user: string;
  /** Of the pod that the token is bound to. */
  readonly podName: string | undefined;
  readonly podUid: string | undefined;
  readonly nodeName: string | undefined;
}

const EXTRA = 'authentication.kubernetes.io/';

/** @returns undefined when the API server does not vouch for it. @throws KubeError when it could not be asked. */
export async function reviewToken(
  client: KubeClient,
  token: string,
  audience: string,
): Promise<ReviewedToken | undefined> {
  const review = await client.create(TOKEN_REVIEWS, undefined, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences: [audience] },
  });
  const status = valueAt(review, 'status');
  const isGood = valueAt(status, 'authenticated') === true && listAt(status, 'audiences').includes(audience);
  if (!isGood) return undefined;
  const extra = (name: string): string | undefined => textAt(status, 'user', 'extra', EXTRA + name, '0');
  return {
    user: textAt(status, 'user', 'username') ?? '',
    podName: extra('pod-name'),
    podUid: extra('pod-uid'),
    nodeName: extra('node-name'),
  };
}
