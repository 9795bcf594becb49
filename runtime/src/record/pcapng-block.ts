/**
 * The blocks of a pcapng file that a recording needs (draft-ietf-opsawg-pcapng): section header, interface description,
 * enhanced packet and interface statistics. Little-endian; the section header's byte-order magic says so.
 */
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** LINKTYPE_RAW: packets start with their IPv4 or IPv6 header. */
const LINKTYPE_RAW = 101;

const OPTION_END = 0;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_TSRESOL = 9;
const ISB_IFRECV = 4;
const ISB_IFDROP = 5;
const EPB_FLAGS = 2;
const FLAG_INBOUND = 1;
const FLAG_OUTBOUND = 2;

/**
 * The directions of a recording: «sent» is outbound, «answered» inbound. They are told by the flags of each packet and not by an
 * interface for each: libpcap, and so tcpdump, refuses a second interface in a file of raw IP packets.
 */
export const SENT = 0;
export const ANSWERED = 1;

const INTERFACE_NAME = 'trafficcopy';
const INTERFACE_INDEX = 0;

/** Octets of an enhanced packet block beside its packet, which is padded to a multiple of 4. */
export const PACKET_BLOCK_BYTES = 28 + 12 + 4;

/** The file's start: section header and interface description. */
export function fileStart(application: string): Uint8Array {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  view.setUint16(6, 0, true);
  // -1: the section's length is not known.
  view.setBigInt64(8, -1n, true);
  const description = new Uint8Array(8);
  new DataView(description.buffer).setUint16(0, LINKTYPE_RAW, true);
  return concatenate([
    block(SECTION_HEADER, section, [[SHB_USERAPPL, new TextEncoder().encode(application)]]),
    // 6: timestamps count microseconds. The snap length of 0 is "no limit".
    block(INTERFACE_DESCRIPTION, description, [
      [IF_NAME, new TextEncoder().encode(INTERFACE_NAME)],
      [IF_TSRESOL, Uint8Array.of(6)],
    ]),
  ]);
}

/** What there was in all: `received` packets, of which `dropped` are not in the file. */
export function interfaceStatistics(timeUs: number, received: number, dropped: number): Uint8Array {
  const body = new Uint8Array(12);
  const view = new DataView(body.buffer);
  view.setUint32(0, INTERFACE_INDEX, true);
  writeTime(view, 4, timeUs);
  return block(INTERFACE_STATISTICS, body, [
    [ISB_IFRECV, u64(received)],
    [ISB_IFDROP, u64(dropped)],
  ]);
}

/**
 * Writes everything of an enhanced packet block but the packet's bytes at `at` of `view`, and returns where those go.
 *
 * @param presentBytes octets of the packet that are in the file; `wireBytes` those that it had.
 */
export function writePacketBlock(
  view: DataView,
  at: number,
  direction: typeof SENT | typeof ANSWERED,
  timeUs: number,
  presentBytes: number,
  wireBytes: number,
): number {
  const paddedBytes = (presentBytes + 3) & ~3;
  const totalBytes = PACKET_BLOCK_BYTES + paddedBytes;
  view.setUint32(at, ENHANCED_PACKET, true);
  view.setUint32(at + 4, totalBytes, true);
  view.setUint32(at + 8, INTERFACE_INDEX, true);
  writeTime(view, at + 12, timeUs);
  view.setUint32(at + 20, presentBytes, true);
  view.setUint32(at + 24, wireBytes, true);
  const end = at + 28 + paddedBytes;
  if (paddedBytes > 0) view.setUint32(end - 4, 0, true);
  view.setUint16(end, EPB_FLAGS, true);
  view.setUint16(end + 2, 4, true);
  view.setUint32(end + 4, direction === SENT ? FLAG_OUTBOUND : FLAG_INBOUND, true);
  view.setUint32(end + 8, OPTION_END, true);
  view.setUint32(end + 12, totalBytes, true);
  return at + 28;
}

/** High half first (draft 4.3), each half in the file's byte order. */
function writeTime(view: DataView, at: number, timeUs: number): void {
  view.setUint32(at, Math.floor(timeUs / 2 ** 32), true);
  view.setUint32(at + 4, (timeUs % 2 ** 32) >>> 0, true);
}

function block(type: number, body: Uint8Array, options: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  const parts = options.map(([code, value]) => {
    const part = new Uint8Array(4 + ((value.length + 3) & ~3));
    new DataView(part.buffer).setUint16(0, code, true);
    new DataView(part.buffer).setUint16(2, value.length, true);
    part.set(value, 4);
    return part;
  });
  const content = concatenate([body, ...parts, new Uint8Array(4)]);
  const head = new Uint8Array(8);
  const tail = new Uint8Array(4);
  const totalBytes = content.length + 12;
  new DataView(head.buffer).setUint32(0, type, true);
  new DataView(head.buffer).setUint32(4, totalBytes, true);
  new DataView(tail.buffer).setUint32(0, totalBytes, true);
  return concatenate([head, content, tail]);
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
