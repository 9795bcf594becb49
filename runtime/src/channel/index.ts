/**
 * The transport of the 36524 protocol: sockets, TLS, handshakes, liveness, bounded queues, reconnection. docs/channel.md has the
 * bytes, docs/adr/0004 the reasons.
 *
 * Invariants. A peer costs a bounded amount of memory, whatever it sends or does not read: one frame inwards (16 KiB until it is known), `queueBytesMax`
 * outwards. What does not fit is dropped whole and counted; nobody waits for a slow peer. Every connection that a user saw ends with exactly one
 * callback. No octets from the network throw.
 */
export * from './channel-authority.js';
export * from './channel-client.js';
export * from './channel-connection.js';
export * from './channel-error.js';
export * from './channel-server.js';
export * from './foreign-server.js';
export * from './reconnect-delay.js';
export { SILENCE_MS_MAX } from './socket-connection.js';
export { remoteText } from './socket-text.js';
export * from './wire-tunnel.js';
export * from './wire-tunnel-client.js';
export * from './wire-tunnel-server.js';
