import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { describe, it } from 'node:test';
import { unacknowledgedOctets } from '../lib/index.js';
import { until } from './kit/condition.js';

const fdOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd;

describe('what a TCP socket has sent and nobody has acknowledged', () => {
  it('is nothing while the other end takes it, and what its buffers do not hold when it reads nothing', async () => {
    const accepted: Socket[] = [];
    const server = createServer({ pauseOnConnect: true }, (socket) => void accepted.push(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    socket.write('taken');
    await until('all is taken', () => accepted.length === 1 && unacknowledgedOctets(fdOf(socket)) === 0);
    socket.write(Buffer.alloc(64 * 1024 * 1024));
    await until('something is not', () => (unacknowledgedOctets(fdOf(socket)) ?? 0) > 0);
    accepted[0]!.resume();
    await until('the rest is taken', () => socket.writableLength === 0 && unacknowledgedOctets(fdOf(socket)) === 0);
    socket.destroy();
    server.close();
  });

  it('is not known of what is no TCP socket', () => {
    assert.equal(unacknowledgedOctets(openSync('/dev/null', 'r')), undefined);
    assert.equal(unacknowledgedOctets(1_000_000), undefined);
    assert.equal(unacknowledgedOctets(-1), undefined);
  });
});
