/**
 * Who may talk to the operator, and through it to each other. One authority for the cluster; copies join with the token of their
 * TrafficCopy, intercepts with their service account; nobody else is let in. docs/channel.md has the walk of joining.
 *
 * Invariants. A certificate names what the API server says about the pod that the socket comes from, never what a program says about
 * itself. No secret is logged, and none is compared but by its hash.
 */
export * from './cluster-authority.js';
export * from './copy-identity.js';
export * from './join-policy.js';
export * from './known-pods.js';
export type { RegisteredTrafficCopy } from './traffic-copy-registry.js';
