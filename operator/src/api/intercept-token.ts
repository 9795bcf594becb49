import { createHash } from 'node:crypto';
import { INTERCEPT_TOKEN_PREFIX } from '@trafficcopy/core';
import type { CheckedSpec } from './checked-spec.js';

/** Where the token of an intercept outside the cluster lies: in a Secret of the TrafficCopy's namespace. Nobody but the kubelet reads it. */
export interface InterceptToken {
  readonly secret: string;
  readonly key: string;
}

const DIGEST_LENGTH = 8;

/**
 * The environment variable of a copy that holds the token. Its name is made of Secret and key, so that a container's variables tell
 * which tokens it was started with.
 */
export function tokenVariable({ secret, key }: InterceptToken): string {
  const digest = createHash('sha256').update(`${secret}/${key}`).digest('hex').slice(0, DIGEST_LENGTH);
  return `${INTERCEPT_TOKEN_PREFIX}${digest.toUpperCase()}`;
}

/** The tokens that copies need, each once. */
export function interceptTokens({ targets }: Pick<CheckedSpec, 'targets'>): InterceptToken[] {
  const tokens = targets.flatMap(({ place }) => (place.kind === 'address' ? [place.token] : []));
  return [...new Map(tokens.map((token) => [tokenVariable(token), token])).values()];
}
