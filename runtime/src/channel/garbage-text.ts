/** What a peer that does not speak our protocol seems to speak, from its first octets. */
export function garbageText(header: Uint8Array): string {
  const [first = 0, second = 0] = header;
  if ((first === 0x16 || first === 0x15) && second === 3)
    return 'it speaks TLS; only one of the two sides is --insecure';
  const text = String.fromCharCode(...header);
  if (/^[\x20-\x7e\r\n\t]+$/.test(text)) return `its first octets are the text ${JSON.stringify(text)}`;
  return `its first octets are ${Array.from(header, (octet) => octet.toString(16).padStart(2, '0')).join(' ')}`;
}
