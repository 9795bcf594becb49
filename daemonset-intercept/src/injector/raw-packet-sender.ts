import type { PacketBatch } from '@trafficcopy/core';
import { RawSender } from '@trafficcopy/native';
import type { PacketSender } from './packet-sender.js';

export interface RawPacketSenderOptions {
  /** SO_MARK of every packet. */
  readonly mark: number;
  readonly hasIpv6: boolean;
  /** Undefined: the own namespace. */
  readonly netnsPath: string | undefined;
}

/** Sends through raw sockets in the target's namespace; packets come in through its `lo`. */
export class RawPacketSender implements PacketSender {
  readonly #senders: readonly RawSender[];

  /** Needs CAP_NET_RAW, CAP_NET_ADMIN for the mark, and CAP_SYS_ADMIN for another namespace. @throws NativeError */
  constructor({ mark, hasIpv6, netnsPath }: RawPacketSenderOptions) {
    const senders: RawSender[] = [];
    try {
      for (const family of hasIpv6 ? ([4, 6] as const) : ([4] as const)) {
        senders.push(new RawSender({ family, mark, netnsPath }));
      }
    } catch (failure) {
      for (const sender of senders) sender.close();
      throw failure;
    }
    this.#senders = senders;
  }

  send(batch: PacketBatch): number {
    let sent = 0;
    // Each takes the packets of its family and skips the others.
    for (const sender of this.#senders) sent += sender.send(batch);
    return sent;
  }

  errors(): Record<string, number> {
    const total: Record<string, number> = {};
    for (const sender of this.#senders) {
      for (const [name, count] of Object.entries(sender.statistics().errors)) total[name] = (total[name] ?? 0) + count;
    }
    return total;
  }

  close(): void {
    for (const sender of this.#senders) sender.close();
  }
}
