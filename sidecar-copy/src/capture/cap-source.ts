/**
 * Capture with the npm package `cap` (libpcap): the second backend, and an oracle for the first in tests.
 *
 * It calls JavaScript once for each packet and copies it twice (kernel to the package's buffer, from there into our batch).
 * What it cannot do is refused or said: other network namespaces, worker threads, the kernel's drop counter, packets above
 * 65535 octets with their link header, going on after the interface went down (the package ends the process then).
 */
import { createRequire } from 'node:module';
import { networkInterfaces } from 'node:os';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_TIME_US,
  ENTRY_WIRE_BYTES,
  IPV6_HEADER_BYTES,
  PACKET_ENTRY_FIELDS,
  readU16,
} from '@trafficcopy/core';
import { loadOptionalPackage, StartError } from '@trafficcopy/runtime';
import type { Cap } from 'cap';
import { ipOffset, LINK_TYPES, type LinkType } from './link-header.js';
import type { CaptureStatistics, PacketSource } from './packet-source.js';

export interface CapSourceOptions {
  /** '' captures on all interfaces. */
  readonly interfaceName: string;
  /** libpcap expression on IP packets. */
  readonly filter: string;
  /** Capture buffer in the kernel, octets. */
  readonly bufferBytes: number;
}

const BATCH_BYTES = 1024 * 1024;
const BATCH_PACKETS = 4096;
/** The package's snap length: link header and packet. */
const FRAME_BYTES_MAX = 65_535;

class Batch {
  readonly bytes = new Uint8Array(BATCH_BYTES);
  readonly entries = new Uint32Array(BATCH_PACKETS * PACKET_ENTRY_FIELDS);
  count = 0;
  length = 0;

  hasRoom(): boolean {
    return this.count < BATCH_PACKETS && this.length + FRAME_BYTES_MAX <= BATCH_BYTES;
  }

  clear(): void {
    this.count = 0;
    this.length = 0;
  }
}

/**
 * Captures that are closed, or could not be opened. The package leaves the handle of a closed one in the event loop's list, and would stop
 * a handle that it never made of one that could not be opened, so their memory must never go: there is one for each source, change of
 * filter and failure.
 */
const closedCaptures: Cap[] = [];

export class CapSource implements PacketSource {
  readonly name: string;
  private readonly options: CapSourceOptions;
  private readonly frame = Buffer.alloc(FRAME_BYTES_MAX);
  private capture: Cap;
  /** What is being filled, and what next() made current. */
  private filling = new Batch();
  private current = new Batch();
  private onReadable: (() => void) | undefined;
  private wakeUp: NodeJS.Immediate | undefined;
  private packets = 0;
  private drops = 0;
  private freezes = 0;
  private isFrozen = false;

  /** @throws StartError: the package is not there, it cannot capture, or not from a worker thread. */
  constructor(options: CapSourceOptions) {
    this.options = options;
    this.name = options.interfaceName === '' ? 'any' : options.interfaceName;
    this.capture = this.open(options.filter);
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

  next(): boolean {
    this.current.clear();
    if (this.filling.count === 0) return false;
    [this.filling, this.current] = [this.current, this.filling];
    return true;
  }

  release(): void {
    this.current.clear();
  }

  start(onReadable: () => void): void {
    this.onReadable = onReadable;
    if (this.filling.count > 0) this.scheduleWakeUp();
  }

  stop(): void {
    this.onReadable = undefined;
    clearImmediate(this.wakeUp);
    this.wakeUp = undefined;
  }

  /** For a moment the captures of both filters run. @throws StartError; the old filter stays then. */
  setFilter(filter: string): void {
    const fresh = this.open(filter);
    this.retire();
    this.capture = fresh;
  }

  /** `drops` counts packets that were captured and not taken in time; the package does not tell those of the kernel. */
  statistics(): CaptureStatistics {
    return { packets: this.packets, drops: this.drops, freezes: this.freezes, interfaceState: 'up' };
  }

  close(): void {
    this.stop();
    this.retire();
    this.filling.clear();
    this.current.clear();
  }

  private open(filter: string): Cap {
    const capture = new (loadCap().Cap)();
    const frame = this.frame;
    const direction = incomingCondition(this.options.interfaceName);
    const incoming = [direction, filter === '' ? '' : `(${filter})`].filter((part) => part !== '').join(' and ');
    let linkType: string;
    try {
      linkType = capture.open(this.name, incoming, this.options.bufferBytes, frame);
    } catch (cause) {
      closedCaptures.push(capture);
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StartError(
        'ERR_START_CAPTURE',
        `cannot capture on ${this.name} with the npm package cap: ${reason} (it needs CAP_NET_RAW: run as root)`,
        { cause },
      );
    }
    if (!isKnown(linkType)) {
      capture.close();
      closedCaptures.push(capture);
      throw new StartError(
        'ERR_START_CAPTURE',
        `the link type of ${this.name} (${linkType}) cannot be captured with cap: use --capture=native`,
      );
    }
    capture.on('packet', (capturedBytes) => this.take(linkType, capturedBytes));
    return capture;
  }

  private retire(): void {
    if (this.capture.close()) closedCaptures.push(this.capture);
    this.capture.removeAllListeners('packet');
  }

  /** The package has put one frame into `frame`. */
  private take(linkType: LinkType, frameBytes: number): void {
    const start = ipOffset(linkType, this.frame, frameBytes);
    if (start < 0) return;
    this.packets += 1;
    if (!this.filling.hasRoom()) {
      // The package drains the kernel without going back to the event loop: the reader must take its turn here.
      this.onReadable?.();
      if (!this.filling.hasRoom()) {
        if (!this.isFrozen) this.freezes += 1;
        this.isFrozen = true;
        this.drops += 1;
        return;
      }
    }
    this.isFrozen = false;
    const batch = this.filling;
    const packetBytes = frameBytes - start;
    batch.bytes.set(this.frame.subarray(start, frameBytes), batch.length);
    const entry = batch.count * PACKET_ENTRY_FIELDS;
    batch.entries[entry + ENTRY_OFFSET] = batch.length;
    batch.entries[entry + ENTRY_CAPTURED_BYTES] = packetBytes;
    batch.entries[entry + ENTRY_WIRE_BYTES] = Math.max(packetBytes, declaredBytes(batch.bytes, batch.length));
    batch.entries[entry + ENTRY_TIME_US] = 0;
    batch.length += packetBytes;
    batch.count += 1;
    this.scheduleWakeUp();
  }

  /** Once for all packets of one turn of the event loop. */
  private scheduleWakeUp(): void {
    if (this.wakeUp !== undefined || this.onReadable === undefined) return;
    this.wakeUp = setImmediate(() => {
      this.wakeUp = undefined;
      this.onReadable?.();
    });
  }
}

/**
 * The condition that leaves out what this host sends. `inbound` alone would do, but where it is no field of the link header
 * libpcap loses the first packet: it checks the first frame after setting a filter itself, and cannot ask the kernel for the
 * direction then. So an Ethernet's own address stands in for it. Of the loopback libpcap gives the incoming side only.
 */
function incomingCondition(interfaceName: string): string {
  const address = networkInterfaces()[interfaceName]?.[0];
  if (address === undefined) return 'inbound';
  if (address.internal) return '';
  return address.mac === '00:00:00:00:00:00' ? 'inbound' : `not ether src host ${address.mac}`;
}

/** What the IP header says of the packet's length; the package does not tell what it had on the wire. */
function declaredBytes(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! >> 4 === 4 ? readU16(bytes, offset + 2) : readU16(bytes, offset + 4) + IPV6_HEADER_BYTES;
}

function isKnown(linkType: string): linkType is LinkType {
  return (LINK_TYPES as readonly string[]).includes(linkType);
}

function loadCap(): typeof import('cap') {
  return loadOptionalPackage({
    name: 'cap',
    flag: '--capture',
    code: 'ERR_START_CAPTURE',
    require: () => createRequire(import.meta.url)('cap') as typeof import('cap'),
  });
}
