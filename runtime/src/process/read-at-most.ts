import { readSync } from 'node:fs';

/** All that an open file has, a pipe as well; undefined when that is more than `bytesMax` octets. Something like /dev/zero never ends. */
export function readAtMost(descriptor: number, bytesMax: number): string | undefined {
  const bytes = Buffer.alloc(bytesMax + 1);
  let length = 0;
  for (;;) {
    const count = readSync(descriptor, bytes, length, bytes.length - length, null);
    length += count;
    if (length > bytesMax) return undefined;
    if (count === 0) return bytes.toString('utf8', 0, length);
  }
}
