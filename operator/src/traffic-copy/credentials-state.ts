import type { Observation } from './observation.js';
import type { Problem } from './problem.js';

/** What is known of the Secret that spec.credentialsSecret names. */
export type CredentialsState =
  /** Secret: for copies alone. */
  | { readonly kind: 'known'; readonly text: string }
  | { readonly kind: 'refused'; readonly problem: Problem }
  /** It could not be looked at yet. */
  | { readonly kind: 'unread' };

/** The Secret is looked at again after so long. */
export const CREDENTIALS_MS = 10_000;

/** Why nobody logs in at the targets, where somebody is to: then nothing is copied. */
export function credentialsProblem({ credentials }: Observation): Problem | undefined {
  return credentials?.kind === 'refused' ? credentials.problem : undefined;
}
