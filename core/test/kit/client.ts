/** One client talking to online, as the capture sees it. Sequence numbers start so that they cross the sign bit soon. */
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.js';
import { packetOf, type Segment, TEMPLATE, textOf } from './segment.js';

export class Client {
  readonly base: Segment;
  seq: number;
  ack: number;

  constructor(overrides: Partial<Segment> = {}) {
    this.base = { ...TEMPLATE, seq: 0x7fffff00, ack: 0xffffff80, ...overrides };
    this.seq = this.base.seq;
    this.ack = this.base.ack;
  }

  packet(overrides: Partial<Segment>): Uint8Array {
    return packetOf({ ...this.base, seq: this.seq >>> 0, ack: this.ack >>> 0, ...overrides });
  }

  syn(): Uint8Array {
    const packet = this.packet({ flags: SYN, ack: 0, mss: 1460, windowScale: 7, tsVal: 1 });
    this.seq += 1;
    return packet;
  }

  acknowledge(): Uint8Array {
    return this.packet({ flags: ACK });
  }

  /** Sends text; the sequence number advances. */
  send(text: string | Uint8Array): Uint8Array {
    const bytes = typeof text === 'string' ? textOf(text) : text;
    const packet = this.packet({ flags: ACK | PSH, text: bytes });
    this.seq += bytes.length;
    return packet;
  }

  /** Sends text that is not the end of what there is to say. */
  sendPart(bytes: Uint8Array): Uint8Array {
    const packet = this.packet({ flags: ACK, text: bytes });
    this.seq += bytes.length;
    return packet;
  }

  /** Online has sent so many octets, which the next packet acknowledges. */
  hear(bytes: number): void {
    this.ack += bytes;
  }

  fin(): Uint8Array {
    const packet = this.packet({ flags: FIN | ACK });
    this.seq += 1;
    return packet;
  }

  reset(): Uint8Array {
    return this.packet({ flags: RST | ACK });
  }
}
