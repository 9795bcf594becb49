/** TCP header flags (RFC 9293 3.1). */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;

/** Octets of a TCP header without options. */
export const TCP_HEADER_BYTES = 20;
export const TCP_HEADER_BYTES_MAX = 60;
