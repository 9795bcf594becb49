/** How a copy comes by credentials: those that it stored, or by JOIN with a token. */
import { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import {
  CHANNEL_VERSION,
  type ChannelRole,
  encodeJoinRequest,
  FRAME,
  frameName,
  parseCertificateGrant,
} from '@trafficcopy/core';
import { CONNECT_TIMEOUT_MS, refusedError } from '../channel/channel-client.js';
import { ChannelError } from '../channel/channel-error.js';
import { checkServerRole, connectError, connectUnverified } from '../channel/client-socket.js';
import { garbageText } from '../channel/garbage-text.js';
import { SocketConnection } from '../channel/socket-connection.js';
import { socketText } from '../channel/socket-text.js';
import { certificateRequest } from './certificate-request.js';
import { certificateLifetime, credentialProblem, publicKeyPin } from './credential-check.js';
import type { CredentialStorage } from './credential-storage.js';
import type { ClientCredentials } from './credentials.js';
import { type JoinToken, parseJoinToken } from './join-token.js';

export interface JoinOptions {
  readonly host: string;
  readonly port: number;
  /** `tc1.…`; or its parts, where the secret is one that the authority knows otherwise and the pin is that of its certificate. */
  readonly token: string | JoinToken;
  /** Default copy. */
  readonly role?: ChannelRole | undefined;
  /** What we would like to be called: the host's name. */
  readonly name: string;
  readonly store: CredentialStorage;
  /** Default: intercept. */
  readonly serverRoles?: readonly ChannelRole[] | undefined;
  readonly timeoutMs?: number | undefined;
}

/**
 * Gets a certificate with a token and stores it. The secret is shown only to a server whose authority has the pinned key.
 * @throws {ChannelError} and {StateError}
 */
export async function join(options: JoinOptions): Promise<ClientCredentials> {
  const token = tokenOf(options.token);
  const key = await options.store.pendingKey();
  const request = await certificateRequest(key);
  const credentials = await requestCertificate(options, token, key, request);
  await options.store.save(credentials);
  return credentials;
}

/**
 * Stored credentials when they are good, otherwise those that the token gets. A token of another authority than the stored
 * one's is a wish to change to it.
 * @throws {ChannelError} ERR_CHANNEL_TOKEN when neither is there; and as {@link join}.
 */
export async function obtainCredentials(
  options: Omit<JoinOptions, 'token'> & { readonly token?: string | JoinToken | undefined },
): Promise<ClientCredentials> {
  const { token, store } = options;
  const stored = await store.load();
  const isValid = stored !== undefined && certificateLifetime(stored.certificate).notAfterMs > Date.now();
  if (token === undefined) {
    if (isValid) return stored;
    const where = socketText(options.host, options.port);
    const what = stored === undefined ? 'there is no certificate for it' : 'the certificate for it has ended';
    const advice = `take a token from its output and give it with --join (looked for in ${store.file})`;
    throw new ChannelError('ERR_CHANNEL_TOKEN', `cannot connect to ${where}: ${what}; ${advice}`);
  }
  const { pin } = tokenOf(token);
  if (isValid && publicKeyPin(new X509Certificate(stored.authority)) === pin) return stored;
  return await join({ ...options, token });
}

function tokenOf(token: string | JoinToken): JoinToken {
  return typeof token === 'string' ? parseJoinToken(token) : token;
}

async function requestCertificate(
  options: JoinOptions,
  token: JoinToken,
  key: string,
  request: string,
): Promise<ClientCredentials> {
  const { host, port, name } = options;
  const remote = socketText(host, port);
  const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS;
  const socket = connectUnverified(host, port);
  return await new Promise<ClientCredentials>((resolve, reject) => {
    let failure: ChannelError | undefined;
    const fail = (error: ChannelError): false => {
      failure ??= error;
      connection.destroy(error);
      return false;
    };
    const timer = setTimeout(
      () => fail(new ChannelError('ERR_CHANNEL_TIMEOUT', `${remote} did not answer JOIN within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    const connection: SocketConnection = new SocketConnection(socket, remote, 64 * 1024, {
      onFrame: (type, bytes, offset, length) => {
        if (type === FRAME.REFUSED) return fail(refusedError(remote, bytes, offset, length));
        const grant = type === FRAME.JOINED ? parseCertificateGrant(bytes, offset, length) : undefined;
        if (grant === undefined) {
          return fail(new ChannelError('ERR_CHANNEL_PROTOCOL', `${remote} answered JOIN with ${frameName(type)}`));
        }
        const credentials = { key, certificate: grant.certificate, authority: grant.authority };
        const problem = grantProblem(credentials, token.pin);
        if (problem !== undefined) {
          return fail(
            new ChannelError('ERR_CHANNEL_PIN', `${remote} granted a certificate that is not good: ${problem}`),
          );
        }
        resolve(credentials);
        connection.close('joined');
        return true;
      },
      onGarbage: (header) => {
        fail(new ChannelError('ERR_CHANNEL_PROTOCOL', `${remote} is no TrafficCopy server: ${garbageText(header)}`));
      },
      onEnd: (reason) => {
        clearTimeout(timer);
        reject(failure ?? reason);
      },
    });
    socket.once('error', (error) => {
      failure ??= connectError(host, port, error);
    });
    socket.once('secureConnect', () => {
      const problem = pinProblem(socket, token.pin, options.serverRoles ?? ['intercept']);
      if (problem !== undefined) {
        const advice = 'this is not the server that issued the token, or it has a new key; take a new token from it';
        fail(new ChannelError('ERR_CHANNEL_PIN', `did not join ${remote}: ${problem}; ${advice}`));
        return;
      }
      const message = { version: CHANNEL_VERSION, secret: token.secret, role: options.role ?? 'copy', name };
      connection.sendControl(FRAME.JOIN, encodeJoinRequest({ ...message, certificateRequest: request }));
    });
  });
}

/** What is wrong with the server's certificates; undefined when the pinned authority issued them for a server role, for now. */
function pinProblem(socket: TLSSocket, pin: string, serverRoles: readonly ChannelRole[]): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  const authority = certificate?.issuerCertificate;
  if (certificate === undefined || authority === undefined) return 'it does not show the certificate of its authority';
  if (publicKeyPin(authority) !== pin) return 'its authority does not have the key that the token pins';
  if (!certificate.verify(authority.publicKey)) return 'its certificate was not issued by the authority that it shows';
  const nowMs = Date.now();
  if (nowMs < certificate.validFromDate.getTime() || nowMs >= certificate.validToDate.getTime()) {
    return `its certificate is valid from ${certificate.validFrom} to ${certificate.validTo}, and the time here is ${new Date(nowMs).toUTCString()}`;
  }
  if (certificate.ca) return 'its certificate is one of an authority, not of a server';
  return checkServerRole(certificate, serverRoles)?.message;
}

function grantProblem(credentials: ClientCredentials, pin: string): string | undefined {
  const problem = credentialProblem(credentials);
  if (problem !== undefined) return problem;
  return publicKeyPin(new X509Certificate(credentials.authority)) === pin ? undefined : 'another authority issued it';
}
