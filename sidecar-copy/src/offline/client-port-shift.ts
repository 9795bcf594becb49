import { PacketHeader, parsePacket, readU16 } from '@trafficcopy/core';

/** Ports below it stay what they are; above, a run's are moved in a circle. */
const PORT_MIN = 1024;
const PORTS = 65_536 - PORT_MIN;
/** Coprime to PORTS, so that no two runs of the first 64,512 move a port to the same place; far enough for a few hundred clients. */
const STEP = 9973;

const header = new PacketHeader();

/**
 * Gives a client's packet the port that its connection has in run `run` (0: its own). One to one within a run: what were two
 * connections stay two.
 */
export function shiftClientPort(
  bytes: Uint8Array,
  offset: number,
  capturedBytes: number,
  wireBytes: number,
  run: number,
): void {
  if (run === 0 || parsePacket(bytes, offset, capturedBytes, wireBytes, header) !== 'ok') return;
  const port = readU16(bytes, header.transportOffset);
  const shifted = shiftedPort(port, run);
  bytes[header.transportOffset] = shifted >> 8;
  bytes[header.transportOffset + 1] = shifted & 0xff;
}

export function shiftedPort(port: number, run: number): number {
  if (port < PORT_MIN) return port;
  return PORT_MIN + ((port - PORT_MIN + run * STEP) % PORTS);
}
