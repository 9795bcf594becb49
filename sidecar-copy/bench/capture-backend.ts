/**
 * Captures with one backend (`native` or `cap`) on eth0 until a packet to port 9 comes, and prints how many came and the
 * CPU time that this process took for them. Run by native/bench/backends.ts.
 */
import { ENTRY_CAPTURED_BYTES, ENTRY_OFFSET, PACKET_ENTRY_FIELDS } from '@trafficcopy/core';
import { CapSource } from '../src/capture/cap-source.js';
import { RingSource } from '../src/capture/ring-source.js';

const options = { interfaceName: 'eth0', filter: 'ip and tcp', bufferBytes: 32 * 1024 * 1024 };
const source = process.argv[2] === 'cap' ? new CapSource(options) : new RingSource(options);
/** Low octet of the destination port, in an IPv4 header without options. */
const PORT_OFFSET = 23;
const END_PORT = 9;

let packets = 0;
let bytes = 0;
let before = process.cpuUsage();

source.start(() => {
  if (packets === 0) before = process.cpuUsage();
  while (source.next()) {
    for (let index = 0; index < source.count; index += 1) {
      const entry = index * PACKET_ENTRY_FIELDS;
      if (source.bytes[source.entries[entry + ENTRY_OFFSET]! + PORT_OFFSET] === END_PORT) return finish();
      packets += 1;
      bytes += source.entries[entry + ENTRY_CAPTURED_BYTES]!;
    }
    source.release();
  }
});

function finish(): void {
  const { user, system } = process.cpuUsage(before);
  source.close();
  process.stdout.write(`${JSON.stringify({ packets, bytes, userUs: user, systemUs: system })}\n`, () =>
    process.exit(0),
  );
}

process.stdout.write('ready\n');
