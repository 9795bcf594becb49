import {
  ACK,
  FRAME,
  type FrameType,
  HeadersPayload,
  PSH,
  RECORD_OPEN,
  RECORD_PACKET,
  ReplayBatch,
  SYN,
} from '@trafficcopy/core';
import { eventually } from '@trafficcopy/lab';
import { ChannelClient, type ChannelConnection, type ChannelError, type ClientCredentials } from '@trafficcopy/runtime';
import { craftPacket, type PacketTemplate } from './crafted-packet.js';
import { type ResponseView, responseViews, tallies } from './response-view.js';

const DEADLINE_MS = 5000;

export interface TestCopyIdentity {
  /** Default: plain TCP. */
  readonly credentials?: ClientCredentials | undefined;
  /** What HELLO names. */
  readonly targets?: readonly { readonly address: string; readonly port: number }[] | undefined;
}

/** A copy of a few hand-made packets: connects to an intercept and keeps what comes back. */
export class TestCopy {
  readonly responses: ResponseView[] = [];
  /** Why connections ended or were refused, the last one last. */
  readonly failures: ChannelError[] = [];
  #connection: ChannelConnection | undefined;
  readonly #client: ChannelClient;
  /** What became of its datagrams. */
  readonly datagrams = { injected: 0, refused: 0, failed: 0 };

  constructor(port: number, name = 'test-copy', { credentials, targets = [] }: TestCopyIdentity = {}) {
    const headers = new HeadersPayload();
    this.#client = new ChannelClient({
      host: '127.0.0.1',
      port,
      credentials: credentials ?? 'insecure',
      hello: { role: 'copy', name, delivery: 'tunnel', capabilities: [], targets },
      onUp: (connection) => {
        this.#connection = connection;
      },
      onDown: (reason) => {
        this.#connection = undefined;
        this.failures.push(reason);
      },
      onFrame: (_connection, type, bytes, offset, length) => {
        if (type !== FRAME.HEADERS || !headers.read(bytes, offset, length)) return;
        this.responses.push(...responseViews(headers));
        for (const tally of tallies(headers)) this.#add(tally);
      },
    });
  }

  async start(): Promise<this> {
    this.#client.start();
    await this.connected();
    return this;
  }

  async connected(): Promise<void> {
    await eventually('the test copy is connected', DEADLINE_MS * 6, () => this.#connection !== undefined);
  }

  /** Begins without waiting: it may be refused. */
  begin(): this {
    this.#client.start();
    return this;
  }

  /** Waits until it has been refused with the code. */
  async refused(code: string): Promise<void> {
    await eventually(`the test copy is refused: ${code}`, DEADLINE_MS * 6, () =>
      this.failures.some(({ refusal }) => refusal === code),
    );
  }

  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /** What WELCOME said. */
  get capabilities(): readonly string[] {
    return this.#connection?.peer.capabilities ?? [];
  }

  #add([injected, refused, failed]: readonly [number, number, number]): void {
    this.datagrams.injected += injected;
    this.datagrams.refused += refused;
    this.datagrams.failed += failed;
  }

  close(): void {
    this.#client.close();
  }

  send(type: FrameType, sessionId: number, kind: number, packet: Uint8Array): void {
    const batch = new ReplayBatch(65_536, 16);
    batch.bytes.set(packet, batch.append(sessionId, kind, packet.length));
    this.#connection?.sendBatch(type, batch);
    this.#connection?.flush();
  }

  sendBytes(type: FrameType, payload: Uint8Array): void {
    this.#connection?.send(type, payload);
    this.#connection?.flush();
  }

  /** The next response of the session that `isIt` accepts; responses before it stay. */
  async response(sessionId: number, isIt: (response: ResponseView) => boolean = () => true): Promise<ResponseView> {
    return await eventually(`a response of session ${sessionId}`, DEADLINE_MS, () =>
      this.responses.find((response) => response.sessionId === sessionId && isIt(response)),
    );
  }

  /** SYN, SYN-ACK, ACK with a request, response: returns what the target answered with. */
  async exchange(
    sessionId: number,
    template: Pick<PacketTemplate, 'source' | 'destination' | 'sourcePort' | 'destinationPort'>,
    request: string,
  ): Promise<ResponseView> {
    const base: PacketTemplate = { ...template, seq: 1000, ack: 0, flags: SYN, payload: '', isMarked: false };
    this.send(FRAME.PACKETS, sessionId, RECORD_OPEN, craftPacket(base));
    const synAck = await this.response(sessionId, ({ flags }) => flags === (SYN | ACK));
    const data: PacketTemplate = { ...base, seq: 1001, ack: synAck.seq + 1, flags: ACK | PSH, payload: request };
    this.send(FRAME.PACKETS, sessionId, RECORD_PACKET, craftPacket(data));
    return await this.response(sessionId, ({ payloadBytes }) => payloadBytes > 0);
  }
}
