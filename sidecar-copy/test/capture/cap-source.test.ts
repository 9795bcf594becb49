import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Lab } from '@trafficcopy/lab';
import type { Seen } from './cap-oracle.js';

const ORACLE = fileURLToPath(new URL('./cap-oracle.js', import.meta.url));
const PORT = 5100;
const FILTER = `tcp dst port ${PORT} or tcp dst port 9`;

/** Sends `bytes` over one connection, then many small requests over others, then the packet that ends the capture. */
const TRAFFIC = `
  import net from 'node:net';
  const [address, bytes] = [process.argv[1], Number(process.argv[2])];
  const once = (payload) => new Promise((resolve, reject) => {
    const socket = net.connect(${PORT}, address, () => socket.end(payload));
    socket.resume().on('close', resolve).on('error', reject);
  });
  await once(Buffer.alloc(bytes, 'super-packet '));
  for (let index = 0; index < 30; index += 1) await once(Buffer.alloc(1 + index * 37, String(index)));
  await new Promise((resolve) => net.connect(9, address).on('error', resolve));`;

const SERVER = `
  import net from 'node:net';
  net.createServer((socket) => socket.on('data', (data) => socket.write(data.subarray(0, 100))).on('end', () => socket.end()).on('error', () => {}))
    .listen({ port: ${PORT}, host: '::' }, () => console.log('listening'));`;

describe('CapSource', { skip: skipReason() }, () => {
  let lab: Lab;
  before(async () => {
    lab = await Lab.create();
    const server = await lab.online.start('server', process.execPath, ['--input-type=module', '-e', SERVER]);
    await server.waitForLine(/listening/);
  });
  after(() => lab.close());

  for (const family of [4, 6] as const) {
    it(`IPv${family} on the loopback: gives the same packets as the ring`, async () => {
      const oracle = await lab.online.start('oracle', process.execPath, [ORACLE, 'lo', FILTER]);
      await oracle.waitForLine(/capturing/);
      const address = family === 4 ? '127.0.0.1' : '::1';
      await lab.online.expect(process.execPath, ['--input-type=module', '-e', TRAFFIC, address, '300000']);
      await oracle.expectEnd(25_000);
      assertEqual(JSON.parse(oracle.stdoutLines.at(-1)!) as [Seen, Seen]);
    });

    for (const interfaceName of ['eth0', '']) {
      it(`IPv${family} on ${interfaceName || 'all interfaces'}: gives the same packets as the ring`, async () => {
        const oracle = await lab.online.start('oracle', process.execPath, [ORACLE, interfaceName, FILTER]);
        await oracle.waitForLine(/capturing/);
        const address = lab.online.address(family);
        await lab.client.expect(process.execPath, ['--input-type=module', '-e', TRAFFIC, address, '300000']);
        await oracle.expectEnd(25_000);
        assertEqual(JSON.parse(oracle.stdoutLines.at(-1)!) as [Seen, Seen]);
      });
    }
  }

  it('a wrong filter or interface, a missing capability, a worker thread: a clear error', async () => {
    const module = new URL('../../src/capture/cap-source.js', import.meta.url).href;
    const attempt = `
      const { CapSource } = await import('${module}');
      for (const [interfaceName, filter] of [['lo', 'tcp prot 80'], ['nope0', ''], ['lo', '']]) {
        try { new CapSource({ interfaceName, filter, bufferBytes: 65536 }).close(); console.log('opened'); }
        catch (error) { console.log(error.code, error.message); }
      }`;
    const node = [process.execPath, '--input-type=module', '-e', `${attempt}; process.exit();`];
    const asRoot = await lab.client.expect(node[0]!, node.slice(1));
    assert.match(asRoot, /^ERR_START_CAPTURE .*cannot capture on lo .*syntax error/m);
    assert.match(asRoot, /^ERR_START_CAPTURE .*cannot capture on nope0/m);
    assert.match(asRoot, /^opened$/m);
    const unprivileged = await lab.client.expect('setpriv', [
      '--bounding-set=-net_raw',
      '--inh-caps=-net_raw',
      ...node,
    ]);
    assert.match(unprivileged, /^ERR_START_CAPTURE cannot capture on lo .*needs CAP_NET_RAW/m);
    const worker = new Worker(
      `import('${module}').then(({ CapSource }) => new CapSource({ interfaceName: 'lo', filter: '', bufferBytes: 65536 }))
        .catch((error) => require('node:worker_threads').parentPort.postMessage(error.message));`,
      { eval: true },
    );
    const message = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.match(String(message), /main thread only: use --capture=native/);
    await worker.terminate();
  });
});

function assertEqual([ring, cap]: [Seen, Seen]): void {
  assert.ok(ring.packets.length > 100, `${ring.packets.length} packets`);
  assert.ok(ring.largestBytes > 10_000, 'super-packets are among them');
  assert.deepEqual({ ring: ring.drops, cap: cap.drops }, { ring: 0, cap: 0 });
  // Two sockets may see packets of two processors in another order.
  assert.deepEqual(difference(ring.packets, cap.packets), { onlyFirst: [], onlySecond: [] });
  assert.equal(cap.packets.length, ring.packets.length);
  assert.equal(cap.largestBytes, ring.largestBytes);
}

function difference(first: string[], second: string[]): { onlyFirst: string[]; onlySecond: string[] } {
  return {
    onlyFirst: first.filter((one) => !second.includes(one)),
    onlySecond: second.filter((one) => !first.includes(one)),
  };
}

function skipReason(): string | false {
  if (process.geteuid?.() !== 0) return 'needs root: network namespaces and capture';
  try {
    createRequire(import.meta.url)('cap');
    return false;
  } catch {
    return 'the optional npm package cap is not built here';
  }
}
