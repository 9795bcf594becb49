import type { RefusalCode } from '@trafficcopy/core';
import { ChannelError, type ChannelErrorCode } from '../channel/channel-error.js';
import { StartError } from '../errors/start-error.js';
import { TrafficCopyError } from '../errors/traffic-copy-error.js';
import { UsageError } from '../errors/usage-error.js';

/** An error as it goes from one process to another. */
export interface TransferredError {
  readonly name: string;
  readonly message: string;
  readonly code?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly refusal?: RefusalCode | undefined;
  readonly stack?: string | undefined;
}

export function transferError(error: unknown): TransferredError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  const { code, exitCode, refusal } = error as { code?: string; exitCode?: number; refusal?: RefusalCode };
  return { name, message, stack, code, exitCode, refusal };
}

/** The error again, of the class that callers look for: what they do about it hangs on code, exit code and refusal. */
export function receiveError(error: TransferredError): Error {
  const { message, code, exitCode, refusal, stack } = error;
  if (code === undefined) {
    const plain = new Error(message);
    if (stack !== undefined) plain.stack = stack;
    return plain;
  }
  if (code === 'ERR_USAGE') return new UsageError(message);
  if (code.startsWith('ERR_START_')) return new StartError(code as `ERR_START_${string}`, message);
  if (code.startsWith('ERR_CHANNEL_')) return new ChannelError(code as ChannelErrorCode, message, { refusal });
  return new TrafficCopyError(code, exitCode ?? 1, message);
}
