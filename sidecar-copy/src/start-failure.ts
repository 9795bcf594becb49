import { FilterError, NativeError } from '@trafficcopy/native';
import { ChannelError, StartError, UsageError } from '@trafficcopy/runtime';

/** What the parts say, as what the program says to its user. */
export function startFailure(error: unknown): unknown {
  if (error instanceof FilterError) return new UsageError(`-F/--filter: ${error.message}`, { cause: error });
  if (error instanceof NativeError) {
    const isNoDevice = error.code === 'ERR_NATIVE_INTERFACE';
    const hint = isNoDevice ? '; a capture file is named with a slash, or ends in .pcap or .pcapng' : '';
    return new StartError(`ERR_START_${error.code.slice('ERR_'.length)}`, `${error.message}${hint}`, { cause: error });
  }
  if (error instanceof ChannelError) return new StartError('ERR_START_CHANNEL', error.message, { cause: error });
  return error;
}
