/** UDP datagrams as a capture has them, and as an engine sends them. */

import { ENTRY_CAPTURED_BYTES, ENTRY_OFFSET, PACKET_ENTRY_FIELDS } from '../../src/batch/packet-batch.js';
import type { ReplayBatch } from '../../src/batch/replay-batch.js';
import { writeU16 } from '../../src/wire/bytes.js';
import { DatagramHeader, parseDatagram, UDP_HEADER_BYTES } from '../../src/wire/datagram-header.js';
import { formatIpAddress, parseIpAddress } from '../../src/wire/ip-address.js';
import { IPPROTO_UDP } from '../../src/wire/ip-header.js';
import { writeIpHeader } from '../../src/wire/ip-writer.js';

export interface DatagramSpec {
  readonly from?: string;
  readonly fromPort?: number;
  readonly to?: string;
  readonly toPort?: number;
  readonly payload?: Uint8Array | string;
}

/** The IP packet of a datagram. */
export function datagram(spec: DatagramSpec = {}): Uint8Array {
  const { from = '10.0.0.1', fromPort = 40_000, to = '10.0.0.2', toPort = 53, payload = 'query' } = spec;
  const octets = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const source = parseIpAddress(from)!;
  const udpBytes = UDP_HEADER_BYTES + octets.length;
  const bytes = new Uint8Array((source.length === 16 ? 40 : 20) + udpBytes);
  const at = writeIpHeader(bytes, 0, IPPROTO_UDP, udpBytes, source, parseIpAddress(to)!);
  writeU16(bytes, at, fromPort);
  writeU16(bytes, at + 2, toPort);
  writeU16(bytes, at + 4, udpBytes);
  bytes.set(octets, at + UDP_HEADER_BYTES);
  return bytes;
}

/** `10.9.0.1:40000 > 10.0.0.3:53 query` */
export interface SentDatagram {
  readonly from: string;
  readonly fromPort: number;
  readonly to: string;
  readonly payload: string;
}

/** The datagrams of an output. */
export function datagramsOf({ bytes, entries, count }: ReplayBatch): SentDatagram[] {
  const header = new DatagramHeader();
  return Array.from({ length: count }, (_, index) => {
    const at = index * PACKET_ENTRY_FIELDS;
    const packetBytes = entries[at + ENTRY_CAPTURED_BYTES]!;
    const verdict = parseDatagram(bytes, entries[at + ENTRY_OFFSET]!, packetBytes, packetBytes, header);
    if (verdict !== 'ok') throw new Error(`not a datagram: ${verdict}`);
    const { addressOffset, addressBytes, sourcePort, destinationPort, payloadOffset, payloadBytes } = header;
    return {
      from: formatIpAddress(bytes, addressOffset, addressBytes),
      fromPort: sourcePort,
      to: `${formatIpAddress(bytes, addressOffset + addressBytes, addressBytes)}:${destinationPort}`,
      payload: Buffer.from(bytes.subarray(payloadOffset, payloadOffset + payloadBytes)).toString(),
    };
  });
}
