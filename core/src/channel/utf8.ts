/** UTF-8 (RFC 3629) without a platform's help. Ill-formed octets read as U+FFFD, lone surrogates are written so. */

const REPLACEMENT = 0xfffd;

export function decodeUtf8(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): string {
  const end = Math.min(offset + length, bytes.length);
  const units: number[] = [];
  const parts: string[] = [];
  let at = offset;
  while (at < end) {
    const first = bytes[at]!;
    const size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : 4;
    const point = size === 1 ? first : readPoint(bytes, at, end, first, size);
    at += point < 0 ? 1 : size;
    const valid = point < 0 ? REPLACEMENT : point;
    if (valid > 0xffff) units.push(0xd800 + ((valid - 0x10000) >> 10), 0xdc00 + ((valid - 0x10000) & 0x3ff));
    else units.push(valid);
    if (units.length >= 4096) parts.push(String.fromCharCode(...units.splice(0)));
  }
  parts.push(String.fromCharCode(...units));
  return parts.join('');
}

/** The code point of `size` octets at `at`; -1 when they are no well-formed sequence. */
function readPoint(bytes: Uint8Array, at: number, end: number, first: number, size: number): number {
  if (first < 0xc2 || first > 0xf4 || at + size > end) return -1;
  let point = first & (0xff >> (size + 1));
  for (let index = 1; index < size; index += 1) {
    const next = bytes[at + index]!;
    if ((next & 0xc0) !== 0x80) return -1;
    point = (point << 6) | (next & 0x3f);
  }
  if (size === 3 && (point < 0x800 || (point >= 0xd800 && point <= 0xdfff))) return -1;
  if (size === 4 && (point < 0x10000 || point > 0x10ffff)) return -1;
  return point;
}

export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    const valid = point >= 0xd800 && point <= 0xdfff ? REPLACEMENT : point;
    if (valid < 0x80) {
      bytes[length++] = valid;
    } else if (valid < 0x800) {
      bytes[length++] = 0xc0 | (valid >> 6);
      bytes[length++] = 0x80 | (valid & 0x3f);
    } else if (valid < 0x10000) {
      bytes[length++] = 0xe0 | (valid >> 12);
      bytes[length++] = 0x80 | ((valid >> 6) & 0x3f);
      bytes[length++] = 0x80 | (valid & 0x3f);
    } else {
      bytes[length++] = 0xf0 | (valid >> 18);
      bytes[length++] = 0x80 | ((valid >> 12) & 0x3f);
      bytes[length++] = 0x80 | ((valid >> 6) & 0x3f);
      bytes[length++] = 0x80 | (valid & 0x3f);
    }
  }
  return bytes.slice(0, length);
}
