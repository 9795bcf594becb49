import { type FrameType, readU16, WIRE_FORMATS, type WireVersion } from '@trafficcopy/core';
import { FakeConnection } from './fake-link.js';

/** A tunnel of a C tcpcopy that keeps the records that it is sent. */
export class FakeTunnel extends FakeConnection {
  override readonly remote: string;
  readonly records: Uint8Array[] = [];
  /** Of each frame. */
  readonly counts: number[] = [];
  writes = 0;
  readonly #version: WireVersion;

  constructor(version: WireVersion, remote: string) {
    super(`tcpcopy ${version}`);
    this.#version = version;
    this.remote = remote;
  }

  override send(_type: FrameType, payload: Uint8Array): boolean {
    if (this.isFull) return false;
    const { recordBytes } = WIRE_FORMATS[this.#version];
    this.writes += 1;
    for (let at = 0; at < payload.length; ) {
      const count = readU16(payload, at);
      this.counts.push(count);
      at += 2;
      for (let index = 0; index < count; index += 1, at += recordBytes) {
        this.records.push(payload.slice(at, at + recordBytes));
      }
    }
    return true;
  }
}
