import { FRAME, type FrameType, HeadersPayload } from '@trafficcopy/core';
import type { ChannelConnection } from '@trafficcopy/runtime';
import { elapsedUs, type ResponseView, responseViews, tallies, unreachable } from './response-view.js';

/** A channel connection that keeps what is sent. */
export class FakeConnection implements ChannelConnection {
  static #ids = 0;
  readonly id = ++FakeConnection.#ids;
  readonly peer: ChannelConnection['peer'];
  readonly identity = undefined;
  readonly remote: string = '10.0.0.1:40000';
  readonly isOpen = true;
  readonly peerHasLeft = false;
  readonly queuedBytes = 0;
  readonly framesDropped = 0;
  readonly statistics = {
    framesSent: 0,
    bytesSent: 0,
    framesReceived: 0,
    bytesReceived: 0,
    framesDropped: 0,
    bytesDropped: 0,
  };
  readonly responses: ResponseView[] = [];
  /** For each of them, the time that its record says. */
  readonly elapsedUs: number[] = [];
  /** Of datagrams: injected, refused, failed. */
  readonly tallies: [number, number, number][] = [];
  unreachable = 0;
  frames = 0;
  /** How often what is queued was to be written at once. */
  flushes = 0;
  /** Takes no more frames. */
  isFull = false;

  constructor(name: string, capabilities: readonly string[] = []) {
    this.peer = { version: { major: 1, minor: 0 }, role: 'copy', name, delivery: 'tunnel', capabilities, targets: [] };
  }

  send(type: FrameType, payload: Uint8Array): boolean {
    if (this.isFull) return false;
    const headers = new HeadersPayload();
    if (type === FRAME.HEADERS && headers.read(payload, 0, payload.length)) {
      this.frames += 1;
      this.responses.push(...responseViews(headers));
      this.tallies.push(...tallies(headers));
      this.unreachable += unreachable(headers);
      this.elapsedUs.push(...elapsedUs(headers));
    }
    return true;
  }

  sendBatch(): boolean {
    return true;
  }

  flush(): void {
    this.flushes += 1;
  }

  pause(): void {}
  resume(): void {}
  close(): void {}
}
