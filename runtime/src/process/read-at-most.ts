import { fstatSync, readSync } from 'node:fs';

/** A pipe that has nothing is looked at again after so long. */
const POLL_MS = 10;
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/**
 * All that an open file has; undefined when that is more than `bytesMax` octets: something like /dev/zero never ends. A pipe is read until its writers
 * have closed it. It has to be opened with O_NONBLOCK: otherwise open and read wait for a writer without any bound.
 *
 * @param quietMsMax how long nothing may come from a pipe
 * @throws an error with the code ETIMEDOUT when it took longer; what the system says
 */
export function readAtMost(descriptor: number, bytesMax: number, quietMsMax = 0): string | undefined {
  const isPipe = fstatSync(descriptor).isFIFO();
  const bytes = Buffer.alloc(bytesMax + 1);
  let length = 0;
  let quietSinceMs = performance.now();
  for (;;) {
    const count = readSome(descriptor, bytes, length);
    // Without a writer a pipe reads as if it had ended: one that has not brought anything has yet to begin.
    if (count === undefined || (count === 0 && isPipe && length === 0)) {
      if (performance.now() - quietSinceMs >= quietMsMax) {
        throw Object.assign(new Error(`nothing came for ${quietMsMax} ms`), { code: 'ETIMEDOUT' });
      }
      Atomics.wait(SLEEP, 0, 0, POLL_MS);
      continue;
    }
    quietSinceMs = performance.now();
    length += count;
    if (length > bytesMax) return undefined;
    if (count === 0) return bytes.toString('utf8', 0, length);
  }
}

/** Undefined: there is nothing yet. */
function readSome(descriptor: number, bytes: Buffer, at: number): number | undefined {
  try {
    return readSync(descriptor, bytes, at, bytes.length - at, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}
