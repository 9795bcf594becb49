/**
 * A recorded day: a made-up capture file of 50,000 sessions of mixed kinds (about 200 MB) is replayed at its recorded times, ten
 * times as fast, and as fast as possible, and one with large uploads as fast as possible. The null sink is a target that acknowledges every segment and answers every
 * request with one header, in this process (sidecar-copy/test/kit/null-target.ts): no kernel, no channel, no TLS. What is measured is reading, parsing, filtering, the
 * engine, and that target; CPU time is that of the whole process, with the thread that parses.
 *
 *     node sidecar-copy/dist/bench/recorded-day.js [SESSIONS] [--json]
 *
 * Fails when a turn is not accounted for.
 */
import assert from 'node:assert/strict';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { RecordedTraffic, type RecordedTrafficOptions } from '../test/kit/recorded-traffic.js';
import { replayFiles } from '../test/kit/replay-stand.js';

interface Measured {
  readonly replay: string;
  readonly fileMb: number;
  readonly recordedSeconds: number;
  /** Until the last packet had gone to the engine, and until the last session had ended. */
  readonly sentSeconds: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Of the clients, in a CPU second. */
  readonly payloadGbitPerCpuSecond: number;
  /** Of the whole file, in a CPU second. */
  readonly fileGbitPerCpuSecond: number;
  readonly turns: number;
  readonly lost: number;
  /** Largest resident memory while it ran, and of that when it began. */
  readonly rssMbMax: number;
  readonly rssMbBefore: number;
}

const MB = 1_000_000;
const GBIT = 1_000_000_000;

async function write(path: string, options: RecordedTrafficOptions): Promise<RecordedTraffic> {
  const traffic = new RecordedTraffic(options);
  await pipeline(Readable.from(traffic.pieces()), createWriteStream(path));
  return traffic;
}

async function measure(replay: string, path: string, traffic: RecordedTraffic, speed: number): Promise<Measured> {
  const rssBefore = process.memoryUsage.rss();
  let rssMax = rssBefore;
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  let packets = 0;
  let sentMs = 0;
  const { counters, figures, seen, elapsedMs } = await replayFiles([path], {
    plan: { speed },
    onLook: (engine) => {
      if (engine.counters.packetsCaptured > packets) sentMs = performance.now() - startMs;
      packets = engine.counters.packetsCaptured;
      rssMax = Math.max(rssMax, process.memoryUsage.rss());
    },
  });
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuSeconds = (user + system) / 1e6;
  const { expected, fileBytes } = traffic;
  const lost = Object.values(counters.turnsLost).reduce((sum, count) => sum + count, 0);
  assert.equal(counters.turnsCaptured, counters.turnsDelivered + lost, 'every turn is accounted for');
  assert.equal(counters.connectionsSeen, expected.connections);
  assert.equal(seen.payloadBytes, expected.payloadBytes, 'every octet arrived');
  return {
    replay,
    fileMb: fileBytes / MB,
    recordedSeconds: figures.positionMs / 1000,
    sentSeconds: sentMs / 1000,
    seconds: elapsedMs / 1000,
    cpuSeconds,
    payloadGbitPerCpuSecond: (expected.payloadBytes * 8) / GBIT / cpuSeconds,
    fileGbitPerCpuSecond: (fileBytes * 8) / GBIT / cpuSeconds,
    turns: counters.turnsDelivered,
    lost,
    rssMbMax: rssMax / MB,
    rssMbBefore: rssBefore / MB,
  };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const sessions = Number(positionals[0] ?? 50_000);
const directory = mkdtempSync(join(tmpdir(), 'recorded-day-'));
try {
  const day = join(directory, 'day.pcap');
  const mixed = await write(day, { sessions });
  const rows = [
    await measure('mixed, -a max', day, mixed, Number.POSITIVE_INFINITY),
    await measure('mixed, -a 10', day, mixed, 10),
    await measure('mixed, -a 1', day, mixed, 1),
  ];
  const uploads = await write(day, { sessions: Math.ceil(sessions / 8), kind: 'upload' });
  rows.push(await measure('uploads, -a max', day, uploads, Number.POSITIVE_INFINITY));
  if (values.json) for (const row of rows) console.log(JSON.stringify(row));
  else {
    console.table(
      rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name,
            typeof value === 'number' ? Number(value.toFixed(2)) : value,
          ]),
        ),
      ),
    );
  }
} finally {
  rmSync(directory, { recursive: true });
}
