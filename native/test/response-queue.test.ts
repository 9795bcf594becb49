import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  PacketHeader,
  parsePacket,
} from '@trafficcopy/core';
import { PacketRing, RawSender, ResponseQueue } from '../lib/index.js';
import { belongings } from './kit/belongings.js';
import { until } from './kit/condition.js';
import { batchOf, packet, packetsOf, pattern } from './kit/packet-list.js';
import { skipWithoutRoot, TestNetwork } from './kit/test-network.js';

const library = new URL('../lib/index.js', import.meta.url).href;
const QUEUE = 3900;
const RESPONSES = ['-t', 'mangle', '-p', 'tcp', '--sport', '7000', '-j', 'NFQUEUE', '--queue-num', String(QUEUE)];

describe('ResponseQueue', { skip: skipWithoutRoot }, () => {
  const own = belongings();
  let network: TestNetwork;
  before(() => {
    network = new TestNetwork();
    for (const iptables of ['iptables', 'ip6tables'])
      network.run(network.b.netns, iptables, '-A', 'OUTPUT', ...RESPONSES);
  });
  after(() => network.close());

  const route = (family: 4 | 6): { source: string; destination: string } =>
    family === 4
      ? { source: network.b.ipv4, destination: network.a.ipv4 }
      : { source: network.b.ipv6, destination: network.a.ipv6 };

  const open = (options: object = {}): ResponseQueue =>
    own(new ResponseQueue({ queueNumber: QUEUE, netnsPath: network.b.netnsPath, ...options }));

  /** Everything the queue reads: the octets that came along, and the length of each packet. */
  function collect(queue: ResponseQueue): { packets: Uint8Array[]; wireBytes: number[] } {
    const packets: Uint8Array[] = [];
    const wireBytes: number[] = [];
    queue.start(() => {
      while (queue.read()) {
        packets.push(...packetsOf(queue));
        for (let index = 0; index < queue.count; index += 1) {
          wireBytes.push(queue.entries[index * PACKET_ENTRY_FIELDS + ENTRY_WIRE_BYTES]!);
        }
      }
    });
    return { packets, wireBytes };
  }

  for (const family of [4, 6] as const) {
    it(`IPv${family}: responses come with their headers and true length, in order, and go nowhere else`, async () => {
      const queue = open();
      const client = own(
        new PacketRing({
          interfaceName: 'eth0',
          filter: 'tcp',
          blockBytes: 65_536,
          blockCount: 4,
          retireMs: 1,
          netnsPath: network.a.netnsPath,
        }),
      );
      const sender = own(new RawSender({ family, netnsPath: network.b.netnsPath }));
      const { packets, wireBytes } = collect(queue);
      const lengths = Array.from({ length: 1000 }, (_, index) => index);
      const sent = batchOf(
        lengths.map((length) => packet({ ...route(family), sourcePort: 7000, seq: length, payload: pattern(length) })),
      );
      assert.equal(sender.send(sent), 1000);
      await until('1000 responses', () => packets.length === 1000);
      assert.deepEqual(
        packets,
        packetsOf(sent).map((bytes) => bytes.slice(0, 128)),
      );
      assert.deepEqual(
        wireBytes,
        packetsOf(sent).map((bytes) => bytes.length),
      );
      sender.send(batchOf([packet({ ...route(family), sourcePort: 7001 })]));
      await until('what the rule does not take', () => client.next());
      assert.equal(client.count, 1);
      assert.equal(client.statistics().packets, 1, 'no response reached the client');
      await until('an empty queue', () => queue.statistics().waiting === 0);
      const { packets: read, queueDropped, userDropped, malformed } = queue.statistics();
      assert.deepEqual(
        { read, queueDropped, userDropped, malformed },
        { read: 1000, queueDropped: 0, userDropped: 0, malformed: 0 },
      );
    });
  }

  it('a super-packet comes as one response', async () => {
    // Only what is large goes to the queue: the connection itself comes to stand.
    const own7002 = [
      'OUTPUT',
      '-t',
      'mangle',
      '-p',
      'tcp',
      '--sport',
      '7002',
      '-m',
      'length',
      '--length',
      '200:65535',
      '-j',
      'NFQUEUE',
      '--queue-num',
      String(QUEUE),
    ];
    network.run(network.b.netns, 'iptables', '-A', ...own7002);
    const { packets, wireBytes } = collect(open());
    own(
      await network.startScript(
        network.b.netns,
        `import net from 'node:net';
         net.createServer((socket) => socket.on('error', () => {}).end(Buffer.alloc(10000, 7))).listen(7002, '${network.b.ipv4}', () => console.log('ready'));`,
      ),
    );
    own(
      await network.startScript(
        network.a.netns,
        `import net from 'node:net'; net.connect(7002, '${network.b.ipv4}', () => console.log('connected')).on('error', () => {});`,
      ),
    );
    await until('a response', () => packets.length > 0);
    const header = new PacketHeader();
    assert.equal(parsePacket(packets[0]!, 0, packets[0]!.length, wireBytes[0]!, header), 'ok');
    assert.ok(header.payloadBytes > 2 * 1460, `the first response has ${header.payloadBytes} octets of payload`);
    assert.equal(wireBytes[0], header.payloadOffset + header.payloadBytes);
    assert.equal(packets[0]!.length, 128);
    network.run(network.b.netns, 'iptables', '-D', ...own7002);
  });

  it('copyBytes says how much of a packet comes along', async () => {
    const { packets } = collect(open({ copyBytes: 65_535 }));
    const sender = own(new RawSender({ family: 4, netnsPath: network.b.netnsPath }));
    const sent = batchOf([packet({ ...route(4), sourcePort: 7000, payload: pattern(1400) })]);
    sender.send(sent);
    await until('the response', () => packets.length === 1);
    assert.deepEqual(packets, packetsOf(sent));
  });

  it('how much of a packet comes along can change while packets wait', async () => {
    const queue = open();
    const sender = own(new RawSender({ family: 4, netnsPath: network.b.netnsPath }));
    const sent = batchOf([packet({ ...route(4), sourcePort: 7000, payload: pattern(1400) })]);
    sender.send(sent);
    queue.setCopyBytes(1000);
    sender.send(sent);
    queue.setCopyBytes(200);
    sender.send(sent);
    queue.setCopyBytes(65_535);
    sender.send(sent);
    const { packets, wireBytes } = collect(queue);
    await until('all', () => packets.length === 4);
    assert.deepEqual(
      packets.map((bytes) => bytes.length),
      [128, 1000, 200, wireBytes[3]],
    );
    assert.deepEqual(packets[3], packetsOf(sent)[0]);
    assert.throws(() => queue.setCopyBytes(70_000), { code: 'ERR_NATIVE_OPTION' });
    assert.equal(queue.statistics().malformed, 0);
    queue.close();
    queue.setCopyBytes(128);
  });

  it('a queue that somebody reads is refused, and its reader goes on', async () => {
    const { packets } = collect(open());
    assert.throws(() => open(), { code: 'ERR_NATIVE_QUEUE_BUSY', errno: 'EBUSY', message: /another program reads/ });
    const sender = own(new RawSender({ family: 4, netnsPath: network.b.netnsPath }));
    sender.send(batchOf([packet({ ...route(4), sourcePort: 7000 })]));
    await until('the response', () => packets.length === 1);
  });

  it('a closed queue is free again', () => {
    open().close();
    const queue = open();
    assert.equal(queue.read(), false);
    queue.close();
    queue.close();
    assert.equal(queue.read(), false);
    assert.throws(() => queue.start(() => {}), { code: 'ERR_NATIVE_CLOSED' });
    assert.equal(queue.statistics().packets, 0);
  });

  it('responses that find the queue full are counted, in the namespace of the queue', async () => {
    const queue = open({ queueLengthMax: 5 });
    const sender = own(new RawSender({ family: 4, netnsPath: network.b.netnsPath }));
    const one = packet({ ...route(4), sourcePort: 7000 });
    sender.send(batchOf(Array.from({ length: 50 }, () => one)));
    const { waiting, queueDropped, userDropped } = queue.statistics();
    assert.deepEqual({ waiting, queueDropped, userDropped }, { waiting: 5, queueDropped: 45, userDropped: 0 });
    const { packets } = collect(queue);
    await until('those that waited', () => packets.length === 5);
    assert.equal(queue.statistics().packets, 5);
  });

  it('responses that find the netlink buffer full are counted', async () => {
    const queue = open({ receiveBufferBytes: 4096 });
    const sender = own(new RawSender({ family: 4, netnsPath: network.b.netnsPath }));
    const one = packet({ ...route(4), sourcePort: 7000 });
    sender.send(batchOf(Array.from({ length: 200 }, () => one)));
    const { waiting, queueDropped, userDropped } = queue.statistics();
    assert.equal(queueDropped, 0);
    assert.ok(userDropped > 0);
    assert.equal(waiting + userDropped, 200);
    const { packets } = collect(queue);
    await until('those that waited', () => packets.length === waiting);
    sender.send(batchOf([one]));
    await until('the queue to go on', () => packets.length === waiting + 1);
  });

  it('without CAP_NET_ADMIN the message says what is missing', () => {
    const script = `
      import { ResponseQueue } from '${library}';
      try { new ResponseQueue({ queueNumber: 3901 }); }
      catch (error) { console.log(error.code, error.errno, /CAP_NET_ADMIN: run as root/.test(error.message)); }`;
    const printed = network.run(
      network.b.netns,
      ...['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'],
      ...[process.execPath, '--input-type=module', '-e', script],
    );
    assert.equal(printed, 'ERR_NATIVE_PERMISSION EPERM true\n');
  });

  it('in a worker thread: ring, sender and queue work together, and end with the thread', async () => {
    const worker = new Worker(new URL('./kit/io-worker.js', import.meta.url), {
      workerData: {
        netnsPath: network.b.netnsPath,
        peerNetnsPath: network.a.netnsPath,
        queueNumber: QUEUE,
        source: network.b.ipv4,
        destination: network.a.ipv4,
      },
    });
    const figures = await new Promise<unknown>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    assert.deepEqual(figures, { responses: 3, captured: 2 });
    // Everything is started and open in there.
    await worker.terminate();
    // The queue is free: its socket ended with the thread.
    open().close();
  });

  it('many threads that end at once with open sockets do not disturb the process', async () => {
    const workers = Array.from(
      { length: 4 },
      (_, index) =>
        new Worker(new URL('./kit/io-worker.js', import.meta.url), {
          workerData: {
            netnsPath: network.b.netnsPath,
            peerNetnsPath: network.a.netnsPath,
            queueNumber: QUEUE + 10 + index,
            isIdle: true,
          },
        }),
    );
    await Promise.all(
      workers.map(async (worker) => {
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        await worker.terminate();
      }),
    );
    for (const index of workers.keys()) open({ queueNumber: QUEUE + 10 + index }).close();
  });

  it('entries lie inside the bytes', async () => {
    const queue = open();
    const sender = own(new RawSender({ family: 4, netnsPath: network.b.netnsPath }));
    sender.send(
      batchOf(Array.from({ length: 300 }, () => packet({ ...route(4), sourcePort: 7000, payload: pattern(700) }))),
    );
    let read = 0;
    await until('all', () => {
      if (queue.read()) {
        for (let index = 0; index < queue.count; index += 1) {
          const entry = index * PACKET_ENTRY_FIELDS;
          assert.ok(
            queue.entries[entry + ENTRY_OFFSET]! + queue.entries[entry + ENTRY_CAPTURED_BYTES]! <= queue.bytes.length,
          );
        }
        read += queue.count;
      }
      return read === 300;
    });
  });
});
