import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_TIME_US,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
} from '@trafficcopy/core';
import { CaptureParser } from '@trafficcopy/native';
import { ipOffset, type LinkType } from '../capture/link-header.js';
import { captureOctets, STANDARD_INPUT } from './capture-octets.js';
import { LINK_TYPES_READ, linkTypeOf } from './link-type.js';

/** The header of a pcap file (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html, 4). */
const HEADER_BYTES_MIN = 24;

export interface CaptureFileCounters {
  frames: number;
  /** Frames that carry no IP packet. */
  notIp: number;
  /** Larger than a batch, left out. */
  oversized: number;
  /** Octets of the file itself (packed, where it is). */
  fileBytes: number;
}

/**
 * One capture file, or standard input, read in batches of IP packets. Streamed: memory does not depend on its size, and
 * nothing blocks the event loop. It is the batch that next() made current.
 */
export class CaptureFile implements PacketBatch {
  readonly path: string;
  /** When its first frame was captured, microseconds since 1970; undefined before that was read. */
  firstUs: number | undefined;
  private readonly parser = new CaptureParser();
  private readonly onChange: () => void;
  private state = this.parser.look();
  private linkType: LinkType | undefined;
  private waiting: (() => void) | undefined;
  private isClosed = false;
  private packets = 0;
  /** Of what was fed, octets up to the current batch. */
  private bytesBefore = 0;
  private notIp = 0;
  private fileBytes = 0;
  private fedBytes = 0;
  private failure: string | undefined;
  private readFailure: string | undefined;

  /** `onChange`: a batch is ready, or it has ended. @throws NativeError */
  constructor(path: string, onChange: () => void) {
    this.path = path;
    this.onChange = onChange;
    this.parser.start(() => this.changed());
    void this.pump();
  }

  get bytes(): Uint8Array {
    return this.parser.bytes;
  }

  get entries(): Uint32Array {
    return this.parser.entries;
  }

  /** When each packet was captured, microseconds since 1970. */
  get timesUs(): Float64Array {
    return this.parser.timesUs;
  }

  /** Packets of the current batch; it may be 0. */
  get count(): number {
    return this.packets;
  }

  /** Makes the next batch current; false when none is ready. */
  next(): boolean {
    this.packets = 0;
    this.bytesBefore = this.state.takenBytes;
    if (this.failure !== undefined || !this.parser.next()) {
      this.look();
      return false;
    }
    this.linkType ??= linkTypeOf(this.look().linkType ?? -1);
    if (this.linkType === undefined) {
      this.failure = `link type ${this.parser.linkTypeText}: no IP packets are found in it here; expected ${LINK_TYPES_READ}`;
      return false;
    }
    this.firstUs ??= this.parser.timesUs[0];
    this.packets = this.stripLinkHeaders(this.linkType);
    this.look();
    return true;
  }

  /** Leaves the first `count` entries in force: what was not wanted has been taken out. */
  keep(count: number): void {
    this.packets = count;
  }

  /** Nothing is left: it was read to its end, or `problem` says why not. */
  get hasEnded(): boolean {
    return this.failure !== undefined || this.state.hasEnded;
  }

  /** Why it was not read to its end, or not at all. */
  get problem(): string | undefined {
    if (this.failure !== undefined || !this.state.hasEnded) return this.failure;
    const problem = this.readFailure ?? this.parser.problem;
    if (problem === undefined || this.readFailure !== undefined || this.fedBytes >= HEADER_BYTES_MIN) return problem;
    return this.fedBytes === 0 ? 'it is empty' : `its ${this.fedBytes} octets are too few for a capture file`;
  }

  /** Whether anything of it could be read. */
  get hasHeader(): boolean {
    return this.failure === undefined && this.state.linkType !== undefined;
  }

  get snapBytes(): number {
    return this.state.snapBytes;
  }

  get counters(): CaptureFileCounters {
    const { frames, oversized } = this.state;
    return { frames, notIp: this.notIp, oversized, fileBytes: this.fileBytes };
  }

  /** Octets of the file whose frames are read, those in batches that wait included; of a packed one about as many. */
  get readBytes(): number {
    return this.ofFile(this.state.consumedBytes);
  }

  /** When the latest of those frames was captured, microseconds since 1970; undefined before the first. */
  get readToUs(): number | undefined {
    return this.state.frames === 0 ? undefined : this.state.lastUs;
  }

  /** About how many octets of the file are worked off, when of the current batch `batchShare` (0 to 1) is. */
  doneBytes(batchShare: number): number {
    return this.ofFile(this.bytesBefore + (this.state.takenBytes - this.bytesBefore) * batchShare);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.failure ??= this.problem;
    this.parser.close();
    this.state = this.parser.look();
    this.waiting?.();
    if (this.path === STANDARD_INPUT) process.stdin.destroy();
  }

  /** Of `bytes` that were fed, which are unpacked, how many it takes in the file. */
  private ofFile(bytes: number): number {
    return this.fedBytes === 0 ? 0 : this.fileBytes * (bytes / this.fedBytes);
  }

  private look(): CaptureFile['state'] {
    this.state = this.parser.look();
    if (this.state.wantsMore || this.state.hasEnded) this.waiting?.();
    return this.state;
  }

  private changed(): void {
    this.look();
    if (!this.isClosed) this.onChange();
  }

  /** file --octets--> parser */
  private async pump(): Promise<void> {
    try {
      const octets = captureOctets(this.path, (bytes) => {
        this.fileBytes += bytes;
      });
      for await (const piece of octets) {
        if (this.isClosed) return;
        this.fedBytes += piece.length;
        this.parser.feed(piece);
        await this.room();
        if (this.isClosed || this.state.hasEnded) return;
      }
    } catch (error) {
      if (this.isClosed) return;
      this.readFailure = (error as Error).message;
    } finally {
      this.parser.feedEnd();
    }
  }

  private async room(): Promise<void> {
    const { hasEnded, wantsMore } = this.look();
    if (wantsMore || hasEnded || this.isClosed) return;
    await new Promise<void>((resolve) => {
      this.waiting = resolve;
    });
    this.waiting = undefined;
  }

  /** Turns frames into IP packets, in place. Returns how many there are. */
  private stripLinkHeaders(linkType: LinkType): number {
    const { bytes, entries, timesUs, count } = this.parser;
    let kept = 0;
    for (let index = 0, at = 0; index < count; index += 1, at += PACKET_ENTRY_FIELDS) {
      const offset = entries[at + ENTRY_OFFSET]!;
      const start = ipOffset(linkType, bytes, entries[at + ENTRY_CAPTURED_BYTES]!, offset);
      if (start < 0) {
        this.notIp += 1;
        continue;
      }
      const to = kept * PACKET_ENTRY_FIELDS;
      entries[to + ENTRY_OFFSET] = offset + start;
      entries[to + ENTRY_CAPTURED_BYTES] = entries[at + ENTRY_CAPTURED_BYTES]! - start;
      entries[to + ENTRY_WIRE_BYTES] = entries[at + ENTRY_WIRE_BYTES]! - start;
      entries[to + ENTRY_TIME_US] = entries[at + ENTRY_TIME_US]!;
      timesUs[kept] = timesUs[index]!;
      kept += 1;
    }
    return kept;
  }
}
