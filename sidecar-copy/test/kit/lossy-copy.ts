/**
 * A copy on the real kernel in whose capture packets are missing:
 *
 *     node lossy-copy.js --target IP (--lose TEXT | --share SHARE --seed N)
 *
 * `--lose`: the packets whose payload holds TEXT; `--share`: so many of all packets towards online, at random. Copies port 80 of this
 * host to port 8080 of the target, in Tunnel delivery without TLS. Asked as the lab's own programs are: figures (those of the copy), losses
 * (what is missing, in its order), close.
 */
import { parseArgs } from 'node:util';
import { FIN, formatIpAddress, type PacketHeader, parseIpAddress, SYN } from '@trafficcopy/core';
import { ProgramLog, StatusLine } from '@trafficcopy/runtime';
import { localNetwork } from '../../src/capture/local-network.js';
import { hostPlan } from '../../src/config/host-plan.js';
import { Copy } from '../../src/copy.js';
import { copyEdges } from '../../src/copy-edges.js';
import { COPY_CONFIG } from './copy-surroundings.js';
import type { Loss } from './loss.js';
import { LossySource } from './lossy-source.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    lose: { type: 'string' },
    share: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});
const share = Number(values.share);
const losses: Loss[] = [];
let random = Number(values.seed) >>> 0;

/** Mulberry32. */
function nextRandom(): number {
  random = (random + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(random ^ (random >>> 15), random | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}

function isLost(header: PacketHeader, bytes: Uint8Array): boolean {
  const payload = Buffer.from(bytes.subarray(header.payloadOffset, header.payloadOffset + header.payloadBytesPresent));
  const isPicked = values.lose === undefined ? nextRandom() < share : payload.includes(values.lose);
  if (!isPicked) return false;
  losses.push({
    client: `${formatIpAddress(bytes, header.addressOffset, header.addressBytes)} ${header.sourcePort}`,
    isSyn: (header.flags & SYN) !== 0,
    isFin: (header.flags & FIN) !== 0,
    payload: payload.toString('latin1'),
  });
  return true;
}

const address = parseIpAddress(values.target!)!;
const config = {
  ...COPY_CONFIG,
  captureBufferBytes: 64 << 20,
  limits: { ...COPY_CONFIG.limits, connectionsMax: 1024, sessionsMax: 1024, heldBytesMax: 64 << 20 },
  mappings: [
    {
      ...COPY_CONFIG.mappings[0]!,
      targets: [{ name: 'target', endpoints: [{ lane: 0, address, port: 8080 }] }],
    },
  ],
  lanes: [{ host: values.target!, port: 36_524 }],
};
const edges = await copyEdges({ capture: 'native' });
const log = new ProgramLog({ program: 'copy', config, statusLine: new StatusLine() });
const copy = new Copy({
  basis: config,
  plan: hostPlan(config),
  edges: { ...edges, openSource: (request) => new LossySource(edges.openSource(request), isLost) },
  logger: log.logger,
  recorder: undefined,
  seed: 1,
  localNetwork,
  identity: { credentials: () => Promise.resolve('insecure'), onRenewed: () => {}, isManaged: false },
  onFatal: (error) => {
    throw error;
  },
});
copy.start();
setInterval(() => copy.tick(), 1000);

const QUESTIONS: Readonly<Record<string, () => unknown>> = {
  isCopying: () => copy.isCopying,
  figures: () => copy.figures(),
  losses: () => losses,
  close: () => copy.close(),
};

process.on('message', async ({ id, question }: { id: number; question: string }) => {
  try {
    process.send!({ id, answer: (await QUESTIONS[question]!()) ?? null });
  } catch (error) {
    process.send!({ id, error: String(error) });
  }
});
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', () => process.exit(0));
process.send!({ ready: {} });
