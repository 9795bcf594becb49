/**
 * Copies UDP datagrams of clients to targets: one way, each for itself. It is sent from an address that stands in for its client's (-c),
 * so that what the target answers can be kept from real clients by that address, wherever it comes from.
 *
 *   client --captured packets--> flow --its ports--> outputs[lane] --> intercept --what became of them--> ledger
 *
 * A datagram is never sent twice to one target: what is lost on the way is counted, and not repeated.
 */
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  type PacketBatch,
} from '../batch/packet-batch.js';
import { RECORD_DATAGRAM } from '../batch/replay-batch.js';
import {
  DATAGRAMS_FAILED,
  DATAGRAMS_INJECTED,
  DATAGRAMS_REFUSED,
  DATAGRAMS_UNREACHABLE,
  RESPONSE_EVENT,
  RESPONSE_EVENT_DATAGRAMS,
  type ResponseBatch,
  responseRecordBytes,
} from '../batch/response-record.js';
import type { DatagramCounters, DatagramLossReason, EngineCounters } from '../counters.js';
import type { EngineConfig } from '../engine-config.js';
import { AddressPool } from '../flow/address-pool.js';
import { flowHash } from '../flow/flow-hash.js';
import { ALL_PORTS } from '../flow/port-share.js';
import type { EndpointState } from '../session/endpoint-state.js';
import type { Lanes } from '../session/lanes.js';
import type { Selection } from '../session/selection.js';
import type { TargetState } from '../session/target-state.js';
import { copyBytes, readU32, writeU16 } from '../wire/bytes.js';
import { DatagramHeader, parseDatagram, parseFirstFragment, UDP_HEADER_BYTES } from '../wire/datagram-header.js';
import { IPPROTO_UDP } from '../wire/ip-header.js';
import { ipHeaderBytes, writeIpHeader } from '../wire/ip-writer.js';
import { DatagramBacklog } from './datagram-backlog.js';
import { DatagramFlows } from './datagram-flows.js';

/** What a record can hold. */
const PACKET_BYTES_MAX = 65_535;
/** Of the ports of an address that clients can have, nine in ten: with more of them in use the search for one gets long. */
const PORTS_OF_AN_ADDRESS = 58_000;
/** Of EngineLimits.heldBytesMax, what datagrams may take that wait for room. */
const BACKLOG_SHARE = 4;

export class DatagramCopier {
  readonly #selection: Selection;
  readonly #lanes: Lanes;
  readonly #counters: EngineCounters;
  readonly #ledger: DatagramCounters;
  readonly #flows: DatagramFlows;
  readonly #backlog: DatagramBacklog;
  readonly #seed: number;
  readonly #header = new DatagramHeader();
  /** Copies of the oldest in the backlog that are through. */
  #backlogDone = 0;
  /** By lane: copies on their way to intercept, or there. */
  readonly #inFlight: number[] = [];

  constructor(config: EngineConfig, selection: Selection, lanes: Lanes, counters: EngineCounters) {
    const { limits, seed, ports } = config;
    this.#selection = selection;
    this.#lanes = lanes;
    this.#counters = counters;
    this.#ledger = counters.datagrams;
    this.#seed = seed;
    const { connectionsMax: flowsMax, sessionsMax } = limits;
    const placesMax = Math.min(sessionsMax, portsOf(config));
    this.#flows = new DatagramFlows({ flowsMax, placesMax, seed, ports }, selection.addresses);
    this.#backlog = new DatagramBacklog(Math.floor(limits.heldBytesMax / BACKLOG_SHARE));
  }

  /** Whether datagrams wait for the batches to be drained. */
  get hasBacklog(): boolean {
    return !this.#backlog.isEmpty;
  }

  get heldBytes(): number {
    return this.#backlog.usedBytes;
  }

  /** client --captured packets--> outputs. Nothing of the batch is kept. */
  ingest(batch: PacketBatch, nowMs: number): void {
    this.flush();
    const { bytes, entries, count } = batch;
    for (let index = 0, at = 0; index < count; index += 1, at += PACKET_ENTRY_FIELDS) {
      const offset = entries[at + ENTRY_OFFSET]!;
      this.#onPacket(bytes, offset, entries[at + ENTRY_CAPTURED_BYTES]!, entries[at + ENTRY_WIRE_BYTES]!, nowMs);
    }
  }

  #onPacket(bytes: Uint8Array, offset: number, capturedBytes: number, wireBytes: number, nowMs: number): void {
    const counters = this.#counters;
    const header = this.#header;
    counters.packetsCaptured += 1;
    const verdict = parseDatagram(bytes, offset, capturedBytes, wireBytes, header);
    const isFragment = verdict === 'fragment';
    if (isFragment ? !parseFirstFragment(bytes, offset, capturedBytes, header) : verdict !== 'ok') {
      if (!isFragment) counters.packetsMalformed += 1;
      return;
    }
    const online = this.#onlineOf(bytes);
    if (online < 0) {
      counters.packetsUnmapped += 1;
      return;
    }
    counters.bytesCaptured += header.payloadBytes;
    const copies = this.#copiesDue(bytes, online, nowMs);
    if (copies === 0) return;
    if (isFragment) this.#lose('fragmented', copies);
    else if (header.payloadBytesPresent < header.payloadBytes) this.#lose('cutShort', copies);
    else this.#copy(bytes, offset, capturedBytes, online, copies);
  }

  #onlineOf(bytes: Uint8Array): number {
    const { addressOffset, addressBytes, destinationPort } = this.#header;
    return this.#selection.onlines.find(bytes, addressOffset + addressBytes, addressBytes, destinationPort);
  }

  /** Counts the datagram, and says how many copies of it are to be sent, over all targets. */
  #copiesDue(bytes: Uint8Array, online: number, nowMs: number): number {
    const selection = this.#selection;
    const ledger = this.#ledger;
    const targets = selection.onlines.mappingOf(online)!.targets.length;
    const copiesMax = targets * selection.copies;
    ledger.captured += 1;
    const verdict = selection.verdict(bytes, this.#header, nowMs);
    const isLost = selection.isPaused || verdict === 'overBudget';
    const copies = verdict === 'sampledOut' ? 0 : targets * selection.copiesDueOf(bytes, this.#header, nowMs);
    ledger.notChosen += copiesMax - copies;
    ledger.copies += copies;
    ledger.pending += copies;
    if (!isLost) return copies;
    this.#lose(selection.isPaused ? 'suspended' : 'overBudget', copies);
    return 0;
  }

  #copy(bytes: Uint8Array, offset: number, packetBytes: number, online: number, copies: number): void {
    const isFirst = this.#backlog.isEmpty;
    const done = isFirst ? this.#send(bytes, online, 0, copies) : 0;
    if (done === copies) return;
    if (!this.#backlog.push(bytes, offset, packetBytes, copies)) this.#lose('shed', copies - done);
    else if (isFirst) this.#backlogDone = done;
  }

  /** Sends what waited, as far as there is room now. */
  flush(): void {
    const backlog = this.#backlog;
    while (!backlog.isEmpty) {
      const { bytes, packetAt, packetBytes, copies } = backlog;
      // It was parsed once; what its mapping is may have changed.
      parseDatagram(bytes, packetAt, packetBytes, packetBytes, this.#header);
      const online = this.#onlineOf(bytes);
      if (online < 0) this.#lose('targetUnavailable', copies - this.#backlogDone);
      else this.#backlogDone = this.#send(bytes, online, this.#backlogDone, copies);
      if (online >= 0 && this.#backlogDone < copies) return;
      this.#backlogDone = 0;
      backlog.shift();
    }
  }

  /**
   * Sends the copies of the current header's datagram from `first` on, each target's first, then each target's second, and so on.
   * Returns how many are through: less than `copies` when an output has no room.
   */
  #send(bytes: Uint8Array, online: number, first: number, copies: number): number {
    const { targets } = this.#selection.onlines.mappingOf(online)!;
    const header = this.#header;
    const flows = this.#flows;
    flows.find(bytes, header, online);
    flows.skip(first);
    const { client } = flows;
    for (let at = first; at < copies; at += 1) {
      const target = targets[at % targets.length];
      const copy = Math.floor(at / Math.max(targets.length, 1));
      const endpoint = target === undefined ? undefined : this.#endpointFor(client, target);
      const reason = this.#obstacle(endpoint);
      if (endpoint === undefined || reason !== undefined) {
        this.#lose(reason ?? 'targetUnavailable', 1);
        flows.skip(1);
        continue;
      }
      if (!this.#sendCopy(bytes, client, endpoint, copy)) return at;
    }
    return copies;
  }

  #endpointFor(client: Uint8Array, target: TargetState): EndpointState | undefined {
    if (target.endpoints.length <= 1) return target.endpoints[0];
    return target.endpointFor(flowHash(this.#seed, client, 0, client.length, this.#header.sourcePort), this.#lanes);
  }

  #obstacle(endpoint: EndpointState | undefined): DatagramLossReason | undefined {
    if (endpoint === undefined) return 'targetUnavailable';
    if (!this.#lanes.isUp(endpoint.lane)) return 'channelLost';
    return this.#lanes.isCongested(endpoint.lane) ? 'shed' : undefined;
  }

  /** False when the output has no room for now. */
  #sendCopy(bytes: Uint8Array, client: Uint8Array, endpoint: EndpointState, copy: number): boolean {
    const { payloadOffset, payloadBytes, sourcePort } = this.#header;
    const source = this.#selection.addresses.towardsTarget(client, sourcePort, copy);
    const udpBytes = UDP_HEADER_BYTES + payloadBytes;
    const packetBytes = ipHeaderBytes(source) + udpBytes;
    const output = this.#lanes.outputs[endpoint.lane]!;
    const isTooLarge = packetBytes > PACKET_BYTES_MAX;
    if (!isTooLarge && !output.hasRoom(packetBytes)) {
      this.#counters.outputOverflows += 1;
      return false;
    }
    const port = this.#flows.portAtNext(source, endpoint.portKey);
    if (isTooLarge || port === 0) {
      this.#lose(isTooLarge ? 'tooLarge' : 'shed', 1);
      return true;
    }
    const start = output.append(0, RECORD_DATAGRAM, packetBytes);
    const out = output.bytes;
    const at = writeIpHeader(out, start, IPPROTO_UDP, udpBytes, source, endpoint.address);
    writeU16(out, at, port);
    writeU16(out, at + 2, endpoint.port);
    writeU16(out, at + 4, udpBytes);
    writeU16(out, at + 6, 0);
    copyBytes(bytes, payloadOffset, out, at + UDP_HEADER_BYTES, payloadBytes);
    this.#counters.packetsSent += 1;
    this.#counters.bytesSent += payloadBytes;
    this.#inFlight[endpoint.lane] = (this.#inFlight[endpoint.lane] ?? 0) + 1;
    return true;
  }

  /** intercept --what became of datagrams--> ledger. Records of anything else are none of ours. */
  receive(lane: number, batch: ResponseBatch): void {
    const { bytes, count } = batch;
    for (let index = 0, at = batch.offset; index < count; index += 1, at += responseRecordBytes(batch, at)) {
      if (bytes[at + RESPONSE_EVENT] !== RESPONSE_EVENT_DATAGRAMS) {
        this.#counters.responsesUnknown += 1;
        continue;
      }
      this.#counters.responsesReceived += 1;
      const delivered = this.#land(lane, readU32(bytes, at + DATAGRAMS_INJECTED));
      this.#ledger.delivered += delivered;
      this.#ledger.pending -= delivered;
      const { unreachable } = this.#ledger;
      // Its word may come later than that about the injection, never for more.
      const said = unreachable + readU32(bytes, at + DATAGRAMS_UNREACHABLE);
      this.#ledger.unreachable = Math.min(said, this.#ledger.delivered);
      this.#lose('refused', this.#land(lane, readU32(bytes, at + DATAGRAMS_REFUSED)));
      this.#lose('failed', this.#land(lane, readU32(bytes, at + DATAGRAMS_FAILED)));
    }
  }

  /** The channel of the lane took none of so many packets. */
  noteDropped(lane: number, packets: number): void {
    this.#lose('shed', this.#land(lane, packets));
  }

  /** The channel of the lane is gone: nothing will be heard of what is on its way. */
  noteLaneDown(lane: number): void {
    this.#lose('channelLost', this.#land(lane, Number.POSITIVE_INFINITY));
  }

  /** What waits, and what was not heard of, is lost. */
  close(): void {
    while (!this.#backlog.isEmpty) this.#backlog.shift();
    this.#backlogDone = 0;
    this.#inFlight.fill(0);
    this.#lose('interrupted', this.#ledger.pending);
  }

  /** Of `copies`, those that are on their way: a peer cannot have had more. They are it no more. */
  #land(lane: number, copies: number): number {
    const landed = Math.min(copies, this.#inFlight[lane] ?? 0);
    this.#inFlight[lane] = (this.#inFlight[lane] ?? 0) - landed;
    return landed;
  }

  #lose(reason: DatagramLossReason, copies: number): void {
    this.#ledger.lost[reason] += copies;
    this.#ledger.pending -= copies;
  }
}

/** Ports that may be in use at one time so that another one is found soon: of the addresses of the IP version that has fewer. */
function portsOf({ clientAddresses, ports = ALL_PORTS }: EngineConfig): number {
  const sizes = ([4, 16] as const).map((addressBytes) => new AddressPool(clientAddresses, addressBytes).size);
  const addresses = Math.min(...sizes.filter((size) => size > 0));
  return Math.floor((addresses * PORTS_OF_AN_ADDRESS) / ports.workers);
}
