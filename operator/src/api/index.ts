/**
 * The TrafficCopy resource: its types as people write them, and its checked form, which the rest of the operator works with. crds/ has the
 * schema that the API server applies. Reading is total: no object makes it throw.
 */
export * from './api-names.js';
export * from './checked-spec.js';
export * from './duration.js';
export * from './intercept-token.js';
export * from './label-selector.js';
export * from './quantity.js';
export * from './traffic-copy.js';
export * from './traffic-copy-status.js';
