import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** `-`: standard input. */
export const STANDARD_INPUT = '-';

const READ_BYTES = 256 * 1024;
const GZIP_MAGIC = [0x1f, 0x8b];

/** The octets of a capture file, unpacked where it is gzip. `onRead` hears of the file's own octets as they are read. */
export async function* captureOctets(path: string, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  const input = path === STANDARD_INPUT ? process.stdin : createReadStream(path, { highWaterMark: READ_BYTES });
  try {
    const pieces = counted(input, onRead);
    // RFC 1952 2.3.1: a pipe may bring the two octets one by one.
    let head = Buffer.alloc(0);
    while (head.length < GZIP_MAGIC.length) {
      const next = await pieces.next();
      if (next.done === true) break;
      head = Buffer.concat([head, next.value]);
    }
    const whole = prepended(head, pieces);
    if (GZIP_MAGIC.every((octet, index) => head[index] === octet)) yield* unpacked(whole);
    else yield* whole;
  } finally {
    input.destroy();
  }
}

async function* counted(input: Readable, onRead: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const piece of input) {
    onRead((piece as Buffer).length);
    yield piece as Buffer;
  }
}

async function* prepended(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}

async function* unpacked(packed: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: READ_BYTES });
  // What fails on either side destroys the other with the reason; the loop below throws it.
  pipeline(Readable.from(packed, { objectMode: false, highWaterMark: READ_BYTES }), gunzip, () => {});
  for await (const piece of gunzip) yield piece as Buffer;
}
