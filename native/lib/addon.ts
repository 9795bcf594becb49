import { createRequire } from 'node:module';
import { FilterError } from './filter-error.js';
import { NativeError, type NativeErrorCode } from './native-error.js';

/** What native/src exports. Each class there holds one kernel facility; numbers are checked here, not there. */
export interface Addon {
  /** What core/src/batch/packet-batch.ts says, as native code sees it. */
  readonly constants: Readonly<
    Record<
      'PACKET_ENTRY_FIELDS' | 'ENTRY_OFFSET' | 'ENTRY_CAPTURED_BYTES' | 'ENTRY_WIRE_BYTES' | 'ENTRY_TIME_US',
      number
    >
  >;
  readonly PacketRing: new (
    interfaceName: string,
    filter: string,
    blockBytes: number,
    blockCount: number,
    retireMs: number,
    worker: number,
    workers: number,
    netnsPath: string,
    seesOutgoing: number,
    once: number,
    besides: Uint32Array,
  ) => NativePacketRing;
  readonly RawSender: new (
    family: number,
    mark: number,
    sendBufferBytes: number,
    segmentBytesMax: number,
    netnsPath: string,
  ) => NativeRawSender;
  readonly ResponseQueue: new (
    queueNumber: number,
    copyBytes: number,
    queueLengthMax: number,
    receiveBufferBytes: number,
    slotBytes: number,
    slotCount: number,
    netnsPath: string,
  ) => NativeResponseQueue;
  readonly CaptureParser: new (batchBytes: number, batchFrames: number) => NativeCaptureParser;
  readonly BatchFilter: new (expression: string) => NativeBatchFilter;
  compileFilter(expression: string): void;
  unacknowledgedOctets(fd: number): number;
  inNamespace(netnsPath: string, work: () => unknown): unknown;
  giveBackUnusedMemory(): number;
  rulesetGeneration(): number | undefined;
}

export interface NativePacketRing {
  /** The mapped ring; detached by close(). */
  memory(): ArrayBuffer;
  /** Packets of the next filled block, now in `entries`; 0 when none is filled. */
  next(entries: Uint32Array): number;
  release(): void;
  setFilter(expression: string, besides: Uint32Array): void;
  start(onReadable: () => void): void;
  stop(): void;
  /** Fills in packets, drops, freezes, malformed, interface state (0 up, 1 down, 2 gone). */
  statistics(out: Float64Array): void;
  close(): void;
}

export interface NativeRawSender {
  send(bytes: Uint8Array, entries: Uint32Array, count: number): number;
  /** Fills in pairs of packet index and path MTU; returns how many. */
  tooBig(out: Float64Array): number;
  /** Fills in sent, failed, segments, lastErrno. */
  statistics(out: Float64Array): void;
  errors(): Record<string, number>;
  close(): void;
}

export interface NativeResponseQueue {
  read(bytes: Uint8Array, entries: Uint32Array): number;
  setCopyBytes(copyBytes: number, receiveBufferBytes: number, slotBytes: number): void;
  start(onReadable: () => void): void;
  stop(): void;
  /** Fills in packets, queueDropped, userDropped, malformed, waiting. */
  statistics(out: Float64Array): void;
  close(): void;
}

export interface NativeCaptureParser {
  feed(bytes: Uint8Array): void;
  feedEnd(): void;
  /** Copies the oldest batch; returns its frames, 0 when there is none. */
  next(bytes: Uint8Array, entries: Uint32Array, timesUs: Float64Array): number;
  /** Fills in link type, snap length, frames, oversized, consumed octets, wants more, has a batch, has ended (1 or 0). */
  look(out: Float64Array): void;
  /** What has changed so far was heard of; what changes from now on is announced. */
  acknowledge(): void;
  problem(): string;
  linkTypeText(): string;
  start(onChange: () => void): void;
  stop(): void;
  close(): void;
}

export interface NativeBatchFilter {
  /** Moves what fits to the front; returns how many that are. */
  select(bytes: Uint8Array, entries: Uint32Array, timesUs: Float64Array, count: number): number;
}

/** What native/src throws: the facts, without advice. */
interface NativeFailure extends Error {
  readonly errno: number;
  readonly errnoName: string;
  readonly syscall: string;
  readonly subject: string;
}

let loaded: Addon | undefined;

/**
 * The addon, loaded at the first use in this thread. TRAFFICCOPY_NATIVE_VARIANT=asan takes the sanitizer build.
 *
 * @throws NativeError ERR_NATIVE_ADDON when it is not built.
 */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

function load(): Addon {
  const variant = process.env['TRAFFICCOPY_NATIVE_VARIANT'] === 'asan' ? 'asan/' : '';
  const path = `../../build/${variant}trafficcopy.node`;
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new NativeError(
      'ERR_NATIVE_ADDON',
      `cannot load the native addon: ${reason} (build it with \`make -C native\`; it needs libpcap, libmnl and libnetfilter_queue)`,
      { cause },
    );
  }
}

/**
 * Runs a call into the addon and gives its failures their class, code and advice.
 *
 * @param what what was being done, for the message: «open a capture ring on eth0».
 */
export function callNative<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (failure) {
    throw isNativeFailure(failure) ? explain(what, failure) : failure;
  }
}

function isNativeFailure(failure: unknown): failure is NativeFailure {
  return failure instanceof Error && 'errnoName' in failure;
}

function explain(what: string, failure: NativeFailure): NativeError {
  if (failure.syscall === 'pcap_compile') return new FilterError(failure.subject, failure.message);
  const [code, advice] = adviceFor(failure);
  const subject = failure.subject === '' ? '' : ` (${failure.subject})`;
  const message = `cannot ${what}: ${failure.syscall}${subject}: ${failure.errnoName}, ${failure.message}`;
  return new NativeError(code, advice === '' ? message : `${message}: ${advice}`, {
    errno: failure.errnoName,
    syscall: failure.syscall,
    cause: failure,
  });
}

const GRANT = 'run as root, or grant it (setcap, securityContext.capabilities.add, AmbientCapabilities)';

function adviceFor(failure: NativeFailure): [NativeErrorCode, string] {
  const { syscall, errnoName } = failure;
  const refused = errnoName === 'EPERM' || errnoName === 'EACCES';
  if (syscall === 'setns' || syscall === 'open netns') {
    if (refused) return ['ERR_NATIVE_NETNS', `entering another network namespace needs CAP_SYS_ADMIN: ${GRANT}`];
    return [
      'ERR_NATIVE_NETNS',
      'is it a network namespace (/proc/<pid>/ns/net, /run/netns/<name>) of something that runs?',
    ];
  }
  if (errnoName === 'EBUSY' && syscall === 'bind queue') {
    return ['ERR_NATIVE_QUEUE_BUSY', 'another program reads this NFQUEUE number: stop it or choose another number'];
  }
  if (refused && syscall === 'bind queue') return ['ERR_NATIVE_PERMISSION', `NFQUEUE needs CAP_NET_ADMIN: ${GRANT}`];
  if (refused && syscall.includes('SO_MARK')) {
    return ['ERR_NATIVE_PERMISSION', `packet marks need CAP_NET_ADMIN or CAP_NET_RAW: ${GRANT}`];
  }
  if (refused) return ['ERR_NATIVE_PERMISSION', `it needs CAP_NET_RAW: ${GRANT}`];
  if (errnoName === 'ENODEV') return ['ERR_NATIVE_INTERFACE', 'no such interface here (`ip link` lists them)'];
  if (errnoName === 'ENOMEM' || errnoName === 'ENOBUFS') {
    return ['ERR_NATIVE_MEMORY', 'ask for a smaller buffer, or raise the memory limit'];
  }
  if (errnoName === 'EAFNOSUPPORT' || errnoName === 'EPROTONOSUPPORT' || errnoName === 'EOPNOTSUPP') {
    return ['ERR_NATIVE_UNSUPPORTED', 'this kernel has no support for it (module not loaded, or the family disabled)'];
  }
  if (syscall === 'bind queue' && errnoName === 'EINVAL') {
    return ['ERR_NATIVE_UNSUPPORTED', 'this kernel has no NFQUEUE (modprobe nfnetlink_queue)'];
  }
  return ['ERR_NATIVE_SYSTEM', ''];
}
