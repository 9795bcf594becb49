/** Octets of the C programs' protocol, as captured from them (tcpcopy 0.9.6 and 1.x, intercept 1.0). */

export function octets(hex: string): Uint8Array {
  return Uint8Array.from(hex.replaceAll(/\s/g, '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export const HELLO_09 = octets('00000000 0000 0004 00000000 0000');
export const HELLO_1X = octets('00000000 0000 0006 00000000 0000');
/** 10.19.0.1:33914 to 10.19.0.3:8080. */
export const REGISTRATION = octets('0a130001 847a 0001 0a130003 1f90');
/** The SYN-ACK to it: 60 octets, 20 of them options. */
export const SYN_ACK = octets(
  `4500 003c 0000 4000 4006 2693 0a130003 0a130001
   1f90 847a 19423a8d 74456601 a012 fe88 2d57 0000
   0204 05b4 0402 080a 6838bcd7 5328bd8a 0103 030a`,
);

/** A frame of one record: the headers, and zeros up to the record's size. */
export function frameOfOne(headers: Uint8Array, recordBytes: number): Uint8Array {
  const frame = new Uint8Array(2 + recordBytes);
  frame[1] = 1;
  frame.set(headers, 2);
  return frame;
}
