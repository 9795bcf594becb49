/**
 * The I/O-free heart of TrafficCopy. Sees neither Node nor the kernel: bytes, time and seeds come in as arguments, packets
 * go out in batches that the caller owns.
 */
export * from './batch/packet-batch.js';
export * from './batch/replay-batch.js';
export * from './batch/response-record.js';
export * from './batch/response-record-writer.js';
export * from './channel/index.js';
export * from './compare/index.js';
export * from './counters.js';
export * from './engine.js';
export * from './engine-config.js';
export * from './flow/flow-hash.js';
export * from './flow/flow-table.js';
export * from './flow/port-share.js';
export * from './limits.js';
export * from './protocol/index.js';
export * as Seq from './seq.js';
export type { TargetMeter } from './session/target-meter.js';
export * from './trace/session-trace.js';
export * from './trace/trace-event.js';
export * from './wire/address-range.js';
export * from './wire/bytes.js';
export * from './wire/checksum.js';
export * from './wire/datagram-header.js';
export * from './wire/ip-address.js';
export * from './wire/ip-header.js';
export * from './wire/packet-header.js';
export * from './wire/tcp.js';
export * from './wire/tcp-options.js';
