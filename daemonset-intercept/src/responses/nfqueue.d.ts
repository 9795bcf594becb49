/** The part of the npm package `nfqueue` 0.3 that is used; it brings no types. */
declare module 'nfqueue' {
  export const NF_DROP: number;

  export interface NFQueuePacket {
    readonly info: { readonly id: number; readonly len: number; readonly nfmark: number };
    /** The packet from its IP header on. */
    readonly payload: Buffer;
    setVerdict(verdict: number): void;
  }

  /** Binds the queue and calls back once for each packet. An exception in the callback ends the process. */
  export function createQueueHandler(
    queueNumber: number,
    receiveBufferBytes: number,
    onPacket: (packet: NFQueuePacket) => void,
  ): unknown;
}
