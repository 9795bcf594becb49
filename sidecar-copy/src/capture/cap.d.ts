/** The part of the npm package `cap` 0.2 that is used; it brings no types. */
declare module 'cap' {
  import type { EventEmitter } from 'node:events';

  export class Cap extends EventEmitter {
    /** Starts capturing and returns the name of the link type. `buffer` receives each packet before 'packet' is emitted. */
    open(device: string, filter: string, bufferBytes: number, buffer: Buffer): string;
    close(): boolean;
    override on(event: 'packet', listener: (capturedBytes: number, isTruncated: boolean) => void): this;
  }
}
