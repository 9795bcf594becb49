/** The head of an HTTP/1 response (RFC 9112), as far as it is there. */

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const COLON = 58;
/** "HTTP/1." */
const PREFIX = [72, 84, 84, 80, 47, 49, 46];
/** Interim responses (RFC 9110 15.2) that are passed over before the final one. */
const INTERIM_MAX = 8;
/** Header lines that are told apart; what stands behind them counts as missing. */
const LINES_MAX = 256;

export interface HttpField {
  /** Values of repeated lines are joined by a line feed, which none has. */
  readonly value: string;
  /** Where its first line begins in the answer. */
  readonly offset: number;
}

export interface HttpHead {
  /** "HTTP/1.1 200 OK" */
  readonly statusLine: string;
  /** Where it begins: behind interim responses. */
  readonly offset: number;
  /** By name in lower case. */
  readonly fields: ReadonlyMap<string, HttpField>;
  /** Where the body begins; -1 when the end of the head is not there. */
  readonly bodyOffset: number;
}

/** Whether the octets begin as a response of HTTP/1 does. */
export function isHttp(bytes: Uint8Array, offset: number, end: number): boolean {
  if (end - offset < PREFIX.length) return false;
  return PREFIX.every((octet, at) => bytes[offset + at] === octet);
}

/** Reads the head of the final response in the first `end` octets; undefined when they do not begin as one. */
export function readHttpHead(bytes: Uint8Array, end: number): HttpHead | undefined {
  let offset = 0;
  for (let interim = 0; interim < INTERIM_MAX; interim += 1) {
    if (!isHttp(bytes, offset, end)) return undefined;
    const head = readHead(bytes, offset, end);
    // 101 is final: what follows it is another protocol.
    const isInterim = / 1\d\d( |$)/.test(head.statusLine) && !/ 101( |$)/.test(head.statusLine);
    if (!isInterim || head.bodyOffset < 0 || !isHttp(bytes, head.bodyOffset, end)) return head;
    offset = head.bodyOffset;
  }
  return undefined;
}

function readHead(bytes: Uint8Array, offset: number, end: number): HttpHead {
  const fields = new Map<string, HttpField>();
  let statusLine = '';
  let lineAt = offset;
  for (let lines = 0; lines < LINES_MAX; lines += 1) {
    const feed = bytes.indexOf(LINE_FEED, lineAt);
    if (feed < 0 || feed >= end) {
      if (lines === 0) statusLine = latin1(bytes, lineAt, end);
      return { statusLine, offset, fields, bodyOffset: -1 };
    }
    const lineEnd = feed > lineAt && bytes[feed - 1] === CARRIAGE_RETURN ? feed - 1 : feed;
    if (lines === 0) statusLine = latin1(bytes, lineAt, lineEnd);
    else if (lineEnd === lineAt) return { statusLine, offset, fields, bodyOffset: feed + 1 };
    else addField(fields, bytes, lineAt, lineEnd);
    lineAt = feed + 1;
  }
  return { statusLine, offset, fields, bodyOffset: -1 };
}

function addField(fields: Map<string, HttpField>, bytes: Uint8Array, lineAt: number, lineEnd: number): void {
  const colon = bytes.indexOf(COLON, lineAt);
  const nameEnd = colon < 0 || colon > lineEnd ? lineEnd : colon;
  const name = latin1(bytes, lineAt, nameEnd).trim().toLowerCase();
  const value = latin1(bytes, Math.min(nameEnd + 1, lineEnd), lineEnd).trim();
  const earlier = fields.get(name);
  if (earlier === undefined) fields.set(name, { value, offset: lineAt });
  else fields.set(name, { value: `${earlier.value}\n${value}`, offset: earlier.offset });
}

/** One character for each octet. */
export function latin1(bytes: Uint8Array, offset: number, end: number): string {
  let text = '';
  for (let at = offset; at < end; at += 1) text += String.fromCharCode(bytes[at]!);
  return text;
}
