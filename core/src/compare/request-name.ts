/** What a request is called in reports: method and path of HTTP, otherwise its first octets. */
import { latin1 } from './http-head.js';

const NAME_CHARACTERS_MAX = 256;
const OCTETS_MAX = 48;

export function requestName(bytes: Uint8Array, length: number): string {
  const feed = bytes.indexOf(10);
  const lineEnd = feed >= 0 && feed < length ? feed : length;
  const line = latin1(bytes, 0, Math.min(lineEnd, NAME_CHARACTERS_MAX + 16));
  const match = /^([A-Z]{2,20} [\x21-\x7e]+)/.exec(line);
  if (match !== null && (/ HTTP\/\d/.test(line) || lineEnd > NAME_CHARACTERS_MAX)) {
    return shortened(match[1]!);
  }
  return shortened(printable(latin1(bytes, 0, Math.min(length, OCTETS_MAX))));
}

function shortened(text: string): string {
  return text.length <= NAME_CHARACTERS_MAX ? text : `${text.slice(0, NAME_CHARACTERS_MAX - 1)}…`;
}

/** Nothing in it moves a terminal's cursor. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (character) => {
    if (character === '\r') return '\\r';
    if (character === '\n') return '\\n';
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
