/**
 * The operator's end of all control channels, port 36524: settings out, reports in. The controller says what each copy and intercept
 * should do and reads what they say; the hub remembers, sends what differs, and tells it again to whoever comes back.
 *
 * Only the leader's hub serves. A follower's lets newcomers join (it has the same authority), and sends channels to the leader.
 *
 * Invariants. A peer costs a bounded amount of memory and time, whatever it sends. Nothing here waits for a peer, and nothing that a peer
 * sends throws.
 */
export { Hub, type HubCounters, type HubLinkEvent, type HubOptions } from './hub.js';
export { LINK_RETENTION_MS } from './link.js';
export * from './link-state.js';
export * from './traffic.js';
export * from './traffic-hub.js';
