/** PEM blocks (RFC 7468). */
export interface PemBlock {
  /** `CERTIFICATE`, `PRIVATE KEY`. */
  readonly label: string;
  /** With its borders, one line break at the end. */
  readonly text: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n[A-Za-z0-9+/=\r\n]+-----END \1-----/g;

/** All blocks of `text`, in their order; whatever stands between them is ignored. */
export function pemBlocks(text: string): PemBlock[] {
  return Array.from(text.matchAll(BLOCK), (match) => ({ label: match[1]!, text: `${match[0]}\n` }));
}
