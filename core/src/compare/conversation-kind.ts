/** What kind of conversation a connection is, as one of its turns shows. */
import type { Answer } from './answer.js';
import type { ComparedConnection } from './compared-connection.js';
import type { Exchange } from './exchange.js';
import { isHttp, latin1, readHttpHead } from './http-head.js';

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const REQUEST_LINE = /^[A-Z]{2,20} \S+ HTTP\/1\.\d\r?\n/;
const CHUNKED = /\ntransfer-encoding[ \t]*:/i;
const CONTENT_LENGTH = /\ncontent-length[ \t]*:[ \t]*(\d{1,15})[ \t]*\r?\n/i;
/** How a connection of HTTP/2 begins (RFC 9113 3.4). */
const HTTP2 = 'PRI * HTTP/2.0';

/** Takes note of it on the connection. The exchange is over. */
export function noteConversationKind(connection: ComparedConnection, exchange: Exchange): void {
  const { request, requestBytes, requestTotalBytes, online } = exchange;
  if (latin1(request, 0, Math.min(requestBytes, HTTP2.length)) === HTTP2) connection.isMultiplexed = true;
  if (connection.isMultiplexed) exchange.incomparable ??= 'multiplexed';
  if (hasSeveralRequests(request, requestBytes, requestTotalBytes)) connection.isPipelined = true;
  if (online !== undefined && isUpgrade(online)) connection.isMultiplexed = true;
}

/**
 * Whether the first request of a turn of HTTP/1 (RFC 9112 6.3) ends before the turn does: then the client pipelines. The turn has
 * `totalBytes` octets, of which the first `length` are there.
 */
export function hasSeveralRequests(bytes: Uint8Array, length: number, totalBytes: number): boolean {
  const headEnd = endOfHead(bytes, length);
  if (headEnd < 0 || headEnd === totalBytes) return false;
  const head = latin1(bytes, 0, headEnd);
  if (!REQUEST_LINE.test(head) || CHUNKED.test(head)) return false;
  const body = CONTENT_LENGTH.exec(head);
  return totalBytes > headEnd + (body === null ? 0 : Number(body[1]));
}

/** Where the octets behind an empty line begin; -1 when there is none. */
function endOfHead(bytes: Uint8Array, length: number): number {
  let at = bytes.indexOf(LINE_FEED);
  while (at >= 0 && at < length) {
    const next = bytes[at + 1] === CARRIAGE_RETURN ? at + 2 : at + 1;
    if (next < length && bytes[next] === LINE_FEED) return next + 1;
    at = bytes.indexOf(LINE_FEED, at + 1);
  }
  return -1;
}

/** RFC 9110 15.2.2: what follows 101 is another protocol. */
function isUpgrade({ bytes, haveBytes }: Answer): boolean {
  // "HTTP/1.1 101"
  if (!isHttp(bytes, 0, haveBytes) || bytes[9] !== 0x31) return false;
  return / 101( |$)/.test(readHttpHead(bytes, haveBytes)?.statusLine ?? '');
}
