/** How long a response of HTTP/1 is as its head says (RFC 9112 6.3). */
import type { Answer } from './answer.js';
import { readHttpHead } from './http-head.js';

/** It is not known yet: the head is not whole. */
export const LENGTH_OPEN = -1;
/** Its head does not say it, or it is none of HTTP/1. */
export const LENGTH_UNKNOWN = -2;

/** Octets of head and body; `isHead`: the request was HEAD, so there is no body. */
export function httpLength(answer: Answer, isHead: boolean): number {
  const { bytes, haveBytes } = answer;
  const head = readHttpHead(bytes, haveBytes);
  if (head === undefined) return haveBytes < 16 ? LENGTH_OPEN : LENGTH_UNKNOWN;
  if (head.bodyOffset < 0) return haveBytes === bytes.length ? LENGTH_UNKNOWN : LENGTH_OPEN;
  if (isHead || / (204|304)( |$)/.test(head.statusLine)) return head.bodyOffset;
  if (head.fields.has('transfer-encoding')) return LENGTH_UNKNOWN;
  const text = head.fields.get('content-length')?.value ?? '';
  return /^\d{1,15}$/.test(text) ? head.bodyOffset + Number(text) : LENGTH_UNKNOWN;
}
