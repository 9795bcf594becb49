/** Packet marks of copied connections at the target; the slot is in the low four bits. */
export const MARK_BASE = 0x8ed0;
/**
 * Packet marks of what is injected, until it has come through `lo`. Two marks, because an injected packet and a response both pass
 * OUTPUT: a rule for the second cannot catch the first, even where the response leaves by `lo` too (a client address that is
 * the target's own, or that only the fallback route reaches).
 */
export const INJECTION_MARK_BASE = 0x1_8ed0;
/** NFQUEUE numbers, unless --queue-num says another: 3792 and up. */
export const QUEUE_NUMBER_BASE = MARK_BASE & 0xfff;
/** Slots in one network namespace: intercepts, or workers of one. */
export const SLOTS_MAX = 16;

/** The kernel's names of one worker in one network namespace: what no other worker there may use. */
export interface WorkerSlot {
  /** 0 to SLOTS_MAX - 1. */
  readonly index: number;
  readonly queueNumber: number;
  /** Mark of the accepted sockets, their packets, and the rules that catch these. */
  readonly mark: number;
  /** SO_MARK of the raw sockets. */
  readonly injectionMark: number;
  /** Number of the routing table with the fallback route. */
  readonly routeTable: number;
}

export function workerSlot(index: number, queueNumber: number = QUEUE_NUMBER_BASE + index): WorkerSlot {
  const mark = MARK_BASE | index;
  return { index, queueNumber, mark, injectionMark: INJECTION_MARK_BASE | index, routeTable: mark };
}
