/**
 * One TCP segment between two hosts of the simulation, and its ways from and to octets. Reads headers by itself: a mistake in
 * core/src/wire must not hide here.
 */
export interface WireSegment {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** The field as it stands, not scaled. */
  readonly window: number;
  readonly text: Uint8Array;
  /** 0: no option. */
  readonly mss: number;
  /** -1: no option. */
  readonly windowScale: number;
  readonly hasTimestamps: boolean;
  readonly tsVal: number;
  readonly tsEcr: number;
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

export interface WirePacket {
  /** "address port" of the sender. */
  readonly source: string;
  readonly octets: number;
  readonly segment: WireSegment;
}

/** Signed distance between two sequence numbers or timestamps. */
export function distance(from: number, to: number): number {
  return (to - from) | 0;
}

export function readPacket(bytes: Uint8Array): WirePacket {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isV6 = view.getUint8(0) >>> 4 === 6;
  const tcp = isV6 ? 40 : (view.getUint8(0) & 15) * 4;
  const octets = isV6 ? 40 + view.getUint16(4) : view.getUint16(2);
  if (octets !== bytes.length) throw new Error(`an IP length of ${octets} in a packet of ${bytes.length}`);
  const textAt = tcp + (view.getUint8(tcp + 12) >>> 4) * 4;
  let mss = 0;
  let windowScale = -1;
  let hasTimestamps = false;
  let tsVal = 0;
  let tsEcr = 0;
  for (let at = tcp + 20; at < textAt; ) {
    const kind = view.getUint8(at);
    if (kind === 0) break;
    if (kind === 1) {
      at += 1;
      continue;
    }
    if (kind === 2) mss = view.getUint16(at + 2);
    else if (kind === 3) windowScale = view.getUint8(at + 2);
    else if (kind === 8) {
      hasTimestamps = true;
      tsVal = view.getUint32(at + 2);
      tsEcr = view.getUint32(at + 6);
    }
    at += view.getUint8(at + 1);
  }
  const address = isV6 ? bytes.subarray(8, 24) : bytes.subarray(12, 16);
  return {
    source: `${address.join('.')} ${view.getUint16(tcp)}`,
    octets,
    segment: {
      seq: view.getInt32(tcp + 4),
      ack: view.getInt32(tcp + 8),
      flags: view.getUint8(tcp + 13),
      window: view.getUint16(tcp + 14),
      text: bytes.subarray(textAt),
      mss,
      windowScale,
      hasTimestamps,
      tsVal,
      tsEcr,
    },
  };
}
