import { X509Certificate } from 'node:crypto';
import net from 'node:net';
import type tls from 'node:tls';
import { encodeFrame, encodeGoodbye, FRAME } from '@trafficcopy/core';
import { connectError, connectUnverified } from '../channel/client-socket.js';
import { socketText } from '../channel/socket-text.js';
import { CLOCK_SKEW_MS } from '../identity/certificate-authority.js';
import { certificateLifetime, publicKeyPin } from '../identity/credential-check.js';
import type { ClientCredentials } from '../identity/credentials.js';
import { parseJoinToken } from '../identity/join-token.js';
import { identityOf } from '../identity/peer-identity.js';
import { type Finding, fail, pass, warn } from './finding.js';

export interface ChannelQuestion {
  readonly host: string;
  readonly port: number;
  readonly isInsecure: boolean;
  /** `--join`; it is not used up, only compared. */
  readonly joinToken: string | undefined;
  /** What an earlier joining brought. */
  readonly credentials: ClientCredentials | undefined;
  readonly nowMs: number;
}

const CONNECT_TIMEOUT_MS = 5000;
/** How long the other side may take to take our leave. */
const LEAVE_TIMEOUT_MS = 1000;
const START = 'start "trafficcopy intercept" there, and let TCP to that port through the firewalls between';

/** Connects to an intercept, looks at its certificate, and takes its leave: intercept is not alarmed. */
export async function channelFinding(question: ChannelQuestion): Promise<Finding> {
  const { host, port, isInsecure } = question;
  const where = `intercept at ${socketText(host, port)}`;
  try {
    if (isInsecure) {
      await opened(net.connect({ host, port }), 'connect');
      return pass(`${where} can be reached (--insecure: plain TCP)`);
    }
    const socket = connectUnverified(host, port);
    const certificate = await opened(socket, 'secureConnect', () => chainOf(socket));
    return certificateFinding(where, certificate, question);
  } catch (error) {
    const { code, message } = connectError(host, port, error);
    const fix =
      code === 'ERR_CHANNEL_PROTOCOL' ? 'give --insecure to both programs or to none; is it the right port?' : START;
    return fail(`no channel: ${message}`, fix);
  }
}

/** What `look` finds once the socket is open. The socket is gone then, with a GOAWAY that has left. */
function opened<T>(socket: net.Socket, event: 'connect' | 'secureConnect', look?: () => T): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let isLeaving = false;
    const timer = setTimeout(() => {
      reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
      socket.destroy();
    }, CONNECT_TIMEOUT_MS);
    socket.once(event, () => {
      clearTimeout(timer);
      const found = look?.() as T;
      isLeaving = true;
      const leaving = setTimeout(() => socket.destroy(), LEAVE_TIMEOUT_MS);
      socket.once('close', () => {
        clearTimeout(leaving);
        resolve(found);
      });
      socket.resume();
      socket.end(encodeFrame(FRAME.GOAWAY, encodeGoodbye({ code: 'closing', message: 'doctor has looked' })));
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      // However the other side takes the leave.
      if (!isLeaving) reject(error);
    });
  });
}

interface Chain {
  readonly own: X509Certificate;
  /** Sent behind its own. */
  readonly authority: X509Certificate | undefined;
}

function chainOf(socket: tls.TLSSocket): Chain | undefined {
  const peer = socket.getPeerCertificate(true);
  if (peer.raw === undefined) return undefined;
  const { issuerCertificate: issuer } = peer;
  const authority = issuer === undefined || issuer === peer ? undefined : new X509Certificate(issuer.raw);
  return { own: new X509Certificate(peer.raw), authority };
}

function certificateFinding(where: string, chain: Chain | undefined, question: ChannelQuestion): Finding {
  const identity = chain === undefined ? undefined : identityOf(chain.own);
  if (chain === undefined || identity === undefined) {
    return fail(
      `${where} speaks TLS, but is no program of TrafficCopy`,
      'name the port of intercept (36524 unless -p says another)',
    );
  }
  if (identity.role !== 'intercept') {
    return fail(`${where} is an ${identity.role}, no intercept`, 'name an intercept with -s');
  }
  const clock = clockProblem(chain.own, question.nowMs);
  if (clock !== undefined)
    return fail(`${where}: ${clock}`, 'set the clocks of both hosts right: timedatectl set-ntp true');
  return joiningFinding(where, chain, question);
}

function clockProblem(certificate: X509Certificate, nowMs: number): string | undefined {
  const { validFromDate, validToDate } = certificate;
  const now = new Date(nowMs).toISOString();
  if (nowMs < validFromDate.getTime()) {
    return `this clock (${now}) is before the beginning of its certificate (${validFromDate.toISOString()})`;
  }
  if (nowMs > validToDate.getTime() + CLOCK_SKEW_MS) {
    return `its certificate has ended (${validToDate.toISOString()}), if this clock is right (${now})`;
  }
  return undefined;
}

const JOIN_AGAIN = '"trafficcopy intercept --new-token" there prints the command to join with (--join TOKEN)';

function joiningFinding(where: string, { own, authority }: Chain, question: ChannelQuestion): Finding {
  const { joinToken, credentials, nowMs } = question;
  if (credentials !== undefined) {
    if (!own.verify(new X509Certificate(credentials.authority).publicKey)) {
      return fail(
        `${where} has another key than the one that this host joined`,
        `remove its file below the state directory (copy/); ${JOIN_AGAIN}`,
      );
    }
    const { notAfterMs } = certificateLifetime(credentials.certificate);
    if (notAfterMs > nowMs) return pass(`${where} answers, and this host has joined it`);
    return fail(
      `${where} answers, but the certificate of this host ended ${new Date(notAfterMs).toISOString()}`,
      JOIN_AGAIN,
    );
  }
  if (joinToken === undefined) return warn(`${where} answers; this host has not joined it yet`, JOIN_AGAIN);
  if (authority === undefined || publicKeyPin(authority) !== parseJoinToken(joinToken).pin) {
    return fail(`${where} answers, but the token of --join is of another one`, JOIN_AGAIN);
  }
  return pass(`${where} answers, and the token of --join is its own (it was not used)`);
}
