/** Certificate requests of newcomers: read as a key that signed the request, or refused; the library's errors stay inside. */
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { type FuzzTarget, InputReader } from '@trafficcopy/fuzz';
import { readCertificateRequest } from '../../src/identity/certificate-issuer.js';

/** DER of requests by OpenSSL: of a P-256 key, and of a P-384 key, which is refused. */
const REQUESTS = [
  'MIHRMHgCAQAwFjEUMBIGA1UEAwwLdHJhZmZpY2NvcHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATbU3p2mSuyB4wPrrSHoAIdICRdXPFWbmpRPIAJ0mXiV4fRBGEumOoQiOy1+UJGz27SuhcyEPFvMv1/uf0f8U6qoAAwCgYIKoZIzj0EAwIDSQAwRgIhAMoen3LLjEg3t7RyjEO/Jfhq2ggcI25f4e1xholGs+gYAiEAuyKN3lDoLEZRsurNcJ6ma+yJkkAiWdum64hvFxUvIWw=',
  'MIIBDTCBlQIBADAWMRQwEgYDVQQDDAt0cmFmZmljY29weTB2MBAGByqGSM49AgEGBSuBBAAiA2IABKgMGwJxjLTFyiXcxwLVfPZ9yiRd1sF5JwUYMwNeDlbaMO6eV7sFK/tys3lkHYwXU6Uky4Gf5oXaAK0BCk4VVl9HdMV9YXrpPnV2T2mRjATy/zOPfv8NtRfNS4k23MyyK6AAMAoGCCqGSM49BAMCA2cAMGQCMH5VjIiVP/4AADSArHePeyqvj/FYxfkFe6ne9mc6ADSGh4F7GPhvG+yUfD686rP1uQIwSf+h006qKQdz4htE0y/PzcV6Nw76MU9K+P/tqLeN3wmXNgCIYzCNfg5ZgL8SscTj',
].map((text) => Buffer.from(text, 'base64'));

/** An input is DER, or after an odd first octet the text itself. */
const AS_TEXT = 1;

const target: FuzzTarget = {
  seeds: [
    ...REQUESTS.map((der) => Uint8Array.of(0, ...der)),
    Uint8Array.of(AS_TEXT, ...Buffer.from(pem(REQUESTS[0]!))),
  ],
  words: ['0\u0080', '\u0000', '-----BEGIN CERTIFICATE REQUEST-----\n', '-----END', '\u0006\u0008*'],
  bytesMax: 1200,
  run: async (input) => {
    const reader = new InputReader(input);
    const isText = (reader.u8() & AS_TEXT) !== 0;
    const key = await readCertificateRequest(isText ? Buffer.from(reader.rest()).toString() : pem(reader.rest()));
    if (key === undefined) return 0;
    const { asymmetricKeyDetails } = createPublicKey({ key: Buffer.from(key), format: 'der', type: 'spki' });
    assert.equal(asymmetricKeyDetails?.namedCurve, 'prime256v1');
    return 1 + input.length;
  },
};
export default target;

function pem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE REQUEST-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}
