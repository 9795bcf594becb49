/**
 * The connecting side's socket: TCP, and TLS on it, with what goes wrong put into words. Used by the client and by joining.
 */
import { X509Certificate } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import type { ChannelRole } from '@trafficcopy/core';
import type { ClientCredentials } from '../identity/credentials.js';
import { identityOf } from '../identity/peer-identity.js';
import { ChannelError } from './channel-error.js';
import { socketText } from './socket-text.js';
import { TLS_OPTIONS } from './tls-options.js';

/** What the socket read: `bytes[0 .. length)`, valid during the call only. */
export type ChunkReader = (bytes: Uint8Array, length: number) => void;

/** Octets of one read. */
const READ_BYTES = 64 * 1024;

/**
 * One buffer for every read of a socket, instead of 64 KiB made and dropped for each: a copy reads small batches thousands of times a
 * second.
 */
function readInto(reader: ChunkReader): net.OnReadOpts {
  return {
    buffer: Buffer.allocUnsafeSlow(READ_BYTES),
    callback: (length, bytes) => {
      reader(bytes, length);
      return true;
    },
  };
}

/** Opens a socket towards a server whose certificate must come from our authority and name one of `serverRoles`. */
export function connectSecurely(
  host: string,
  port: number,
  credentials: ClientCredentials,
  serverRoles: readonly ChannelRole[],
  reader: ChunkReader,
): tls.TLSSocket {
  // tls.connect takes the options of net.Socket too; its types leave this one out.
  const options: tls.ConnectionOptions & { readonly onread: net.OnReadOpts } = {
    ...TLS_OPTIONS,
    onread: readInto(reader),
    host,
    port,
    key: credentials.key,
    cert: credentials.certificate,
    ca: credentials.authority,
    checkServerIdentity: (_name, certificate) => checkServerRole(new X509Certificate(certificate.raw), serverRoles),
  };
  return tls.connect(options);
}

/** Opens a TLS socket without a certificate of our own and without trust: the caller compares the server's authority itself. */
export function connectUnverified(host: string, port: number): tls.TLSSocket {
  return tls.connect({ ...TLS_OPTIONS, host, port, rejectUnauthorized: false });
}

export function connectInsecurely(host: string, port: number, reader: ChunkReader): net.Socket {
  return net.connect({ host, port, onread: readInto(reader) });
}

/** Names in certificates are roles, not hosts: an address may move, its role may not. */
export function checkServerRole(certificate: X509Certificate, serverRoles: readonly ChannelRole[]): Error | undefined {
  const identity = identityOf(certificate);
  if (identity !== undefined && serverRoles.includes(identity.role)) return undefined;
  const claimed = identity === undefined ? 'no TrafficCopy identity' : `the role ${identity.role}`;
  return Object.assign(new Error(`its certificate has ${claimed}, expected ${serverRoles.join(' or ')}`), {
    code: 'ERR_SERVER_ROLE',
  });
}

const CERTIFICATE_CODES: ReadonlyMap<string, string> = new Map([
  ['CERT_HAS_EXPIRED', 'its certificate has expired; restart the server, and check the clocks of both machines'],
  ['CERT_NOT_YET_VALID', 'its certificate is not valid yet; check the clocks of both machines'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its authority is not the one that issued our certificate; join it with a new token'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is signed by itself; is another server listening there?'],
  [
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'its authority is not the one that issued our certificate; join with a new token',
  ],
  [
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'its authority is not the one that issued our certificate; join with a new token',
  ],
  ['CERT_SIGNATURE_FAILURE', 'its authority is not the one that issued our certificate; join with a new token'],
  ['INVALID_PURPOSE', 'its certificate is not for a server'],
]);

/** Trying again helps when somebody, or NTP, has set the clock. */
const TIME_CODES: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);

const UNREACHABLE_HINTS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'nothing listens there: is the server running, on this port?'],
  ['EHOSTUNREACH', 'no route to that host'],
  ['ENETUNREACH', 'no route to that network'],
  ['ETIMEDOUT', 'no answer: is a firewall between?'],
  ['ENOTFOUND', 'no such host name'],
  ['EAI_AGAIN', 'the name could not be looked up now'],
]);

/** Puts a socket error from before WELCOME into a {@link ChannelError}. */
export function connectError(host: string, port: number, error: unknown): ChannelError {
  if (error instanceof ChannelError) return error;
  const cause = error as NodeJS.ErrnoException;
  const code = cause.code ?? '';
  const where = socketText(host, port);
  const certificate = code === 'ERR_SERVER_ROLE' ? cause.message : CERTIFICATE_CODES.get(code);
  if (certificate !== undefined) {
    const message = `cannot trust the server at ${where}: ${certificate} (${code})`;
    const kind = TIME_CODES.has(code) ? 'ERR_CHANNEL_CERTIFICATE_TIME' : 'ERR_CHANNEL_SERVER_CERTIFICATE';
    return new ChannelError(kind, message, { cause });
  }
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    const hint =
      code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG'
        ? 'it does not speak TLS; is it --insecure, or another program?'
        : cause.message;
    return new ChannelError('ERR_CHANNEL_PROTOCOL', `no TLS with ${where}: ${hint} (${code})`, { cause });
  }
  if (code === 'ECONNRESET' || code === 'EPIPE' || code === '') {
    const message = `${where} ended the connection before it was established (${code || cause.message})`;
    return new ChannelError('ERR_CHANNEL_LOST', message, { cause });
  }
  const hint = UNREACHABLE_HINTS.get(code) ?? cause.message;
  return new ChannelError('ERR_CHANNEL_UNREACHABLE', `cannot connect to ${where}: ${hint} (${code})`, { cause });
}
