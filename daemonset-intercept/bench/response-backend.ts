/**
 * Takes the responses of NFQUEUE 3960 with one backend (`native` or `nfqueue`) until one from port 9 comes, and prints how many
 * came and the CPU time that this process took for them. Run by native/bench/backends.ts.
 */
import { ENTRY_OFFSET, ENTRY_WIRE_BYTES, PACKET_ENTRY_FIELDS } from '@trafficcopy/core';
import { ResponseQueue } from '@trafficcopy/native';
import { NfqueuePackage } from '../src/responses/nfqueue-package.js';

const queueNumber = 3960;
const queue = process.argv[2] === 'nfqueue' ? new NfqueuePackage({ queueNumber }) : new ResponseQueue({ queueNumber });
/** Low octet of the source port, in an IPv4 header without options. */
const PORT_OFFSET = 21;
const END_PORT = 9;

let packets = 0;
let bytes = 0;
let before = process.cpuUsage();

queue.start(() => {
  if (packets === 0) before = process.cpuUsage();
  while (queue.read()) {
    for (let index = 0; index < queue.count; index += 1) {
      const entry = index * PACKET_ENTRY_FIELDS;
      if (queue.bytes[queue.entries[entry + ENTRY_OFFSET]! + PORT_OFFSET] === END_PORT) return finish();
      packets += 1;
      bytes += queue.entries[entry + ENTRY_WIRE_BYTES]!;
    }
  }
});

function finish(): void {
  const { user, system } = process.cpuUsage(before);
  queue.close();
  process.stdout.write(`${JSON.stringify({ packets, bytes, userUs: user, systemUs: system })}\n`, () =>
    process.exit(0),
  );
}

process.stdout.write('ready\n');
