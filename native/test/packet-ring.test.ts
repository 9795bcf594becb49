import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  ENTRY_TIME_US,
  ENTRY_WIRE_BYTES,
  PACKET_ENTRY_FIELDS,
  PacketHeader,
  parsePacket,
  workerOfPort,
} from '@trafficcopy/core';
import { addon } from '../lib/addon.js';
import { PacketRing, type PacketRingOptions, RawSender } from '../lib/index.js';
import { belongings } from './kit/belongings.js';
import { until } from './kit/condition.js';
import { batchOf, type PacketTemplate, packet, packetsOf, pattern } from './kit/packet-list.js';
import { skipWithoutRoot, TestNetwork } from './kit/test-network.js';

/** Sending and reading share a thread here: the ring bears a stall of 256 ms. */
const RING = { blockBytes: 128 * 1024, blockCount: 64, retireMs: 4 };
const library = new URL('../lib/index.js', import.meta.url).href;

/** Collects copies of everything that a ring captures, until stopped. */
function collect(ring: PacketRing): Uint8Array[] {
  const packets: Uint8Array[] = [];
  ring.start(() => {
    while (ring.next()) {
      packets.push(...packetsOf(ring));
      ring.release();
    }
  });
  return packets;
}

describe('batch layout', () => {
  it('native code and core agree on the numbers of an entry', () => {
    assert.deepEqual(addon().constants, {
      PACKET_ENTRY_FIELDS,
      ENTRY_OFFSET,
      ENTRY_CAPTURED_BYTES,
      ENTRY_WIRE_BYTES,
      ENTRY_TIME_US,
    });
  });
});

describe('PacketRing', { skip: skipWithoutRoot }, () => {
  const own = belongings();
  let network: TestNetwork;
  before(() => {
    network = new TestNetwork();
  });
  after(() => network.close());

  /** Captures at b what goes to port 9, if nothing else is said. */
  function openRing(options: Partial<PacketRingOptions> = {}): PacketRing {
    const { netnsPath } = network.b;
    return own(new PacketRing({ interfaceName: 'eth0', filter: 'tcp dst port 9', netnsPath, ...RING, ...options }));
  }

  function openSender(family: 4 | 6 = 4, { netnsPath } = network.a): RawSender {
    return own(new RawSender({ family, netnsPath }));
  }

  /** From a to b. */
  function packetToB(fields: Partial<PacketTemplate> = {}): Uint8Array {
    return packet({ source: network.a.ipv4, destination: network.b.ipv4, ...fields });
  }

  for (const family of [4, 6] as const) {
    const addresses = () =>
      family === 4
        ? { source: network.a.ipv4, destination: network.b.ipv4 }
        : { source: network.a.ipv6, destination: network.b.ipv6 };

    it(`IPv${family}: captures exactly what was sent, in order, from the IP header on`, async () => {
      const ring = openRing();
      const sender = openSender(family);
      const sent = batchOf(
        Array.from({ length: 300 }, (_, index) =>
          packet({ ...addresses(), seq: index, identification: index + 1, payload: pattern(index * 4, index) }),
        ),
      );
      const captured = collect(ring);
      assert.equal(sender.send(sent), 300);
      await until(
        '300 packets',
        () => captured.length >= 300,
        () => [captured.length, ring.statistics(), sender.statistics(), network.counters()],
      );
      assert.deepEqual(captured, packetsOf(sent));
      const { packets, drops, malformed, interfaceState } = ring.statistics();
      assert.deepEqual(
        { packets, drops, malformed, interfaceState },
        { packets: 300, drops: 0, malformed: 0, interfaceState: 'up' },
      );
      ring.close();
    });

    it(`IPv${family}: a super-packet comes as one packet, and the stream is complete`, async () => {
      const bytes = 400_000;
      const ring = openRing({ filter: 'tcp dst port 5001' });
      let largestBytes = 0;
      const stream = new Uint8Array(bytes);
      let isn: number | undefined;
      let covered = 0;
      const header = new PacketHeader();
      ring.start(() => {
        while (ring.next()) {
          for (let index = 0; index < ring.count; index += 1) {
            const entry = index * PACKET_ENTRY_FIELDS;
            const wireBytes = ring.entries[entry + ENTRY_WIRE_BYTES]!;
            const capturedBytes = ring.entries[entry + ENTRY_CAPTURED_BYTES]!;
            assert.equal(
              parsePacket(ring.bytes, ring.entries[entry + ENTRY_OFFSET]!, capturedBytes, wireBytes, header),
              'ok',
            );
            assert.equal(header.payloadBytesPresent, header.payloadBytes);
            largestBytes = Math.max(largestBytes, wireBytes);
            if ((header.flags & 2) !== 0) isn = header.seq;
            const at = ((header.seq - isn!) | 0) - 1;
            if (header.payloadBytes === 0) continue;
            stream.set(ring.bytes.subarray(header.payloadOffset, header.payloadOffset + header.payloadBytes), at);
            covered = Math.max(covered, at + header.payloadBytes);
          }
          ring.release();
        }
      });
      const address = family === 4 ? network.b.ipv4 : network.b.ipv6;
      own(
        await network.startScript(
          network.b.netns,
          `import net from 'node:net';
         net.createServer((socket) => socket.resume().on('error', () => {})).listen(5001, '${address}', () => console.log('ready'));`,
        ),
      );
      own(
        await network.startScript(
          network.a.netns,
          `import net from 'node:net';
         const bytes = Uint8Array.from({ length: ${bytes} }, (_, index) => (index * 31 + (index >> 8) * 7 + 1) & 255);
         const socket = net.connect(5001, '${address}', () => socket.end(bytes, () => console.log('sent')));`,
        ),
      );
      await until('the whole stream', () => covered === bytes);
      assert.ok(largestBytes > 10_000, `the largest packet had ${largestBytes} octets`);
      assert.deepEqual(Buffer.compare(stream, pattern(bytes)), 0);
    });
  }

  it('packets that the host sends itself are not captured', async () => {
    const outgoing = openRing({ netnsPath: network.a.netnsPath });
    const incoming = openRing();
    const sender = openSender();
    const captured = collect(incoming);
    sender.send(batchOf([packetToB()]));
    await until('the packet on the other side', () => captured.length === 1);
    assert.equal(outgoing.statistics().packets, 0);
  });

  it('seesOutgoing: packets that the host sends are captured in their place between those that arrive', async () => {
    const ring = openRing({ seesOutgoing: true });
    const remote = openSender();
    const local = openSender(4, network.b);
    const captured = collect(ring);
    remote.send(batchOf([packetToB({ seq: 1 })]));
    local.send(batchOf([packet({ source: network.b.ipv4, destination: network.a.ipv4, seq: 2 })]));
    remote.send(batchOf([packetToB({ seq: 3 })]));
    await until('three packets', () => captured.length >= 3);
    assert.deepEqual(
      captured.map((bytes) => bytes[27]),
      [1, 2, 3],
    );
  });

  it('all interfaces: the loopback too, each packet once', async () => {
    const ring = openRing({ interfaceName: '' });
    assert.equal(ring.name, 'any');
    const remote = openSender();
    const local = openSender(4, network.b);
    const captured = collect(ring);
    remote.send(batchOf([packetToB({ seq: 1 })]));
    local.send(batchOf([packet({ source: '127.0.0.1', destination: '127.0.0.1', seq: 2 })]));
    remote.send(batchOf([packetToB({ seq: 3 })]));
    await until('three packets', () => captured.length >= 3);
    assert.deepEqual(
      captured.map((bytes) => bytes[27]),
      [1, 2, 3],
    );
  });

  it('besides: what a macvlan device gets over the one below it comes once, and what that one gets too', async () => {
    const stacked = own(new TestNetwork());
    const { a, b } = stacked;
    const run = (...words: string[]): string => stacked.run(b.netns, ...words);
    const mac = '02:00:00:00:99:01';
    run('ip', 'link', 'add', 'upper', 'link', 'eth0', 'address', mac, 'type', 'macvlan', 'mode', 'bridge');
    run('ip', 'address', 'add', '192.0.2.9/32', 'dev', 'upper');
    run('ip', 'link', 'set', 'upper', 'up');
    stacked.run(a.netns, 'ip', 'route', 'add', '192.0.2.9/32', 'dev', 'eth0');
    stacked.run(a.netns, 'ip', 'neighbour', 'replace', '192.0.2.9', 'lladdr', mac, 'dev', 'eth0');
    const options = { interfaceName: '', filter: 'tcp dst port 9', netnsPath: b.netnsPath, ...RING };
    const every = own(new PacketRing(options));
    const once = own(new PacketRing({ ...options, besides: [] }));
    const [all, single] = [collect(every), collect(once)];
    const sender = own(new RawSender({ family: 4, netnsPath: a.netnsPath }));
    sender.send(batchOf([1, 2].map((seq) => packet({ source: a.ipv4, destination: '192.0.2.9', seq }))));
    sender.send(batchOf([packet({ source: a.ipv4, destination: b.ipv4, seq: 3 })]));
    await until('those for the macvlan device at both', () => all.length === 5);
    await until('each once', () => single.length >= 3);
    assert.deepEqual(
      single.map((bytes) => bytes[27]),
      [1, 2, 3],
    );
  });

  it('besides: what passes a port of a bridge and then the bridge comes once', async () => {
    const bridged = own(new TestNetwork());
    const { a, b } = bridged;
    const run = (...words: string[]): string => bridged.run(b.netns, ...words);
    run('ip', 'link', 'add', 'bridge', 'type', 'bridge');
    run('ip', 'address', 'flush', 'dev', 'eth0');
    run('ip', 'link', 'set', 'eth0', 'master', 'bridge');
    run('ip', 'address', 'add', `${b.ipv4}/24`, 'dev', 'bridge');
    run('ip', 'link', 'set', 'bridge', 'up');
    const options = { interfaceName: '', filter: 'tcp dst port 9', netnsPath: b.netnsPath, ...RING };
    const every = own(new PacketRing(options));
    const once = own(new PacketRing({ ...options, besides: [] }));
    once.setFilter(options.filter, [Number(run('cat', '/sys/class/net/eth0/ifindex'))]);
    const [all, single] = [collect(every), collect(once)];
    const sender = own(new RawSender({ family: 4, netnsPath: a.netnsPath }));
    sender.send(batchOf([1, 2, 3].map((seq) => packet({ source: a.ipv4, destination: b.ipv4, seq }))));
    await until('all of them at both devices', () => all.length === 6);
    await until('each once', () => single.length >= 3);
    assert.deepEqual(
      single.map((bytes) => bytes[27]),
      [1, 2, 3],
    );
  });

  it('an empty filter takes IP only: neighbour discovery by ARP is left out', async () => {
    const ring = openRing({ filter: '' });
    const captured = collect(ring);
    network.run(network.a.netns, 'ip', 'neighbour', 'delete', network.b.ipv4, 'dev', 'eth0');
    const sender = openSender();
    sender.send(batchOf([packetToB()]));
    await until('the TCP packet', () => captured.some((bytes) => bytes[0] === 0x45 && bytes[9] === 6));
    assert.deepEqual(
      captured.filter((bytes) => ![4, 6].includes(bytes[0]! >> 4)),
      [],
    );
  });

  it('IPv6: a filter can let extension headers pass', async () => {
    const filter = 'ip6 and (tcp dst port 9 or ip6[6] = 0) and dst host fd99::2';
    const ring = openRing({ filter });
    const sender = openSender(6);
    const captured = collect(ring);
    const sent = batchOf([
      packet({ source: network.a.ipv6, destination: network.b.ipv6, hasHopByHop: true, payload: pattern(99) }),
    ]);
    assert.equal(sender.send(sent), 1);
    await until('the packet', () => captured.some((bytes) => bytes[6] === 0 && bytes[40] === 6));
    assert.deepEqual(
      captured.find((bytes) => bytes[6] === 0 && bytes[40] === 6),
      packetsOf(sent)[0],
    );
  });

  it('a ring that is too small counts what it drops: delivered and dropped make up all', async () => {
    const ring = openRing({ blockBytes: 4096, blockCount: 2, retireMs: 1 });
    const sender = openSender();
    const one = packetToB({ payload: pattern(500) });
    sender.send(batchOf(Array.from({ length: 200 }, () => one)));
    await until('all of them', () => ring.statistics().packets === 200);
    const captured = collect(ring);
    await until('what the ring held', () => captured.length + ring.statistics().drops === 200);
    assert.ok(ring.statistics().drops > 150);
    assert.ok(ring.statistics().freezes >= 1);
    sender.send(batchOf([one]));
    await until('the ring to go on', () => captured.length + ring.statistics().drops === 201);
  });

  it('another filter takes effect between two packets; a wrong one changes nothing', async () => {
    const ring = openRing();
    const sender = openSender();
    const both = () => batchOf([9, 10].map((destinationPort) => packetToB({ destinationPort })));
    const captured = collect(ring);
    sender.send(both());
    await until('the first', () => captured.length === 1);
    assert.throws(() => ring.setFilter('nonsense ('), { code: 'ERR_NATIVE_FILTER' });
    ring.setFilter('tcp dst port 10');
    sender.send(both());
    await until('the second', () => captured.length === 2);
    assert.deepEqual(
      captured.map((bytes) => bytes[23]),
      [9, 10],
    );
  });

  for (const family of [4, 6] as const) {
    it(`IPv${family}: rings share the packets by source port, each as workerOfPort says, and keep to it when one closes`, async () => {
      const workers = 3;
      const rings = Array.from({ length: workers }, (_, worker) => openRing({ share: { worker, workers } }));
      const captured = rings.map(collect);
      const sender = openSender(family);
      const [source, destination] = family === 4 ? [network.a.ipv4, network.b.ipv4] : [network.a.ipv6, network.b.ipv6];
      const ports = Array.from({ length: 200 }, (_, index) => 1024 + index * 317);
      const send = (): number =>
        sender.send(batchOf(ports.map((sourcePort) => packet({ source, destination, sourcePort }))));
      const portsOf = (packets: Uint8Array[]): number[] =>
        packets.map((bytes) => {
          const tcp = family === 4 ? 20 : 40;
          return (bytes[tcp]! << 8) | bytes[tcp + 1]!;
        });
      const shareOf = (worker: number): number[] => ports.filter((port) => workerOfPort(port, workers) === worker);
      send();
      await until('all packets', () => captured.reduce((sum, packets) => sum + packets.length, 0) === ports.length);
      for (const [worker, packets] of captured.entries()) assert.deepEqual(portsOf(packets), shareOf(worker));
      // A share holds for a new filter, too, and whatever happens to the other rings.
      rings[0]!.close();
      for (const ring of rings.slice(1)) ring.setFilter('tcp dst port 9 and not src port 1024');
      for (const packets of captured) packets.length = 0;
      send();
      const expected = [1, 2].map((worker) => shareOf(worker).filter((port) => port !== 1024));
      await until('the rest', () => captured[1]!.length + captured[2]!.length === expected.flat().length);
      assert.deepEqual([portsOf(captured[1]!), portsOf(captured[2]!)], expected);
    });
  }

  it('an interface that goes down and comes up again, or is replaced, does not end the capture', async () => {
    const cable = own(new TestNetwork());
    const ring = openRing({ netnsPath: cable.b.netnsPath });
    const sender = openSender(4, cable.a);
    const captured = collect(ring);
    const send = (): number => sender.send(batchOf([packet({ source: cable.a.ipv4, destination: cable.b.ipv4 })]));
    const arrives = async (): Promise<void> => {
      const before = captured.length;
      await until('a packet', () => {
        send();
        return captured.length > before;
      });
    };
    await arrives();
    cable.run(cable.b.netns, 'ip', 'link', 'set', 'eth0', 'down');
    await until('state down', () => ring.statistics().interfaceState === 'down');
    cable.run(cable.b.netns, 'ip', 'link', 'set', 'eth0', 'up');
    await until('state up', () => ring.statistics().interfaceState === 'up');
    await arrives();
    cable.unplug();
    await until('state gone', () => ring.statistics().interfaceState === 'gone');
    cable.plug();
    await until('state up', () => ring.statistics().interfaceState === 'up');
    await arrives();
  });

  it('a closed ring has no memory left and takes every call', () => {
    const ring = openRing({ interfaceName: 'lo', filter: '', netnsPath: network.a.netnsPath });
    const { bytes } = ring;
    assert.equal(bytes.length, RING.blockBytes * RING.blockCount);
    ring.start(() => {});
    ring.close();
    ring.close();
    assert.equal(bytes.length, 0);
    assert.equal(ring.next(), false);
    ring.release();
    ring.stop();
    assert.equal(ring.statistics().drops, 0);
    assert.throws(() => ring.start(() => {}), { code: 'ERR_NATIVE_CLOSED' });
    assert.throws(() => ring.setFilter(''), { code: 'ERR_NATIVE_CLOSED' });
  });

  it('a ring may be closed by its own callback', async () => {
    const ring = openRing();
    const sender = openSender();
    const closed = new Promise<void>((resolve) => {
      ring.start(() => {
        ring.next();
        ring.close();
        resolve();
      });
    });
    sender.send(batchOf([packetToB()]));
    await closed;
    assert.equal(ring.bytes.length, 0);
    sender.close();
  });

  it('what the callback throws is an uncaught exception of the process', () => {
    const script = `
      import { PacketRing, RawSender } from '${library}';
      const ring = new PacketRing({ interfaceName: 'lo', filter: 'tcp dst port 9', blockBytes: 65536, blockCount: 2, retireMs: 1 });
      process.on('uncaughtException', (error) => { console.log(error.message); ring.close(); });
      ring.start(() => { ring.next(); ring.release(); throw new Error('from the callback'); });
      (await import('node:net')).connect(9, '127.0.0.1').on('error', () => {});`;
    assert.match(runScript(network.a.netns, script), /^from the callback\n/);
  });

  it('memory of a forgotten ring stays readable as long as somebody holds it', () => {
    const script = `
      import { PacketRing } from '${library}';
      const take = () => new PacketRing({ interfaceName: 'lo', filter: '', blockBytes: 65536, blockCount: 2, retireMs: 1 }).bytes;
      const bytes = take();
      for (let round = 0; round < 5; round += 1) { gc(); await new Promise(setImmediate); }
      console.log(bytes.length, bytes.reduce((sum, octet) => sum + octet, 0) >= 0);`;
    assert.equal(runScript(network.a.netns, script, '--expose-gc'), '131072 true\n');
  });

  it('without CAP_NET_RAW the message says what is missing', () => {
    const script = `
      import { PacketRing, RawSender } from '${library}';
      for (const open of [() => new PacketRing({ interfaceName: 'lo', filter: '', blockBytes: 65536, blockCount: 2, retireMs: 1 }),
        () => new RawSender({ family: 4 }), () => new RawSender({ family: 6 })]) {
        try { open(); } catch (error) { console.log(error.code, error.errno, error.syscall, /CAP_NET_RAW: run as root/.test(error.message)); }
      }`;
    assert.equal(
      runScript(network.a.netns, script, '--no-warnings', [
        'setpriv',
        '--bounding-set=-net_raw',
        '--inh-caps=-net_raw',
      ]),
      'ERR_NATIVE_PERMISSION EPERM socket AF_PACKET true\n' +
        'ERR_NATIVE_PERMISSION EPERM socket SOCK_RAW true\n'.repeat(2),
    );
  });

  it('an unknown interface, namespace or option is refused by name', () => {
    const open = (options: object) => () => new PacketRing({ interfaceName: 'lo', filter: '', ...RING, ...options });
    assert.throws(open({ interfaceName: 'nope0' }), {
      code: 'ERR_NATIVE_INTERFACE',
      errno: 'ENODEV',
      message: /nope0/,
    });
    assert.throws(open({ interfaceName: 'a-name-that-no-interface-has' }), { code: 'ERR_NATIVE_INTERFACE' });
    assert.throws(open({ netnsPath: '/run/netns/nope' }), {
      code: 'ERR_NATIVE_NETNS',
      errno: 'ENOENT',
      message: /nope/,
    });
    assert.throws(open({ netnsPath: '/etc/passwd' }), { code: 'ERR_NATIVE_NETNS', syscall: 'setns' });
    assert.throws(open({ blockBytes: 5000 }), { code: 'ERR_NATIVE_OPTION', message: /blockBytes is 5000/ });
    assert.throws(open({ blockCount: 0 }), { code: 'ERR_NATIVE_OPTION', message: /blockCount is 0/ });
    assert.throws(open({ retireMs: Number.NaN }), { code: 'ERR_NATIVE_OPTION', message: /retireMs is NaN/ });
  });

  it('opening in another namespace leaves the thread where it was', () => {
    const home = readlinkSync('/proc/thread-self/ns/net');
    openRing({ interfaceName: 'lo', filter: '', netnsPath: network.a.netnsPath });
    assert.throws(
      () => new PacketRing({ interfaceName: 'nope0', filter: '', netnsPath: network.a.netnsPath, ...RING }),
    );
    assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
  });

  /** Runs a script to its end in a namespace and returns what it printed. */
  function runScript(netns: string, script: string, flag = '--no-warnings', wrapper: string[] = []): string {
    return network.run(netns, ...wrapper, process.execPath, flag, '--input-type=module', '-e', script);
  }
});
