export * from './compare-config.js';
export { Comparison } from './comparison.js';
export type * from './comparison-report.js';
export { INCOMPARABLE_REASONS, type IncomparableReason } from './exchange.js';
