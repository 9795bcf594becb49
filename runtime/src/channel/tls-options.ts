import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

/**
 * What both sides of a TLS channel have in common: version 1.3 only (RFC 8446), the cheapest strong cipher first, no
 * resumption (a resumed session would not look at the certificates again).
 */
export const TLS_OPTIONS: SecureContextOptions = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  secureOptions: constants.SSL_OP_NO_TICKET,
};
