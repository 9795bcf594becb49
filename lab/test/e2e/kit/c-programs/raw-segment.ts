import { RawSender } from '@trafficcopy/native';

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

/** What goes into one TCP segment over IPv4. */
export interface Segment {
  /** 4 octets. */
  readonly source: Uint8Array;
  readonly sourcePort: number;
  readonly destination: Uint8Array;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly options?: readonly number[];
  readonly payload?: Uint8Array;
}

const HEADERS_BYTES = 40;
const WINDOW = 65_535;

/** Sends hand-made segments by a raw socket; longer ones than an Ethernet frame holds go as several. */
export class RawSegments {
  readonly #sender = new RawSender({ family: 4, segmentBytesMax: 1500 });

  send({ source, sourcePort, destination, destinationPort, seq, ack, flags, options = [], payload }: Segment): void {
    const headerBytes = HEADERS_BYTES + options.length;
    const bytes = Buffer.alloc(headerBytes + (payload?.length ?? 0));
    bytes.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0]);
    bytes.writeUInt16BE(bytes.length, 2);
    bytes.set(source, 12);
    bytes.set(destination, 16);
    bytes.writeUInt16BE(sourcePort, 20);
    bytes.writeUInt16BE(destinationPort, 22);
    bytes.writeUInt32BE(seq >>> 0, 24);
    bytes.writeUInt32BE(ack >>> 0, 28);
    bytes[32] = (headerBytes - 20) << 2;
    bytes[33] = flags;
    bytes.writeUInt16BE(WINDOW, 34);
    bytes.set(options, HEADERS_BYTES);
    if (payload !== undefined) bytes.set(payload, headerBytes);
    this.#sender.send({ bytes, entries: Uint32Array.of(0, bytes.length, bytes.length, 0), count: 1 });
  }
}
