import {
  ACK,
  type AddressRange,
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
  RECORD_OPEN,
  RECORD_PACKET,
  ReplayBatch,
  SYN,
} from '@trafficcopy/core';
import type { CopyLink } from '../../src/channel/copy-link.js';
import { CopyLinks } from '../../src/channel/copy-links.js';
import { createInterceptCounters } from '../../src/counters.js';
import type { PacketSender } from '../../src/injector/packet-sender.js';
import { INTERCEPT_LIMITS_DEFAULT, type InterceptLimits } from '../../src/limits.js';
import { Pipeline } from '../../src/pipeline.js';
import { HEADER_COPY_BYTES, type ResponseSource } from '../../src/responses/response-source.js';
import { TargetGate } from '../../src/targets/target-gate.js';
import { craftPacket, type PacketTemplate } from './crafted-packet.js';
import { FakeConnection } from './fake-link.js';

export const TEMPLATE: PacketTemplate = {
  source: '198.51.100.7',
  destination: '10.0.0.3',
  sourcePort: 40_000,
  destinationPort: 8080,
  seq: 1000,
  ack: 0,
  flags: SYN,
  payload: '',
  isMarked: false,
};

/** Keeps what is sent. */
export class FakeSender implements PacketSender {
  readonly packets: Uint8Array[] = [];
  calls = 0;
  /** Sees the size of each batch before the call returns, as the target does. */
  onSend: (packets: number) => void = () => {};
  /** So many of each batch the kernel does not take. */
  failing = 0;

  send(batch: PacketBatch): number {
    this.calls += 1;
    this.onSend(batch.count);
    for (let index = 0; index < batch.count; index += 1) {
      const entry = index * PACKET_ENTRY_FIELDS;
      const offset = batch.entries[entry + ENTRY_OFFSET]!;
      this.packets.push(batch.bytes.slice(offset, offset + batch.entries[entry + ENTRY_CAPTURED_BYTES]!));
    }
    return Math.max(0, batch.count - this.failing);
  }

  errors(): Record<string, number> {
    return {};
  }

  close(): void {}
}

/** Hands out packets that a test put in. */
export class FakeSource implements ResponseSource {
  bytes = new Uint8Array(0);
  entries = new Uint32Array(0);
  count = 0;
  readonly #waiting: Uint8Array[][] = [];

  put(...packets: Uint8Array[]): void {
    this.#waiting.push(packets);
  }

  read(): boolean {
    const packets = this.#waiting.shift();
    if (packets === undefined) return false;
    const wireBytes = packets.map((packet) => packet.length);
    const copies = packets.map((packet) => packet.subarray(0, this.copyBytes));
    this.bytes = new Uint8Array(Buffer.concat(copies));
    this.entries = new Uint32Array(packets.length * PACKET_ENTRY_FIELDS);
    this.count = packets.length;
    let offset = 0;
    for (const [index, packet] of copies.entries()) {
      const entry = index * PACKET_ENTRY_FIELDS;
      this.entries[entry + ENTRY_OFFSET] = offset;
      this.entries[entry + ENTRY_CAPTURED_BYTES] = packet.length;
      this.entries[entry + ENTRY_WIRE_BYTES] = wireBytes[index]!;
      offset += packet.length;
    }
    return true;
  }

  /** As the kernel copies them. */
  copyBytes = HEADER_COPY_BYTES;

  setCopyBytes(copyBytes: number): void {
    this.copyBytes = copyBytes;
  }

  start(): void {}
  stop(): void {}
  statistics() {
    return { packets: 0, queueDropped: 0, userDropped: 0 };
  }
  close(): void {}
}

/** The walk back between fakes, with a clock that only moves when told. */
export class PipelineRig {
  readonly sender = new FakeSender();
  readonly source = new FakeSource();
  readonly counters = createInterceptCounters();
  readonly links: CopyLinks;
  readonly pipeline: Pipeline;
  readonly limits: InterceptLimits;
  /** Targets of datagrams that do not listen. */
  readonly closedPorts: string[] = [];
  nowMs = 1_000_000;

  constructor(limits: Partial<InterceptLimits> = {}, udpClients: readonly AddressRange[] = []) {
    this.limits = { ...INTERCEPT_LIMITS_DEFAULT, flowsMax: 64, endpointsMax: 8, connectionsMax: 4, ...limits };
    this.links = new CopyLinks(this.limits.connectionsMax);
    const served = [{ address: undefined, port: 8080 }];
    const gate = new TargetGate({ served, allowedSources: [], passed: [] });
    gate.setLocalAddresses(['10.0.0.3', 'fd00::3', '::1']);
    this.pipeline = new Pipeline({
      sender: this.sender,
      source: this.source,
      gate,
      links: this.links,
      counters: this.counters,
      limits: this.limits,
      udpClients,
      onClosedPort: (target) => this.closedPorts.push(target),
      seed: 7,
      nowMs: () => this.nowMs,
      nowUs: () => this.nowMs * 1000,
    });
  }

  connect(name = 'copy', capabilities: readonly string[] = []): { link: CopyLink; connection: FakeConnection } {
    const connection = new FakeConnection(name, capabilities);
    const link = this.links.open(connection, undefined);
    if (link === undefined) throw new Error('no place for a link');
    this.pipeline.followWishes();
    return { link, connection };
  }

  /** copy --record--> intercept, in a frame of its own. */
  record(link: CopyLink, sessionId: number, kind: number, packet: Uint8Array, isRegister = false): void {
    const batch = new ReplayBatch(65_536 + 64, 4);
    batch.bytes.set(packet, batch.append(sessionId, kind, packet.length));
    this.pipeline.packets(link, batch.bytes, batch.headroomBytes, batch.length - batch.headroomBytes, isRegister);
  }

  /** copy --records--> intercept, in one frame. */
  frame(link: CopyLink, records: readonly (readonly [kind: number, packet: Uint8Array, sessionId?: number])[]): void {
    const batch = new ReplayBatch(65_536 + 64 * records.length, records.length);
    for (const [kind, packet, sessionId = 0] of records) {
      batch.bytes.set(packet, batch.append(sessionId, kind, packet.length));
    }
    this.pipeline.packets(link, batch.bytes, batch.headroomBytes, batch.length - batch.headroomBytes, false);
  }

  /** copy --records--> intercept: the SYN of a session and `count` packets of it, in frames of `perFrame` records. */
  burst(link: CopyLink, sessionId: number, count: number, perFrame: number): void {
    const batch = new ReplayBatch((count + 1) * 64, count + 1);
    const offsets: number[] = [];
    for (let index = 0; index <= count; index += 1) {
      if (index % perFrame === 0) offsets.push(batch.length);
      const changes = index === 0 ? {} : { flags: ACK, seq: 1001, ack: 1, payload: 'hello' };
      const packet = craftPacket({ ...TEMPLATE, ...changes });
      const kind = index === 0 ? RECORD_OPEN : RECORD_PACKET;
      batch.bytes.set(packet, batch.append(sessionId, kind, packet.length));
    }
    for (const [index, offset] of offsets.entries()) {
      const end = offsets[index + 1] ?? batch.length;
      this.pipeline.packets(link, batch.bytes, offset, end - offset, false);
    }
  }

  /** What the target says to the client of the template. */
  answer(changes: Partial<PacketTemplate>): Uint8Array {
    const { source, destination, sourcePort, destinationPort } = TEMPLATE;
    const reverse = {
      source: destination,
      destination: source,
      sourcePort: destinationPort,
      destinationPort: sourcePort,
    };
    return craftPacket({ ...TEMPLATE, ...reverse, ...changes });
  }

  open(link: CopyLink, sessionId: number, changes: Partial<PacketTemplate> = {}): void {
    this.record(link, sessionId, RECORD_OPEN, craftPacket({ ...TEMPLATE, ...changes }));
  }

  /** target --response--> intercept */
  respond(changes: Partial<PacketTemplate>): void {
    this.source.put(this.answer(changes));
    this.pipeline.drain();
  }

  /** Time passes, with ticks. */
  wait(ms: number): void {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      this.nowMs = Math.min(end, this.nowMs + 250);
      this.pipeline.tick();
    }
  }
}
