/** Base64 (RFC 4648 4), which `core` has from nobody: SCRAM writes its octets so. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const letters = [bits >> 18, (bits >> 12) & 63, (bits >> 6) & 63, bits & 63].map((six) => ALPHABET[six]!);
    const kept = Math.min(bytes.length - at + 1, 4);
    text += letters.slice(0, kept).join('').padEnd(4, '=');
  }
  return text;
}

/** Undefined when the text is not Base64 with its padding. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const letters = text.replace(/={1,2}$/, '');
  const bytes = new Uint8Array((letters.length * 6) >> 3);
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  for (const letter of letters) {
    const six = ALPHABET.indexOf(letter);
    if (six < 0) return undefined;
    bits = ((bits << 6) | six) & 0xffff;
    bitCount += 6;
    if (bitCount < 8) continue;
    bitCount -= 8;
    bytes[at] = bits >> bitCount;
    at += 1;
  }
  return bytes;
}
