/**
 * From TrafficCopies to running copies: gather → decide → carry out.
 *
 * `gather` takes from caches everything that matters for one TrafficCopy; `decide` is pure and says what should be; `CarryOut` writes what differs. Nodes and the webhook
 * belong to all TrafficCopies together: each contributes its wishes, and a keeper of its own makes them true.
 *
 * Invariants. Nothing is done because something happened, only because of what is. No write without a difference. A finalizer stands before the first
 * thing that it is to clean up. Nothing is taken away that a leader has not looked at everything for: neither labels, nor the webhook, nor the endpoints of a
 * copy that works.
 */
export { ClusterCache, type ClusterChange } from './cluster-cache.js';
export { ownTargets, selectsSource } from './concerned.js';
export type { WebhookWish } from './contributions.js';
export { Controller, type ControllerOptions } from './controller.js';
export { ControllerMetrics } from './controller-metrics.js';
