import { NativeError, ResponseQueue } from '@trafficcopy/native';
import type { ResponseSource } from './response-source.js';

export interface ResponseSourceRequest {
  readonly backend: 'native' | 'nfqueue';
  readonly queueNumber: number;
  readonly queueLengthMax: number;
  readonly netnsPath: string | undefined;
}

/**
 * Netlink buffer for each packet of the queue, octets, so that the queue's length alone is the bound. The kernel doubles it, and a message
 * with 128 octets of a packet takes 832.
 */
const BUFFER_BYTES_PER_PACKET = 512;

/** Opens the queue; undefined when another program reads it. @throws NativeError, StartError */
export async function responseSourceOpener(
  backend: ResponseSourceRequest['backend'],
): Promise<(request: Omit<ResponseSourceRequest, 'backend'>) => ResponseSource | undefined> {
  if (backend === 'native') {
    return ifFree((request) => {
      const receiveBufferBytes = request.queueLengthMax * BUFFER_BYTES_PER_PACKET;
      return new ResponseQueue({ ...request, receiveBufferBytes });
    });
  }
  // An optional dependency: loaded only when it is asked for.
  const { NfqueuePackage } = await import('./nfqueue-package.js');
  return ifFree(({ queueNumber }) => new NfqueuePackage({ queueNumber }));
}

function ifFree<Request>(open: (request: Request) => ResponseSource): (request: Request) => ResponseSource | undefined {
  return (request) => {
    try {
      return open(request);
    } catch (error) {
      if (error instanceof NativeError && error.code === 'ERR_NATIVE_QUEUE_BUSY') return undefined;
      throw error;
    }
  };
}
