/**
 * What a copied datagram costs in the engine alone, CPU time: clients that keep their ports, and clients that take a new one each time,
 * as resolvers do.
 *
 *     node core/dist/bench/datagrams.js [SECONDS]
 */
import { ENTRY_CAPTURED_BYTES, ENTRY_WIRE_BYTES, PACKET_ENTRY_FIELDS } from '../src/batch/packet-batch.js';
import { RESPONSE_RECORD_BYTES } from '../src/batch/response-record.js';
import { writeDatagramsRecord } from '../src/batch/response-record-writer.js';
import { Engine } from '../src/engine.js';
import { writeU16, writeU32 } from '../src/wire/bytes.js';
import { UDP_HEADER_BYTES } from '../src/wire/datagram-header.js';
import { IPPROTO_UDP, IPV4_HEADER_BYTES } from '../src/wire/ip-header.js';
import { writeIpHeader } from '../src/wire/ip-writer.js';
import { ENDPOINT, ENGINE_CONFIG, mappingTo } from '../test/kit/engine-setup.js';

const BATCH = 512;
const PAYLOAD_BYTES = 40;
const PACKET_BYTES = IPV4_HEADER_BYTES + UDP_HEADER_BYTES + PAYLOAD_BYTES;
const ONLINE = Uint8Array.of(10, 0, 0, 2);

function newEngine(copies: number): Engine {
  const target = { name: 'target', endpoints: [{ ...ENDPOINT, port: 53 }] };
  const clientAddresses = [{ address: Uint8Array.of(198, 18, 0, 0), prefixBits: 24 }];
  const asked = { udp: true, copies, clientAddresses, responseTimeoutMs: 5000 };
  return new Engine({ ...ENGINE_CONFIG, mappings: [{ ...mappingTo(target), onlinePort: 53 }], ...asked }, 0);
}

/** A batch of datagrams from 32 clients; `ports` of each. */
function measure(name: string, ports: number, copies: number, seconds: number): void {
  const engine = newEngine(copies);
  const bytes = new Uint8Array(BATCH * PACKET_BYTES);
  const entries = new Uint32Array(BATCH * PACKET_ENTRY_FIELDS);
  for (let index = 0; index < BATCH; index += 1) {
    const at = writeIpHeader(
      bytes,
      index * PACKET_BYTES,
      IPPROTO_UDP,
      UDP_HEADER_BYTES + PAYLOAD_BYTES,
      Uint8Array.of(10, 1, 0, 1 + (index & 31)),
      ONLINE,
    );
    writeU16(bytes, at + 2, 53);
    writeU16(bytes, at + 4, UDP_HEADER_BYTES + PAYLOAD_BYTES);
    const entry = index * PACKET_ENTRY_FIELDS;
    entries[entry] = index * PACKET_BYTES;
    entries[entry + ENTRY_CAPTURED_BYTES] = PACKET_BYTES;
    entries[entry + ENTRY_WIRE_BYTES] = PACKET_BYTES;
  }
  const record = new Uint8Array(RESPONSE_RECORD_BYTES);
  const answer = { bytes: record, offset: 0, strideBytes: RESPONSE_RECORD_BYTES, count: 1 };
  const output = engine.outputs[0]!;
  let sent = 0;
  const drain = (): void => {
    sent += output.count;
    writeDatagramsRecord(record, 0, output.count, 0, 0);
    output.clear();
    engine.ingestResponses(0, answer, 1);
  };
  let next = 0;
  const round = (): void => {
    for (let index = 0; index < BATCH; index += 1) {
      writeU16(bytes, index * PACKET_BYTES + IPV4_HEADER_BYTES, 1024 + (next % ports));
      if ((index & 31) === 31) next += 1;
    }
    engine.ingestCaptured({ bytes, entries, count: BATCH }, 1);
    drain();
    while (engine.nextDeadlineMs() === 0) {
      engine.advance(1);
      drain();
    }
  };
  writeU32(record, 0, 0);
  const warmUntilMs = performance.now() + 500;
  while (performance.now() < warmUntilMs) round();
  sent = 0;
  const before = process.threadCpuUsage();
  const endMs = performance.now() + seconds * 1000;
  while (performance.now() < endMs) round();
  const { user, system } = process.threadCpuUsage(before);
  const { delivered, copies: made, lost } = engine.counters.datagrams;
  if (delivered !== made) throw new Error(`${name}: ${JSON.stringify(lost)}`);
  process.stdout.write(`${name.padEnd(42)} ${Math.round(((user + system) * 1000) / sent)} ns for each copy\n`);
}

const seconds = Number(process.argv[2] ?? 2);
measure('clients that keep their ports', 16, 1, seconds);
measure('a port for each datagram', 60_000, 1, seconds);
measure('a port for each datagram, -n 10', 60_000, 10, seconds);
