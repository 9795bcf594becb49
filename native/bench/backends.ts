/**
 * Compares the backends of capture (the native ring, the npm package cap) and of responses (the native queue, the npm
 * package nfqueue): CPU time of the reading process for each packet, and what was lost. Needs root; about 20 s.
 *
 *     node native/dist/bench/backends.js
 *
 * Prints the table of docs/adr/0002-native-rings-by-default.md.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PacketBatch } from '@trafficcopy/core';
import { RawSender } from '../lib/index.js';
import { batchOf, packet, pattern } from '../test/kit/packet-list.js';
import { type TestHost, TestNetwork } from '../test/kit/test-network.js';

interface Load {
  readonly name: string;
  readonly packets: number;
  /** Packets sent at once, and every how many ms; 0: as fast as it goes. */
  readonly burst: number;
  readonly everyMs: number;
  readonly payloadBytes: number;
}

interface Result {
  readonly packets: number;
  readonly userUs: number;
  readonly systemUs: number;
}

const LOADS: readonly Load[] = [
  { name: '20,000/s, 200 octets', packets: 40_000, burst: 40, everyMs: 2, payloadBytes: 200 },
  { name: '20,000/s, 1400 octets', packets: 40_000, burst: 40, everyMs: 2, payloadBytes: 1400 },
  { name: 'as fast as one sender can, 200 octets', packets: 200_000, burst: 256, everyMs: 0, payloadBytes: 200 },
];
const BACKENDS = [
  { kind: 'capture', name: 'native' },
  { kind: 'capture', name: 'cap' },
  { kind: 'responses', name: 'native' },
  { kind: 'responses', name: 'nfqueue' },
] as const;
const PROGRAMS = {
  capture: fileURLToPath(new URL('../../../sidecar-copy/dist/bench/capture-backend.js', import.meta.url)),
  responses: fileURLToPath(new URL('../../../daemonset-intercept/dist/bench/response-backend.js', import.meta.url)),
};
const RESPONSE_PORT = 7000;
const END_PORT = 9;
const END_EVERY_MS = 50;

/** When the next burst is due. */
let paceMs = 0;

const network = new TestNetwork();
try {
  for (const port of [RESPONSE_PORT, END_PORT]) {
    const rule = [
      '-t',
      'mangle',
      '-A',
      'OUTPUT',
      '-p',
      'tcp',
      '--sport',
      `${port}`,
      '-j',
      'NFQUEUE',
      '--queue-num',
      '3960',
    ];
    network.run(network.b.netns, 'iptables', ...rule);
  }
  console.log('| what | backend | load | lost | CPU per packet | packets per CPU second |');
  console.log('|---|---|---|---|---|---|');
  for (const { kind, name } of BACKENDS) {
    for (const load of LOADS) {
      const { packets, userUs, systemUs } = await measure(kind, name, load);
      const lost = `${(((load.packets - packets) / load.packets) * 100).toFixed(1)} %`;
      const cpuUs = (userUs + systemUs) / Math.max(packets, 1);
      const rate = Math.round(1e6 / cpuUs).toLocaleString('en-US');
      console.log(`| ${kind} | ${name} | ${load.name} | ${lost} | ${cpuUs.toFixed(2)} us | ${rate} |`);
    }
  }
} finally {
  network.close();
}

/** One backend reads one load in host b: arriving packets, or responses that leave. */
async function measure(kind: 'capture' | 'responses', name: string, load: Load): Promise<Result> {
  const reader = spawn('ip', ['netns', 'exec', network.b.netns, process.execPath, PROGRAMS[kind], name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
  const from = kind === 'capture' ? network.a : network.b;
  const to = kind === 'capture' ? network.b : network.a;
  const sender = new RawSender({ family: 4, netnsPath: from.netnsPath });
  try {
    await lines.next();
    const batch = burstOf(from, to, load);
    for (let sent = 0; sent < load.packets; sent += load.burst) {
      const count = Math.min(load.burst, load.packets - sent);
      sender.send({ ...batch, count });
      if (load.everyMs > 0) await pause(load.everyMs);
    }
    const end = batchOf([packet({ ...route(from, to), sourcePort: END_PORT, destinationPort: END_PORT })]);
    // A reader that lost packets may lose this one too.
    const timer = setInterval(() => sender.send(end), END_EVERY_MS);
    const { value } = await lines.next();
    clearInterval(timer);
    return JSON.parse(value as string) as Result;
  } finally {
    sender.close();
    reader.kill('SIGKILL');
  }
}

function burstOf(from: TestHost, to: TestHost, load: Load): PacketBatch {
  return batchOf(
    Array.from({ length: load.burst }, (_, index) =>
      packet({
        ...route(from, to),
        sourcePort: RESPONSE_PORT,
        destinationPort: 8000 + (index & 15),
        payload: pattern(load.payloadBytes),
      }),
    ),
  );
}

function route(from: TestHost, to: TestHost): { source: string; destination: string } {
  return { source: from.ipv4, destination: to.ipv4 };
}

/** Keeps the pace on average: a late timer is made up for by the next ones. */
async function pause(everyMs: number): Promise<void> {
  paceMs = Math.max(paceMs + everyMs, performance.now() - 20);
  const restMs = paceMs - performance.now();
  if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
}
