/** How large packets on a path may be, when one was too big (RFC 1191, RFC 8201). */

/**
 * No smaller size is believed: every IPv4 host takes 576 octets (RFC 1122 3.3.3), every IPv6 link 1280 (RFC 8200 5). Forged messages
 * cannot make headers of everything.
 */
export const PATH_MTU_MIN_V4 = 576;
export const PATH_MTU_MIN_V6 = 1280;
/** RFC 1191 6.3: after so long the path may be wider again. */
export const PATH_MTU_MS = 600_000;
/**
 * What is tried where full segments get no answer and nobody says why: 1024 octets of text, then as little as everybody takes (RFC
 * 4821 7.2, 7.7; Linux: tcp_base_mss).
 */
export const BLACK_HOLE_MTUS_V4 = [1064, PATH_MTU_MIN_V4] as const;
export const BLACK_HOLE_MTUS_V6 = [PATH_MTU_MIN_V6] as const;

/** RFC 1191 7.1, table 7-1: sizes that links have, for routers that do not say theirs. */
const PLATEAUS = [65_535, 32_000, 17_914, 8166, 4352, 2002, 1492, 1006] as const;

/** The size to take when a packet of `packetBytes` octets was too big and `mtuBytes` was named, or 0. */
export function pathMtuAfter(mtuBytes: number, packetBytes: number, isV6: boolean): number {
  const min = isV6 ? PATH_MTU_MIN_V6 : PATH_MTU_MIN_V4;
  const named = mtuBytes > 0 ? mtuBytes : (PLATEAUS.find((plateau) => plateau < packetBytes) ?? min);
  return Math.max(named, min);
}
