/** What differs between the versions of the C programs' protocol. */

/** tcpcopy 0.9.6 with its intercept; session-replay-tools' tcpcopy 1.x with intercept 1.x. */
export const WIRE_VERSIONS = ['0.9', '1.x'] as const;
export type WireVersion = (typeof WIRE_VERSIONS)[number];

/** Sizes in octets. */
export interface WireFormat {
  readonly version: WireVersion;
  /** Type field of the hello: the internal version of the C program. */
  readonly helloType: number;
  /** One response: IP header (20), TCP header (20), and the room behind them. */
  readonly recordBytes: number;
  /** More records in a frame are taken for a broken tunnel. */
  readonly countMax: number;
}

export const WIRE_FORMATS: Readonly<Record<WireVersion, WireFormat>> = {
  '0.9': { version: '0.9', helloType: 0x0004, recordBytes: 80, countMax: 20 },
  '1.x': { version: '1.x', helloType: 0x0006, recordBytes: 64, countMax: 16 },
};

/** An intercept that was built to send payload too (0.9.6 `--enable-mysql`, 1.x `--with-resp-payload`). Nothing announces it. */
export const WIRE_PAYLOAD_FORMATS: Readonly<Record<WireVersion, WireFormat>> = {
  '0.9': { ...WIRE_FORMATS['0.9'], recordBytes: 208 },
  '1.x': { ...WIRE_FORMATS['1.x'], recordBytes: 192, countMax: 6 },
};

/** 0.9.6 built with `--enable-advanced` sets this bit of its version. */
const ADVANCED = 0x8000;

/** What the sender of a hello reads. Undefined: a version whose record size is not known. */
export function wireFormatOf(helloType: number): WireFormat | undefined {
  return WIRE_VERSIONS.map((version) => WIRE_FORMATS[version]).find(
    (format) =>
      format.helloType === helloType || (format.version === '0.9' && helloType === (format.helloType | ADVANCED)),
  );
}
