/** One target connection over a socket that the test plays. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it, mock } from 'node:test';
import { ACK, FIN, PacketHeader, PSH, RST, Seq, SYN } from '@trafficcopy/core';
import { ConnectedFlow, type FlowSurroundings, type SocketHandlers } from '../../src/connect/connected-flow.js';

const ISS = Seq.seq(0x7fff_fff0);
const FLAGS: readonly [bit: number, name: string][] = [
  [SYN, 'SYN'],
  [FIN, 'FIN'],
  [RST, 'RST'],
  [PSH, 'PSH'],
  [ACK, 'ACK'],
];

class SocketStandIn extends EventEmitter {
  writableLength = 0;
  writable = true;
  destroyed = false;
  calls: string[] = [];
  /** Takes nothing: it stays in the socket. */
  isFull = false;
  private callbacks: (() => void)[] = [];

  write(bytes: Buffer, done: () => void): boolean {
    this.calls.push(bytes.toString());
    if (!this.isFull) return true;
    this.writableLength += bytes.length;
    this.callbacks.push(done);
    return false;
  }

  /** The kernel takes all of it. */
  drain(): void {
    this.writableLength = 0;
    for (const done of this.callbacks.splice(0)) done();
  }

  end(): void {
    this.calls.push('end');
  }

  destroy(): void {
    this.destroyed = true;
    this.calls.push('destroy');
  }

  resetAndDestroy(): void {
    this.destroyed = true;
    this.calls.push('reset');
  }

  setTimeout(): void {}
}

const rigs: Rig[] = [];
afterEach(() => {
  for (const rig of rigs.splice(0)) rig.handlers.onClose();
});

class Rig implements FlowSurroundings {
  readonly said: string[] = [];
  readonly problems: string[] = [];
  readonly sockets: SocketStandIn[] = [];
  queued = 0;
  /** Octets that the kernel has and the target's host has not acknowledged. */
  outstanding = 0;
  hasRoom = true;
  portless = 0;
  /** Of the last header. */
  elapsedUs = -1;
  handlers!: SocketHandlers;
  private sent = 1;
  readonly flow = new ConnectedFlow(this, 5, '10.0.0.3', 80, ISS);

  constructor() {
    rigs.push(this);
  }

  connect(_session: number, _host: string, _port: number, handlers: SocketHandlers): Socket {
    this.handlers = handlers;
    const socket = new SocketStandIn();
    this.sockets.push(socket);
    return socket as unknown as Socket;
  }

  refuse(_session: number, problem: string): void {
    this.said.push('no room');
    this.problems.push(problem);
  }

  note(problem: string): void {
    this.problems.push(problem);
  }

  unacknowledged(): number {
    return this.outstanding;
  }

  noteNoPort(): void {
    this.portless += 1;
  }

  noteQueued(bytes: number): void {
    this.queued += bytes;
  }

  say(...[, flags, , ack, windowField, payloadBytes, elapsedUs]: Parameters<FlowSurroundings['say']>): void {
    this.elapsedUs = elapsedUs;
    const names = FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name);
    const octets = payloadBytes > 0 ? ` ${payloadBytes}` : '';
    // Of the octets that the engine sent.
    const acked = Seq.sizeBetween(ISS, Seq.seq(ack)) - 1;
    const isClosed = windowField === 0 && (flags & RST) === 0;
    this.said.push(`${names.join('+')}${octets} acked ${acked}${isClosed ? ' closed' : ''}`);
  }

  open(): this {
    this.flow.syn();
    this.handlers.onConnect();
    this.said.length = 0;
    return this;
  }

  /** What was said since the last call. */
  heard(): string[] {
    return this.said.splice(0);
  }

  engine(flags: number, text = '', from = this.sent): void {
    const header = new PacketHeader();
    header.flags = flags;
    header.seq = Seq.add(ISS, from);
    header.payloadBytes = text.length;
    if (text.length > 0) this.sent = Math.max(this.sent, from + text.length);
    this.flow.segment(Buffer.from(text), header);
  }

  get socket(): SocketStandIn {
    return this.sockets.at(-1)!;
  }
}

function error(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

describe('a connected flow', () => {
  it('connecting: the SYN-ACK comes when the socket is connected; a repeated SYN opens no second one', () => {
    const rig = new Rig();
    rig.flow.syn();
    rig.flow.syn();
    assert.deepEqual(rig.heard(), []);
    rig.handlers.onConnect();
    assert.deepEqual(rig.heard(), ['SYN+ACK acked 0']);
    rig.flow.syn();
    assert.deepEqual(rig.heard(), ['SYN+ACK acked 0']);
    assert.equal(rig.sockets.length, 1);
  });

  it('connecting: who refuses is named; who cannot be reached is tried again with the next SYN', () => {
    const refused = new Rig();
    refused.flow.syn();
    refused.handlers.onError(error('ECONNREFUSED'));
    assert.deepEqual(refused.heard(), ['RST+ACK acked 0']);
    const away = new Rig();
    away.flow.syn();
    away.handlers.onError(error('EHOSTUNREACH'));
    assert.deepEqual(away.heard(), []);
    assert.match(away.problems[0]!, /10\.0\.0\.3 port 80: EHOSTUNREACH/);
    away.flow.syn();
    assert.equal(away.sockets.length, 2);
    away.handlers.onConnect();
    assert.deepEqual(away.heard(), ['SYN+ACK acked 0']);
  });

  it('connecting: where this host has no socket left there is no room; where it has no port the next SYN tries again', () => {
    const rig = new Rig();
    rig.flow.syn();
    rig.handlers.onError(error('EMFILE'));
    assert.deepEqual(rig.heard(), ['no room']);
    const portless = new Rig();
    portless.flow.syn();
    portless.handlers.onError(error('EADDRNOTAVAIL'));
    assert.deepEqual(portless.heard(), []);
    assert.equal(portless.portless, 1);
    portless.flow.syn();
    portless.handlers.onConnect();
    assert.deepEqual(portless.heard(), ['SYN+ACK acked 0']);
  });

  it('text is acknowledged with what the target answers, as far as its host has it', () => {
    const rig = new Rig().open();
    rig.engine(ACK | PSH, 'request');
    assert.deepEqual(rig.heard(), []);
    rig.handlers.onRead(100, false);
    assert.deepEqual(rig.heard(), ['PSH+ACK 100 acked 7']);
    rig.outstanding = 4;
    rig.engine(ACK | PSH, 'more');
    rig.handlers.onRead(65_536, true);
    assert.deepEqual(rig.heard(), ['ACK 65536 acked 7']);
  });

  it('an answer says how long it took since the last text was written; a greeting answers nothing', () => {
    const rig = new Rig().open();
    rig.handlers.onRead(20, false);
    assert.equal(rig.elapsedUs, -1);
    rig.engine(ACK | PSH, 'request');
    rig.handlers.onRead(100, false);
    assert.ok(rig.elapsedUs >= 0 && rig.elapsedUs < 60_000_000, `${rig.elapsedUs}`);
  });

  it('text that is not answered is acknowledged when the target’s host has it; while it takes nothing the window is closed', () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const rig = new Rig().open();
      rig.outstanding = 7;
      rig.engine(ACK | PSH, 'one way');
      mock.timers.tick(2);
      assert.deepEqual(rig.heard(), ['ACK acked 0 closed']);
      // Asked less and less often.
      mock.timers.tick(4);
      assert.deepEqual(rig.heard(), ['ACK acked 0 closed']);
      rig.outstanding = 0;
      mock.timers.tick(7);
      assert.deepEqual(rig.heard(), []);
      mock.timers.tick(1);
      assert.deepEqual(rig.heard(), ['ACK acked 7']);
      mock.timers.tick(10_000);
      assert.deepEqual(rig.heard(), []);
    } finally {
      mock.timers.reset();
    }
  });

  it('text that the FIN of the target overtakes is not acknowledged, and what its host had before is', () => {
    const closing = new Rig().open();
    closing.outstanding = 7;
    closing.engine(ACK | PSH, 'request');
    closing.handlers.onEnd();
    assert.deepEqual(closing.heard(), ['FIN+ACK acked 0']);
    closing.handlers.onError(error('ECONNRESET'));
    assert.deepEqual(closing.heard(), ['RST+ACK acked 0']);
    closing.handlers.onRead(1, false);
    assert.deepEqual(closing.heard(), []);
    const farewell = new Rig().open();
    farewell.engine(ACK | PSH, 'quit');
    farewell.handlers.onEnd();
    assert.deepEqual(farewell.heard(), ['FIN+ACK acked 4']);
  });

  it('of an upload the kernel is asked with every 16 KiB', () => {
    const rig = new Rig().open();
    rig.outstanding = 10_000;
    for (let segment = 0; segment < 4; segment += 1) rig.engine(ACK, 'u'.repeat(16_384));
    assert.deepEqual(rig.heard(), ['ACK acked 22768', 'ACK acked 39152', 'ACK acked 55536']);
  });

  it('while the socket holds octets the window is closed and they are not acknowledged', () => {
    const rig = new Rig().open();
    rig.engine(ACK, 'u'.repeat(16_384));
    rig.socket.isFull = true;
    rig.engine(ACK, 'u'.repeat(16_384));
    assert.deepEqual(rig.heard(), ['ACK acked 16384 closed']);
    assert.equal(rig.queued, 16_384);
    rig.socket.drain();
    assert.equal(rig.queued, 0);
    rig.handlers.onRead(1, false);
    assert.deepEqual(rig.heard(), ['ACK acked 32768', 'PSH+ACK 1 acked 32768']);
  });

  it('without room for more, text is left to be sent again', () => {
    const rig = new Rig().open();
    rig.hasRoom = false;
    rig.engine(ACK | PSH, 'request', 1);
    rig.hasRoom = true;
    rig.engine(ACK | PSH, 'request', 1);
    assert.deepEqual(rig.socket.calls, ['request']);
  });

  it('repeated text is written once, the rest of it behind what is known', () => {
    const rig = new Rig().open();
    rig.engine(ACK | PSH, 'abc', 1);
    rig.engine(ACK | PSH, 'abcdef', 1);
    rig.engine(ACK | PSH, 'abcdef', 1);
    assert.deepEqual(rig.socket.calls, ['abc', 'def']);
    assert.deepEqual(rig.heard(), ['ACK acked 0']);
  });

  it('the FIN of the engine ends the writing side; it is acknowledged when the kernel has it', () => {
    const rig = new Rig().open();
    rig.engine(ACK | PSH, 'request');
    rig.engine(FIN | ACK);
    assert.deepEqual(rig.socket.calls, ['request', 'end']);
    assert.deepEqual(rig.heard(), []);
    rig.handlers.onFinish();
    assert.deepEqual(rig.heard(), ['ACK acked 8']);
    rig.handlers.onRead(10, false);
    rig.handlers.onEnd();
    assert.deepEqual(rig.heard(), ['PSH+ACK 10 acked 8', 'FIN+ACK acked 8']);
    rig.flow.leave();
    assert.deepEqual(rig.socket.calls, ['request', 'end']);
  });

  it('a reset of the engine resets the socket when its number fits', () => {
    const rig = new Rig().open();
    rig.engine(RST, '', 5000);
    assert.deepEqual(rig.socket.calls, []);
    rig.engine(RST | ACK);
    assert.deepEqual(rig.socket.calls, ['reset']);
    const half = new Rig();
    half.flow.syn();
    half.engine(RST, '', 1);
    assert.deepEqual(half.socket.calls, ['destroy']);
  });

  it('left while it is open, it is reset', () => {
    const rig = new Rig().open();
    rig.flow.leave();
    assert.deepEqual(rig.socket.calls, ['reset']);
    rig.handlers.onError(error('ECONNRESET'));
    assert.deepEqual(rig.heard(), []);
  });
});
