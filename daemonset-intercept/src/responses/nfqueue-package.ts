/**
 * Responses with the npm package `nfqueue`: the second backend, and an oracle for the first in tests.
 *
 * It reads one packet in a turn of the event loop, with all its octets, and gives each a verdict of its own. What it cannot
 * do is refused or said: other network namespaces, worker threads, super-packets (the kernel cuts them first), a queue
 * length other than the kernel's 1024. It has no way to unbind: after close() what comes is still taken and dropped, and
 * the event loop stays alive until process.exit().
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_TIME_US,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
} from '@trafficcopy/core';
import { NativeError, type ResponseQueueStatistics } from '@trafficcopy/native';
import { loadOptionalPackage, StartError } from '@trafficcopy/runtime';
import type { NFQueuePacket } from 'nfqueue';

export interface NfqueuePackageOptions {
  /** 0 to 65535. */
  readonly queueNumber: number;
  /** Octets of each packet that are kept, from its IP header on; default 128. */
  readonly copyBytes?: number | undefined;
  /** Netlink receive buffer; default 16 MiB. */
  readonly receiveBufferBytes?: number | undefined;
}

/** What the kernel says about the queue. */
interface QueueRow {
  readonly waiting: number;
  readonly queueDropped: number;
  readonly userDropped: number;
}

const BATCH_PACKETS = 1024;

/** A batch takes fewer packets where so much of them comes along that this does not do. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

class Batch {
  readonly bytes: Uint8Array;
  readonly entries = new Uint32Array(BATCH_PACKETS * PACKET_ENTRY_FIELDS);
  readonly packetsMax: number;
  count = 0;

  constructor(copyBytes: number) {
    this.packetsMax = Math.min(BATCH_PACKETS, Math.floor(BATCH_BYTES_MAX / copyBytes));
    this.bytes = new Uint8Array(this.packetsMax * copyBytes);
  }
}

export class NfqueuePackage implements PacketBatch {
  readonly queueNumber: number;
  private copyBytes: number;
  private readonly dropVerdict: number;
  private filling: Batch;
  private current: Batch;
  private onReadable: (() => void) | undefined;
  private wakeUp: NodeJS.Immediate | undefined;
  private packets = 0;
  /** Dropped in the kernel as they should be, and not seen by the reader because it did not take its batches. */
  private unseen = 0;
  private kernel: QueueRow = { waiting: 0, queueDropped: 0, userDropped: 0 };
  private isClosed = false;

  /** @throws NativeError (queue busy), StartError: the package is not there, cannot bind, or not from a worker thread. */
  constructor(options: NfqueuePackageOptions) {
    this.queueNumber = options.queueNumber;
    this.copyBytes = options.copyBytes ?? 128;
    this.filling = new Batch(this.copyBytes);
    this.current = new Batch(this.copyBytes);
    const { NF_DROP, createQueueHandler } = loadNfqueue();
    this.dropVerdict = NF_DROP;
    if (readQueueRow(this.queueNumber) !== undefined) {
      throw new NativeError(
        'ERR_NATIVE_QUEUE_BUSY',
        `another program reads NFQUEUE ${this.queueNumber}: stop it or choose another number`,
        { errno: 'EBUSY', syscall: 'bind queue' },
      );
    }
    const receiveBufferBytes = options.receiveBufferBytes ?? 16 * 1024 * 1024;
    try {
      createQueueHandler(this.queueNumber, receiveBufferBytes, (packet) => this.take(packet));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StartError(
        'ERR_START_QUEUE',
        `cannot read NFQUEUE ${this.queueNumber} with the npm package nfqueue: ${reason} (it needs CAP_NET_ADMIN: run as root)`,
        { cause },
      );
    }
  }

  get bytes(): Uint8Array {
    return this.current.bytes;
  }

  get entries(): Uint32Array {
    return this.current.entries;
  }

  get count(): number {
    return this.current.count;
  }

  /** Makes what has come current, until the next call; false when nothing has. */
  read(): boolean {
    this.current.count = 0;
    if (this.isClosed || this.filling.count === 0) return false;
    [this.filling, this.current] = [this.current, this.filling];
    return true;
  }

  setCopyBytes(copyBytes: number): void {
    // What has come and was not read yet is lost to its copies, as if the queue had been full.
    this.unseen += this.filling.count;
    this.copyBytes = copyBytes;
    this.filling = new Batch(copyBytes);
    this.current = new Batch(copyBytes);
  }

  start(onReadable: () => void): void {
    if (this.isClosed) throw new NativeError('ERR_NATIVE_CLOSED', `NFQUEUE ${this.queueNumber} is closed`);
    this.onReadable = onReadable;
    if (this.filling.count > 0) this.scheduleWakeUp();
  }

  stop(): void {
    this.onReadable = undefined;
    clearImmediate(this.wakeUp);
    this.wakeUp = undefined;
  }

  /** Cumulative, but `waiting`. */
  statistics(): ResponseQueueStatistics {
    this.kernel = readQueueRow(this.queueNumber) ?? this.kernel;
    const { waiting, queueDropped, userDropped } = this.kernel;
    return { packets: this.packets, queueDropped, userDropped: userDropped + this.unseen, malformed: 0, waiting };
  }

  /** Nothing is reported any more; the queue itself stays bound until the process ends. Idempotent. */
  close(): void {
    this.stop();
    this.isClosed = true;
    this.current.count = 0;
    this.filling.count = 0;
  }

  /** Called by the package; must not throw. */
  private take(packet: NFQueuePacket): void {
    packet.setVerdict(this.dropVerdict);
    this.packets += 1;
    if (this.isClosed) return;
    if (this.filling.count === this.filling.packetsMax) {
      this.unseen += 1;
      return;
    }
    const batch = this.filling;
    const { payload } = packet;
    const capturedBytes = Math.min(payload.length, this.copyBytes);
    const offset = batch.count * this.copyBytes;
    const entry = batch.count * PACKET_ENTRY_FIELDS;
    batch.bytes.set(payload.subarray(0, capturedBytes), offset);
    batch.entries[entry + ENTRY_OFFSET] = offset;
    batch.entries[entry + ENTRY_CAPTURED_BYTES] = capturedBytes;
    batch.entries[entry + ENTRY_WIRE_BYTES] = payload.length;
    batch.entries[entry + ENTRY_TIME_US] = 0;
    batch.count += 1;
    this.scheduleWakeUp();
  }

  private scheduleWakeUp(): void {
    if (this.wakeUp !== undefined || this.onReadable === undefined) return;
    this.wakeUp = setImmediate(() => {
      this.wakeUp = undefined;
      this.onReadable?.();
    });
  }
}

/** The queue's row in this process's network namespace; undefined when the number is free (or the file is not readable). */
function readQueueRow(queueNumber: number): QueueRow | undefined {
  let table: string;
  try {
    table = readFileSync('/proc/self/net/netfilter/nfnetlink_queue', 'utf8');
  } catch {
    return undefined;
  }
  for (const line of table.split('\n')) {
    // queue_number peer_portid queue_total copy_mode copy_range queue_dropped queue_user_dropped id_sequence 1
    const fields = line.trim().split(/\s+/).map(Number);
    if (fields.length >= 8 && fields[0] === queueNumber) {
      return { waiting: fields[2]!, queueDropped: fields[5]!, userDropped: fields[6]! };
    }
  }
  return undefined;
}

function loadNfqueue(): typeof import('nfqueue') {
  return loadOptionalPackage({
    name: 'nfqueue',
    flag: '--queue',
    code: 'ERR_START_QUEUE',
    require: () => createRequire(import.meta.url)('nfqueue') as typeof import('nfqueue'),
  });
}
