/**
 * Typed face of the native addon: batches of packets between the kernel and memory that JavaScript owns. Knows no flows
 * and no sessions.
 *
 * One call moves a batch. A batch is (bytes, entries, count) as core/src/batch/packet-batch.ts lays it out; nothing is
 * allocated for a packet. Readiness comes from the event loop of the thread that called start(), so every class works in
 * worker threads; an object stays in the thread that made it. With `netnsPath` the sockets live in another network
 * namespace: the thread enters it, opens them and leaves again within the constructor.
 *
 * What traffic does is counted, never thrown. Opening throws NativeError with a stable `code`.
 */
export { BatchFilter } from './batch-filter.js';
export { CaptureParser, type CaptureParserState } from './capture-parser.js';
export { compileFilter } from './filter.js';
export { FilterError } from './filter-error.js';
export { NativeError, type NativeErrorCode } from './native-error.js';
export { inNamespace } from './network-namespace.js';
export { PacketRing, type PacketRingOptions, type PacketRingStatistics } from './packet-ring.js';
export { RawSender, type RawSenderOptions, type RawSenderStatistics } from './raw-sender.js';
export { ResponseQueue, type ResponseQueueOptions, type ResponseQueueStatistics } from './response-queue.js';
export { rulesetGeneration } from './ruleset-generation.js';
export { unacknowledgedOctets } from './send-queue.js';
export { giveBackUnusedMemory } from './unused-memory.js';
