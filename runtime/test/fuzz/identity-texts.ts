/** What newcomers and files say of identities: tokens, names in certificates, PEM. Refused with our own errors only. */
import assert from 'node:assert/strict';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { parseIdentity } from '../../src/identity/peer-identity.js';
import { pemBlocks } from '../../src/identity/pem.js';
import { authorityPin, ChannelError, formatIdentity, formatJoinToken, parseJoinToken } from '../../src/index.js';

const TOKEN = formatJoinToken({ secret: 's'.repeat(43), pin: 'p'.repeat(43) });
const PEM = `-----BEGIN CERTIFICATE-----\n${'MIIB'.repeat(16)}\n-----END CERTIFICATE-----\n`;

function readToken(text: string): number {
  try {
    const token = parseJoinToken(text);
    assert.equal(formatJoinToken(token), text.trim());
    return 1;
  } catch (error) {
    assert.ok(error instanceof ChannelError && error.code === 'ERR_CHANNEL_TOKEN', String(error));
    assert.ok(text.trim().length < 20 || !error.message.includes(text.trim()), 'the message does not repeat the token');
    return 0;
  }
}

function readCertificate(text: string): number {
  try {
    return authorityPin(text).length;
  } catch (error) {
    assert.ok(error instanceof ChannelError, String(error));
    return 0;
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

const target: FuzzTarget = {
  seeds: [TOKEN, `${PEM}${PEM}`, formatIdentity('copy', 'shop/uid/pod'), ` ${TOKEN}\n`].map((text) =>
    encoder.encode(text),
  ),
  words: ['tc1.', '.', 'trafficcopy://', 'copy', '/', '-----BEGIN ', 'CERTIFICATE-----', '-----END ', '\r\n', 'A=='],
  bytesMax: 2000,
  run: (input) => {
    const text = decoder.decode(input);
    const identity = parseIdentity(text);
    if (identity !== undefined) assert.equal(formatIdentity(identity.role, identity.name), text);
    const blocks = pemBlocks(text);
    for (const { label, text: block } of blocks) {
      assert.ok(block.startsWith(`-----BEGIN ${label}-----`) && pemBlocks(block).length === 1);
    }
    return readToken(text) + readCertificate(text) * 2 + (identity === undefined ? 0 : 1024) + blocks.length * 4096;
  },
};
export default target;
