import type { KubeClient } from './kube-client.js';
import { valueAt } from './kube-object.js';
import { TOKEN_REVIEWS } from './kube-resource.js';

/** `status` of a TokenReview (authentication.k8s.io/v1). */
export interface TokenReviewAnswer {
  readonly authenticated?: boolean;
  readonly audiences?: readonly string[];
  readonly error?: string;
  readonly user?: { readonly username?: string; readonly extra?: { readonly [key: string]: readonly string[] } };
}

const TIMEOUT_MS = 5000;

/** Asks the API server whose token it is. @throws KubeError when it could not be asked. */
export async function reviewToken(client: KubeClient, token: string, audience: string): Promise<TokenReviewAnswer> {
  const review = await client.create(
    TOKEN_REVIEWS,
    undefined,
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences: [audience] } },
    AbortSignal.timeout(TIMEOUT_MS),
  );
  return (valueAt(review, 'status') ?? {}) as TokenReviewAnswer;
}
