import { type Goodbye, REFUSALS_TO_RETRY, type RefusalCode } from '@trafficcopy/core';
import { TrafficCopyError } from '../errors/traffic-copy-error.js';

export const CHANNEL_ERROR_CODES = [
  /** Nobody answers there: connect failed. */
  'ERR_CHANNEL_UNREACHABLE',
  /** The peer did not answer HELLO or JOIN, or TLS did not come up, in time. */
  'ERR_CHANNEL_TIMEOUT',
  /** An established connection broke, or its peer fell silent. */
  'ERR_CHANNEL_LOST',
  /** The peer ended the connection by intention (GOAWAY). */
  'ERR_CHANNEL_GOAWAY',
  /** What the peer sends is not this protocol. */
  'ERR_CHANNEL_PROTOCOL',
  /** The peer refused us (REFUSED); `refusal` says why. */
  'ERR_CHANNEL_REFUSED',
  /** We refused the peer; `refusal` says why. */
  'ERR_CHANNEL_PEER_REFUSED',
  /** The server's certificate is not what we expect. */
  'ERR_CHANNEL_SERVER_CERTIFICATE',
  /** The server's certificate is the right one at another time: one of the clocks is wrong, or the server has to renew it. That passes. */
  'ERR_CHANNEL_CERTIFICATE_TIME',
  /** The server's authority is not the one that the token pins. */
  'ERR_CHANNEL_PIN',
  /** A token string that cannot be read. */
  'ERR_CHANNEL_TOKEN',
  /** The server cannot listen there. */
  'ERR_CHANNEL_LISTEN',
] as const;
export type ChannelErrorCode = (typeof CHANNEL_ERROR_CODES)[number];

export interface ChannelErrorDetails {
  readonly refusal?: RefusalCode | undefined;
  /** What the peer said when it ended the connection. */
  readonly goodbye?: Goodbye | undefined;
  readonly cause?: unknown;
}

/** A failure of the control channel. The message is for a person: what was tried, with whom, what to do. */
export class ChannelError extends TrafficCopyError {
  declare readonly code: ChannelErrorCode;
  readonly refusal: RefusalCode | undefined;
  readonly goodbye: Goodbye | undefined;

  constructor(code: ChannelErrorCode, message: string, details: ChannelErrorDetails = {}) {
    super(code, 1, message, details.cause === undefined ? undefined : { cause: details.cause });
    this.refusal = details.refusal;
    this.goodbye = details.goodbye;
  }

  /** Trying again without a change on one of the two sides cannot help. */
  get isFinal(): boolean {
    if (this.refusal !== undefined) return !REFUSALS_TO_RETRY.has(this.refusal);
    return FINAL_CODES.has(this.code);
  }
}

const FINAL_CODES: ReadonlySet<ChannelErrorCode> = new Set([
  'ERR_CHANNEL_SERVER_CERTIFICATE',
  'ERR_CHANNEL_PIN',
  'ERR_CHANNEL_TOKEN',
  'ERR_CHANNEL_LISTEN',
]);
