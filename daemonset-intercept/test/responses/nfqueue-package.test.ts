import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  ACK,
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  PACKET_ENTRY_FIELDS,
  parseIpAddress,
  writeU16,
} from '@trafficcopy/core';
import { plainPacket } from '@trafficcopy/core/kit/plain-packet.js';
import { eventually, Lab } from '@trafficcopy/lab';
import { RawSender } from '@trafficcopy/native';
import type { Seen } from './queue-oracle.js';

const ORACLE = fileURLToPath(new URL('./queue-oracle.js', import.meta.url));
const QUEUE = 3950;
const PACKETS = 300;
const STREAM_BYTES = 10_000;
const CLIENT_PORT_FIRST = 42_000;

describe('NfqueuePackage', { skip: skipReason() }, () => {
  let lab: Lab;
  let runs = 0;
  before(async () => {
    lab = await Lab.create();
    const { target } = lab;
    const toQueue = ['-j', 'NFQUEUE', '--queue-num', String(QUEUE)];
    for (const iptables of ['iptables', 'ip6tables']) {
      for (const port of ['7000', '9']) {
        await target.expect(iptables, ['-t', 'mangle', '-A', 'OUTPUT', '-p', 'tcp', '--sport', port, ...toQueue]);
      }
      // Of real connections only what carries payload: they come to stand, and their data never arrives.
      const payload = ['-p', 'tcp', '--sport', '7002', '-m', 'length', '--length', '200:65535'];
      await target.expect(iptables, ['-t', 'mangle', '-A', 'OUTPUT', ...payload, ...toQueue]);
    }
    const server = await target.start('server', process.execPath, [
      ...['--input-type=module', '-e'],
      `import net from 'node:net';
       net.createServer((socket) => socket.on('error', () => {}).write(Buffer.alloc(${STREAM_BYTES}, 7)))
         .listen({ port: 7002, host: '::' }, () => console.log('listening'));`,
    ]);
    await server.waitForLine(/listening/);
  });
  after(() => lab.close());

  for (const family of [4, 6] as const) {
    it(`IPv${family}: gives the same responses as the native queue`, async () => {
      const native = await read('native', family);
      const nfqueue = await read('nfqueue', family);
      assert.equal(native.packets.length, PACKETS);
      assert.deepEqual(nfqueue.packets, native.packets);
      // The package gets no super-packets; the streams are the same however they are cut.
      assert.ok(native.largestBytes > 2 * 1500 && nfqueue.largestBytes <= 1500);
      assert.equal(native.ownStreamBytes, STREAM_BYTES);
      assert.equal(nfqueue.ownStreamBytes, STREAM_BYTES);
      for (const { statistics } of [native, nfqueue]) {
        const { packets, queueDropped, userDropped, malformed } = statistics;
        assert.ok(packets > PACKETS);
        assert.deepEqual({ queueDropped, userDropped, malformed }, { queueDropped: 0, userDropped: 0, malformed: 0 });
      }
    });
  }

  it('a queue that somebody reads, a missing capability, a worker thread: a clear error', async () => {
    const module = new URL('../../src/responses/nfqueue-package.js', import.meta.url).href;
    const attempt = `
      const { NfqueuePackage } = await import('${module}');
      for (const round of [1, 2]) {
        try { new NfqueuePackage({ queueNumber: 3951 }); console.log('reading'); }
        catch (error) { console.log(error.code, error.message); }
      }
      process.exit();`;
    const node = [process.execPath, '--input-type=module', '-e', attempt];
    const asRoot = await lab.client.expect(node[0]!, node.slice(1));
    assert.match(asRoot, /^reading\nERR_NATIVE_QUEUE_BUSY another program reads NFQUEUE 3951/);
    const withoutAdmin = ['--bounding-set=-net_admin', '--inh-caps=-net_admin', ...node];
    const unprivileged = await lab.client.expect('setpriv', withoutAdmin);
    assert.match(unprivileged, /^ERR_START_QUEUE cannot read NFQUEUE 3951 .*needs CAP_NET_ADMIN/);
    const worker = new Worker(
      `import('${module}').then(({ NfqueuePackage }) => new NfqueuePackage({ queueNumber: 3951 }))
        .catch((error) => require('node:worker_threads').parentPort.postMessage(error.message));`,
      { eval: true },
    );
    const message = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.match(String(message), /main thread only: use --queue=native/);
    await worker.terminate();
  });

  /** Lets one backend read the same traffic in the target: crafted responses, and a server that writes a large one. */
  async function read(backend: string, family: 4 | 6): Promise<Seen & { ownStreamBytes: number | undefined }> {
    // A port for each: the server goes on sending to clients that are gone, for a while.
    const clientPort = CLIENT_PORT_FIRST + runs;
    runs += 1;
    const { client, target } = lab;
    const oracle = await target.start(backend, process.execPath, [ORACLE, backend, String(QUEUE)]);
    await oracle.waitForLine(/reading/);
    const sender = new RawSender({ family, netnsPath: target.netnsPath });
    const from = target.address(family);
    const to = client.address(family);
    for (let index = 0; index < PACKETS; index += 1) sender.send(response(from, to, 7000, index));
    const connection = await client.start('connection', process.execPath, [
      ...['--input-type=module', '-e'],
      `import net from 'node:net';
       net.connect({ port: 7002, host: '${from}', localPort: ${clientPort} }, () => console.log('connected')).on('error', () => {});`,
    ]);
    await connection.waitForLine(/connected/);
    // Nothing is acknowledged. What the server has sent is before the last response in the queue.
    await eventually('the server to have sent all', 10_000, async () => {
      const { stdout } = await target.run('ss', [
        '-Htin',
        'state',
        'established',
        'sport',
        '=',
        ':7002',
        'and',
        'dport',
        '=',
        `:${clientPort}`,
      ]);
      const figure = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(stdout)?.[1] ?? 0);
      return figure('bytes_sent') - figure('bytes_retrans') >= STREAM_BYTES;
    });
    await connection.stop('SIGKILL');
    sender.send(response(from, to, 9, 0));
    await oracle.expectEnd(25_000);
    sender.close();
    const seen = JSON.parse(oracle.stdoutLines.at(-1)!) as Seen;
    return { ...seen, ownStreamBytes: seen.streamBytes[clientPort] };
  }
});

/** A batch of one TCP packet from the target, `index` octets of payload long. */
function response(
  from: string,
  to: string,
  port: number,
  index: number,
): { bytes: Uint8Array; entries: Uint32Array; count: number } {
  const bytes = plainPacket({
    source: parseIpAddress(from)!,
    destination: parseIpAddress(to)!,
    sourcePort: port,
    destinationPort: CLIENT_PORT_FIRST - 1,
    seq: index * 1000,
    ack: 0,
    flags: ACK,
    payload: new Uint8Array(index).fill(index),
  });
  // The identification (RFC 791 3.1).
  if (bytes[0] === 0x45) writeU16(bytes, 4, index + 1);
  const entries = new Uint32Array(PACKET_ENTRY_FIELDS);
  entries[ENTRY_OFFSET] = 0;
  entries[ENTRY_CAPTURED_BYTES] = bytes.length;
  return { bytes, entries, count: 1 };
}

function skipReason(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root: network namespaces and NFQUEUE';
  try {
    createRequire(import.meta.url)('nfqueue');
    return false;
  } catch {
    return 'the optional npm package nfqueue is not built here';
  }
}
