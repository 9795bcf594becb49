import { NativeError, ResponseQueue } from '@trafficcopy/native';
import type { ResponseSource } from './response-source.js';

export interface ResponseSourceRequest {
  readonly backend: 'native' | 'nfqueue';
  readonly queueNumber: number;
  readonly queueLengthMax: number;
  readonly netnsPath: string | undefined;
}

/** Opens the queue; undefined when another program reads it. @throws NativeError, StartError */
export async function responseSourceOpener(
  backend: ResponseSourceRequest['backend'],
): Promise<(request: Omit<ResponseSourceRequest, 'backend'>) => ResponseSource | undefined> {
  if (backend === 'native') return ifFree((request) => new ResponseQueue(request));
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
