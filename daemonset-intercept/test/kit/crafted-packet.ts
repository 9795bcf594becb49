import {
  formatIpAddress,
  PacketHeader,
  parseIpAddress,
  parsePacket,
  writeChecksums,
  writeExperiment,
} from '@trafficcopy/core';
import { plainPacket } from '@trafficcopy/core/kit/plain-packet.js';

export interface PacketTemplate {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payload: string;
  /** Carry our TCP option, as Direct delivery does. */
  readonly isMarked: boolean;
}

/** A whole packet with right checksums. */
export function craftPacket(template: PacketTemplate): Uint8Array {
  const options = new Uint8Array(template.isMarked ? 4 : 0);
  if (template.isMarked) writeExperiment(options, 0);
  const bytes = plainPacket({
    ...template,
    source: parseIpAddress(template.source)!,
    destination: parseIpAddress(template.destination)!,
    options,
    payload: new TextEncoder().encode(template.payload),
  });
  const header = new PacketHeader();
  if (parsePacket(bytes, 0, bytes.length, bytes.length, header) !== 'ok') throw new Error('template is no packet');
  writeChecksums(bytes, 0, header);
  return bytes;
}

/** `10.1.2.3:80 > 10.1.2.4:4000`. */
export function describePacket(bytes: Uint8Array, offset = 0, length = bytes.length - offset): string {
  const header = new PacketHeader();
  if (parsePacket(bytes, offset, length, length, header) !== 'ok') return 'no packet';
  const { addressOffset: at, addressBytes } = header;
  const source = formatIpAddress(bytes, at, addressBytes);
  const destination = formatIpAddress(bytes, at + addressBytes, addressBytes);
  return `${source}:${header.sourcePort} > ${destination}:${header.destinationPort}`;
}
