import {
  ACK,
  DatagramHeader,
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  formatIpAddress,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
  PacketHeader,
  parseDatagram,
  parsePacket,
  readU32,
  SYN,
} from '@trafficcopy/core';
import { formatSocketAddress } from '@trafficcopy/runtime';

/** The servers whose traffic a recording has. */
export interface RecordedServers {
  /** Those with most packets, most first: ADDRESS:PORT. */
  readonly most: readonly { readonly endpoint: string; readonly packets: number }[];
  /** How many there are. */
  readonly count: number;
}

/** Servers that are told apart; packets of more are not counted. */
const SERVERS_MAX = 1024;

/**
 * Which servers the packets of a recording belong to, for a user who has not named the right one: those of TCP, or of UDP. A SYN says who is the
 * server; of other packets it is the end with the lower port.
 */
export class ServerTally {
  readonly #udp: boolean;
  readonly #segment = new PacketHeader();
  readonly #datagram = new DatagramHeader();
  /** By address and port: one number for IPv4. */
  readonly #servers = new Map<number | string, { packets: number }>();

  constructor(udp = false) {
    this.#udp = udp;
  }

  /** Counts the first `count` packets of `batch`, which is only read. */
  add(batch: Pick<PacketBatch, 'bytes' | 'entries'>, count: number): void {
    const { bytes, entries } = batch;
    for (let at = 0; at < count * PACKET_ENTRY_FIELDS; at += PACKET_ENTRY_FIELDS) {
      const captured = entries[at + ENTRY_CAPTURED_BYTES]!;
      const wire = entries[at + ENTRY_WIRE_BYTES]!;
      const offset = entries[at + ENTRY_OFFSET]!;
      if (this.#udp) {
        if (parseDatagram(bytes, offset, captured, wire, this.#datagram) === 'ok')
          this.#count(bytes, this.#datagram, 0);
      } else if (parsePacket(bytes, offset, captured, wire, this.#segment) === 'ok') {
        this.#count(bytes, this.#segment, this.#segment.flags);
      }
    }
  }

  #count(bytes: Uint8Array, header: PacketHeader | DatagramHeader, flags: number): void {
    const { sourcePort, destinationPort, addressOffset, addressBytes } = header;
    const isAnswer = (flags & SYN) === 0 ? sourcePort < destinationPort : (flags & ACK) !== 0;
    const port = isAnswer ? sourcePort : destinationPort;
    const offset = isAnswer ? addressOffset : addressOffset + addressBytes;
    const key =
      addressBytes === 4
        ? readU32(bytes, offset) * 65_536 + port
        : formatSocketAddress({ host: formatIpAddress(bytes, offset, addressBytes), port });
    const known = this.#servers.get(key);
    if (known !== undefined) known.packets += 1;
    else if (this.#servers.size < SERVERS_MAX) this.#servers.set(key, { packets: 1 });
  }

  /** `shownMax` of them by name. */
  servers(shownMax: number): RecordedServers {
    const byPackets = [...this.#servers].sort(([, a], [, b]) => b.packets - a.packets);
    const most = byPackets.slice(0, shownMax).map(([key, { packets }]) => ({ endpoint: endpointText(key), packets }));
    return { most, count: byPackets.length };
  }
}

function endpointText(key: number | string): string {
  if (typeof key === 'string') return key;
  const address = Math.floor(key / 65_536);
  const host = [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
  return formatSocketAddress({ host, port: key % 65_536 });
}
