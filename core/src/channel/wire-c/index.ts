/**
 * The protocol of the C programs, tcpcopy 0.9.6 and 1.x with their intercepts: plain TCP, no answer to the hello, no negotiation, no
 * keep-alive. docs/channel.md, «Of the C programs», has the octets.
 *
 * Invariants: as those of the channel's own codec. Reading is total and bounded; writing makes what reading accepts.
 */
export * from './header-frame-reader.js';
export * from './header-record.js';
export * from './session-routes.js';
export * from './tunnel-message.js';
export * from './wire-format.js';
