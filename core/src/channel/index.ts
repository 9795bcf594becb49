/**
 * The 36524 protocol: what both ends of a control channel say to each other. docs/channel.md has the bytes and the walks.
 *
 * Invariants. Writing makes frames that reading accepts. Reading is total: no octets of a peer make it throw, loop or hold more
 * than a limit; what cannot be read is `undefined` or `false`, and the transport decides what that means. A new minor version only adds frame
 * types and JSON fields, both of which older readers skip; the preamble and REFUSED never change.
 */
export * from './copy-report.js';
export * from './copy-settings.js';
export * from './datagram-capability.js';
export * from './frame.js';
export * from './frame-decoder.js';
export * from './goodbye.js';
export * from './headers-payload.js';
export * from './hello.js';
export * from './intercept-report.js';
export * from './intercept-settings.js';
export * from './joining.js';
export { encodeJson, type JsonObject, parseJson } from './json-payload.js';
export * from './payload-wish.js';
export * from './preamble.js';
export * from './refusal.js';
export * from './stop.js';
export { decodeUtf8, encodeUtf8 } from './utf8.js';
export * from './wire-c/index.js';
