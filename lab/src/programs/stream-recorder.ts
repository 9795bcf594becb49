import { createHash, type Hash } from 'node:crypto';
import type { Socket } from 'node:net';
import type { StreamRecord } from '../stream-record.js';

interface Stream {
  readonly client: string;
  readonly hash: Hash;
  bytes: number;
  requests: number;
  end: StreamRecord['end'];
}

/** Hashes what arrives on every connection of a server, in the order in which the connections came. */
export class StreamRecorder {
  readonly #streams: Stream[] = [];
  #bytes = 0;
  #open = 0;

  /** Call at the server's 'connection', before anything was read. */
  record(socket: Socket): Stream {
    const address = socket.remoteAddress ?? '';
    const host = address.startsWith('::ffff:') ? address.slice(7) : address.includes(':') ? `[${address}]` : address;
    const stream: Stream = {
      client: `${host}:${socket.remotePort ?? 0}`,
      hash: createHash('sha256'),
      bytes: 0,
      requests: 0,
      end: 'open',
    };
    this.#streams.push(stream);
    this.#open += 1;
    socket.on('data', (chunk: Buffer) => {
      stream.hash.update(chunk);
      stream.bytes += chunk.length;
      this.#bytes += chunk.length;
    });
    socket.on('end', () => {
      if (stream.end === 'open') stream.end = 'fin';
    });
    socket.on('error', () => {
      stream.end = 'reset';
    });
    socket.on('close', () => {
      this.#open -= 1;
    });
    return stream;
  }

  get totals(): { connections: number; open: number; bytes: number } {
    return { connections: this.#streams.length, open: this.#open, bytes: this.#bytes };
  }

  report(): StreamRecord[] {
    return this.#streams.map(({ client, hash, bytes, requests, end }) => ({
      client,
      bytes,
      sha256: hash.copy().digest('hex'),
      requests,
      end,
    }));
  }
}
