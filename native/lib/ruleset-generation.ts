import { addon } from './addon.js';

/**
 * The number of what nf_tables holds in this thread's network namespace (NFT_MSG_GETGEN): the kernel makes it another one with each change, whoever makes it. Takes
 * some microseconds. Within `inNamespace` it is that of the namespace.
 *
 * @returns undefined where the kernel does not say: it has no nf_tables, or CAP_NET_ADMIN is missing
 */
export function rulesetGeneration(): number | undefined {
  return addon().rulesetGeneration();
}
