/** Capture files of every kind, octet by octet (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng). */

export interface RecordedFrame {
  readonly bytes: Uint8Array;
  readonly seconds: number;
  /** Micro- or nanoseconds, as the file counts. */
  readonly fraction: number;
  /** Octets that it had on the wire; default: all are there. */
  readonly wireBytes?: number;
}

export interface PcapOptions {
  readonly linkType?: number;
  readonly snapBytes?: number;
  readonly isNanoseconds?: boolean;
  readonly isBigEndian?: boolean;
}

export const DLT_EN10MB = 1;
const MAGIC_US = 0xa1b2c3d4;
const MAGIC_NS = 0xa1b23c4d;

export function pcap(frames: readonly RecordedFrame[], options: PcapOptions = {}): Buffer {
  const { linkType = DLT_EN10MB, snapBytes = 262_144, isNanoseconds = false, isBigEndian = false } = options;
  const words = (...values: number[]): Buffer => wordsOf(values, isBigEndian);
  const version = Buffer.from(isBigEndian ? [0, 2, 0, 4] : [2, 0, 4, 0]);
  const parts = [words(isNanoseconds ? MAGIC_NS : MAGIC_US), version, words(0, 0, snapBytes, linkType)];
  for (const { bytes, seconds, fraction, wireBytes = bytes.length } of frames) {
    parts.push(words(seconds, fraction, bytes.length, wireBytes), Buffer.from(bytes));
  }
  return Buffer.concat(parts);
}

/** With stamps in microseconds; one interface for each link type, which the frames take in turn. */
export function pcapng(frames: readonly RecordedFrame[], linkTypes: readonly number[] = [DLT_EN10MB]): Buffer {
  const parts = [
    block(0x0a0d0d0a, Buffer.concat([wordsOf([0x1a2b3c4d]), Buffer.from([1, 0, 0, 0]), wordsOf([-1, -1])])),
  ];
  for (const linkType of linkTypes)
    parts.push(block(1, Buffer.concat([Buffer.from([linkType, 0, 0, 0]), wordsOf([0])])));
  for (const [index, { bytes, seconds, fraction, wireBytes = bytes.length }] of frames.entries()) {
    const timeUs = BigInt(seconds) * 1_000_000n + BigInt(fraction);
    const [high, low] = [Number(timeUs >> 32n), Number(timeUs & 0xffff_ffffn)];
    const head = wordsOf([index % linkTypes.length, high, low, bytes.length, wireBytes]);
    parts.push(block(6, Buffer.concat([head, Buffer.from(bytes), Buffer.alloc(-bytes.length & 3)])));
  }
  return Buffer.concat(parts);
}

function block(type: number, body: Buffer): Buffer {
  const length = wordsOf([body.length + 12]);
  return Buffer.concat([wordsOf([type]), length, body, length]);
}

function wordsOf(values: readonly number[], isBigEndian = false): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) {
    if (isBigEndian) bytes.writeUInt32BE(value >>> 0, index * 4);
    else bytes.writeUInt32LE(value >>> 0, index * 4);
  }
  return bytes;
}
