/**
 * Intercept: stands at the target. It injects copied packets there, takes every response of a copied connection out of the kernel,
 * drops it, and returns its header to the copy that asked.
 *
 * Theory of operation. A copied connection is known by a packet mark, from its SYN to its last RST:
 *
 *     PACKETS ─► raw socket (SO_MARK injection mark) ─► lo ─► mangle PREROUTING: injection mark becomes the mark
 *     Direct: the copy's own packets, TCP option 253 ─► eth0 ─► mangle PREROUTING: option becomes the mark
 *                                                                 │
 *          the socket that the SYN opens takes the mark (tcp_fwmark_accept); packets without a socket reflect it (fwmark_reflect)
 *                                                                 │
 *     HEADERS ◄─ header ◄─ NFQUEUE, dropped ◄─ mangle OUTPUT: the mark ◄─ every response
 *
 * Invariants:
 * - No response of a copied connection leaves the namespace: whatever happens to intercept, the rule drops it (no bypass). What has
 *   no mark is not touched.
 * - A packet is injected only when it is one whole, plain TCP segment of a flow that its connection opened, to an address and port that
 *   is served.
 * - What is changed in the namespace is written down before, and restored when the last intercept leaves, or by the next
 *   after a kill (rules/).
 * - Nothing is shared between network namespaces: each that is served (target-namespace.ts) has its own rules, sockets, flows and copies. A
 *   single intercept serves one; one on a node of a cluster serves those of its target pods (node/).
 * - Everything that grows has a limit that is set at the start (limits.ts); what is refused there is counted.
 */
export { type InterceptConfig, interceptConfig } from './config.js';
export { runIntercept } from './main.js';
export { MARK_BASE, QUEUE_NUMBER_BASE, workerSlot } from './rules/worker-slot.js';
