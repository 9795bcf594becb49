/**
 * What the channel costs: CPU of sender and receiver, each a process of its own, for PACKETS frames over loopback.
 *
 *   node runtime/dist/bench/channel.js [seconds per row]
 *
 * A row is one size of batch: `records` of 400 octets, sent once in each turn of the loop, as the copy's pipeline does for one block of
 * its capture ring.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { FRAME, FrameDecoder, RECORD_PACKET, ReplayBatch, readU16 } from '@trafficcopy/core';
import {
  Authority,
  ChannelClient,
  ChannelServer,
  type ClientCredentials,
  CredentialStore,
  join,
} from '../src/index.js';

const PACKET_BYTES = 392;
const HELLO = { name: 'bench', delivery: 'tunnel', capabilities: [], targets: [] } as const;

interface Report {
  readonly records: number;
  readonly cpuUs: number;
  readonly bytes: number;
  readonly chunks: number;
}

/** The receiving process: counts records, and tells its CPU when asked. */
async function receive(directory: string, isSecure: boolean): Promise<void> {
  let records = 0;
  let bytesReceived = 0;
  let chunks = 0;
  const authority = await Authority.open({ directory, role: 'intercept', name: 'bench' });
  const server = new ChannelServer({
    address: '127.0.0.1',
    port: 0,
    credentials: isSecure ? await authority.serverCredentials() : 'insecure',
    ...(isSecure ? { authority } : {}),
    hello: { ...HELLO, role: 'intercept' },
    onConnection: () => {},
    onFrame: (_connection, _type, bytes, offset, length) => {
      let at = offset;
      const end = offset + length;
      while (at < end) {
        at += 8 + ((readU16(bytes, at + 4) + 3) & ~3);
        records += 1;
      }
      bytesReceived += length;
      chunks += 1;
    },
    onClose: () => {},
  });
  await server.listen();
  let before = process.cpuUsage();
  process.on('message', (message) => {
    if (message === 'begin') {
      before = process.cpuUsage();
      records = 0;
      bytesReceived = 0;
      chunks = 0;
      process.send!('begun');
    } else if (message === 'report') {
      const { user, system } = process.cpuUsage(before);
      process.send!({ records, cpuUs: user + system, bytes: bytesReceived, chunks } satisfies Report);
    } else {
      process.exit(0);
    }
  });
  const token = isSecure ? await authority.issueToken() : '';
  process.send!({ port: server.port, token });
}

async function ask<T>(child: ChildProcess, message: string): Promise<T> {
  return await new Promise<T>((resolve) => {
    child.once('message', (answer) => resolve(answer as T));
    child.send(message);
  });
}

async function connected(port: number, credentials: ClientCredentials | 'insecure'): Promise<ChannelClient> {
  return await new Promise((resolve, reject) => {
    const client: ChannelClient = new ChannelClient({
      host: '127.0.0.1',
      port,
      credentials,
      hello: { ...HELLO, role: 'copy' },
      onUp: () => resolve(client),
      onFrame: () => {},
      onDown: reject,
    });
    client.start();
  });
}

async function row(
  child: ChildProcess,
  client: ChannelClient,
  label: string,
  records: number,
  ms: number,
  isShown = true,
): Promise<void> {
  const batch = new ReplayBatch(4 * 1024 * 1024, 16384);
  for (let index = 0; index < records; index += 1) batch.append(index, RECORD_PACKET, PACKET_BYTES);
  const connection = client.connection!;
  const frameBytes = batch.length - batch.headroomBytes + 8;
  await ask(child, 'begin');
  let batches = 0;
  const before = process.cpuUsage();
  const endMs = Date.now() + ms;
  // Empty turns of the loop would be counted too, so the sender is measured at full speed.
  await new Promise<void>((resolve) => {
    const turn = (): void => {
      if (connection.queuedBytes + frameBytes < 1024 * 1024) {
        connection.sendBatch(FRAME.PACKETS, batch);
        batches += 1;
      }
      if (Date.now() < endMs) setImmediate(turn);
      else resolve();
    };
    turn();
  });
  while (connection.queuedBytes > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const { user, system } = process.cpuUsage(before);
  let report: Report;
  do report = await ask<Report>(child, 'report');
  while (report.records < batches * records);
  if (!isShown) return;
  const megabytes = report.bytes / 1e6;
  const columns = [
    label,
    String(records),
    ((user + system) / batches).toFixed(1),
    (((user + system) * 1000) / report.records).toFixed(0),
    ((report.cpuUs * 1000) / report.records).toFixed(0),
    ((user + system) / megabytes).toFixed(0),
    (report.cpuUs / megabytes).toFixed(0),
    (megabytes / (ms / 1000)).toFixed(0),
  ];
  console.log(`| ${columns.join(' | ')} |`);
}

/** The codec alone: ns per record to find frames in chunks of a TLS record's size. */
function decodeRow(): void {
  const batch = new ReplayBatch(64 * 1024, 1024);
  for (let index = 0; index < 32; index += 1) batch.append(index, RECORD_PACKET, PACKET_BYTES);
  const frameBytes = 8 + batch.length - batch.headroomBytes;
  const stream = new Uint8Array(frameBytes * 100);
  for (let index = 0; index < 100; index += 1) {
    stream[index * frameBytes + 2] = (frameBytes - 8) >> 8;
    stream[index * frameBytes + 3] = (frameBytes - 8) & 255;
    stream[index * frameBytes + 4] = FRAME.PACKETS;
  }
  let frames = 0;
  const decoder = new FrameDecoder(1024 * 1024, () => {
    frames += 1;
    return true;
  });
  const run = (rounds: number): number => {
    frames = 0;
    const before = process.cpuUsage();
    for (let round = 0; round < rounds; round += 1) {
      for (let at = 0; at < stream.length; at += 16384) decoder.push(stream, at, Math.min(stream.length, at + 16384));
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1000;
  };
  run(300);
  const ns = run(300);
  console.log(`\ndecoder alone, frames of 32 records in 16 KiB chunks: ${(ns / frames / 32).toFixed(1)} ns per record`);
}

async function main(): Promise<void> {
  const ms = Number(process.argv[2] ?? 1) * 1000;
  const directory = await mkdtemp(path.join(os.tmpdir(), 'trafficcopy-bench-'));
  console.log(
    '| transport | records per flush | sender us/flush | sender ns/record | receiver ns/record | sender us/MB | receiver us/MB | MB/s |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  try {
    for (const isSecure of [false, true]) {
      const child = fork(import.meta.filename, ['receive', directory, String(isSecure)]);
      const { port, token } = await new Promise<{ port: number; token: string }>((resolve) =>
        child.once('message', (message) => resolve(message as { port: number; token: string })),
      );
      const store = new CredentialStore(directory, '127.0.0.1', port);
      const credentials = isSecure ? await join({ host: '127.0.0.1', port, token, name: 'bench', store }) : 'insecure';
      const client = await connected(port, credentials);
      // First one that is not shown, so that the code is compiled.
      await row(child, client, isSecure ? 'TLS' : 'plain', 8, ms / 2, false);
      for (const records of [1, 8, 32, 128, 1024]) await row(child, client, isSecure ? 'TLS' : 'plain', records, ms);
      client.close();
      child.send('end');
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  decodeRow();
}

if (process.argv[2] === 'receive') await receive(process.argv[3]!, process.argv[4] === 'true');
else await main();
