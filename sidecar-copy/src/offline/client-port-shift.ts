import { DatagramHeader, PacketHeader, parseDatagram, parsePacket, readU16, writeU16 } from '@trafficcopy/core';

/** Ports below it stay what they are; above, a run's are moved in a circle. */
const PORT_MIN = 1024;
const PORTS = 65_536 - PORT_MIN;
/** Coprime to PORTS, so that no two runs of the first 64,512 move a port to the same place; far enough for a few hundred clients. */
const STEP = 9973;

const segment = new PacketHeader();
const datagram = new DatagramHeader();

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
  if (run === 0) return;
  const isSegment = parsePacket(bytes, offset, capturedBytes, wireBytes, segment) === 'ok';
  if (!isSegment && parseDatagram(bytes, offset, capturedBytes, wireBytes, datagram) !== 'ok') return;
  const at = isSegment ? segment.transportOffset : datagram.transportOffset;
  writeU16(bytes, at, shiftedPort(readU16(bytes, at), run));
}

export function shiftedPort(port: number, run: number): number {
  if (port < PORT_MIN) return port;
  return PORT_MIN + ((port - PORT_MIN + run * STEP) % PORTS);
}
