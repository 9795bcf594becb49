/** Made-up recordings of what clients and online say to each other: pcap files of raw IP packets, written step by step. */
import { ACK, FIN, type IpAddress, PSH, parseIpAddress, RST, SYN } from '@trafficcopy/core';
import { plainPacket } from '@trafficcopy/core/kit/plain-packet.js';

export const ONLINE_PORT = 80;

const LINKTYPE_RAW = 101;
const START_SECONDS = 1_700_000_000;
const SEGMENT_BYTES = 1400;

export interface ConversationOptions {
  readonly clientPort: number;
  readonly family?: 4 | 6;
  /** Default: an address of its own network. */
  readonly client?: string;
  /** It began before the recording: there is no handshake. */
  readonly isRunning?: boolean;
}

export class RecordedConversations {
  private readonly records: Uint8Array[] = [];
  private timeUs = 0;

  /** Time passes before the next packet. */
  pause(ms: number): void {
    this.timeUs += ms * 1000;
  }

  open(options: ConversationOptions): RecordedConversation {
    return new RecordedConversation(options, (packet) => this.add(packet));
  }

  private add(packet: Uint8Array): void {
    this.timeUs += 20;
    const header = Buffer.alloc(16);
    header.writeUInt32LE(START_SECONDS + Math.floor(this.timeUs / 1e6), 0);
    header.writeUInt32LE(this.timeUs % 1e6, 4);
    header.writeUInt32LE(packet.length, 8);
    header.writeUInt32LE(packet.length, 12);
    this.records.push(header, packet);
  }

  file(): Buffer {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262_144, 16);
    header.writeUInt32LE(LINKTYPE_RAW, 20);
    return Buffer.concat([header, ...this.records]);
  }
}

/** One connection, from its handshake on. */
export class RecordedConversation {
  private readonly add: (packet: Uint8Array) => void;
  private readonly addresses: readonly [client: IpAddress, online: IpAddress];
  private readonly clientPort: number;
  private clientSeq = 0x7fff_f000;
  private onlineSeq = 0xffff_f000;

  constructor(
    { clientPort, family = 4, client, isRunning = false }: ConversationOptions,
    add: (packet: Uint8Array) => void,
  ) {
    this.add = add;
    this.clientPort = clientPort;
    const texts = family === 4 ? [client ?? '10.1.0.9', '10.0.0.2'] : [client ?? 'fd01::9', 'fd00::2'];
    this.addresses = [parseIpAddress(texts[0]!)!, parseIpAddress(texts[1]!)!];
    if (isRunning) return;
    this.fromClient(SYN);
    this.clientSeq += 1;
    this.onlineSeq += 1;
    this.fromClient(ACK);
  }

  /** The client sends, in as many segments as it takes. */
  says(content: string | Buffer): this {
    const bytes = Buffer.from(content as string);
    for (let at = 0; at < bytes.length; at += SEGMENT_BYTES) {
      const part = bytes.subarray(at, at + SEGMENT_BYTES);
      this.fromClient(at + SEGMENT_BYTES >= bytes.length ? ACK | PSH : ACK, part);
      this.clientSeq += part.length;
    }
    return this;
  }

  /** Online has sent so many octets, which the client acknowledges. */
  hears(octets: number): this {
    this.onlineSeq += octets;
    this.fromClient(ACK);
    return this;
  }

  closes(): this {
    this.fromClient(FIN | ACK);
    this.clientSeq += 1;
    return this;
  }

  resets(): this {
    this.fromClient(RST | ACK);
    return this;
  }

  private fromClient(flags: number, payload: Uint8Array = new Uint8Array(0)): void {
    const [source, destination] = this.addresses;
    const ports = { sourcePort: this.clientPort, destinationPort: ONLINE_PORT };
    const numbers = { seq: this.clientSeq, ack: flags === SYN ? 0 : this.onlineSeq };
    this.add(plainPacket({ source, destination, ...ports, ...numbers, flags, payload }));
  }
}
