import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import {
  ENTRY_CAPTURED_BYTES,
  ENTRY_OFFSET,
  FIN,
  type PacketBatch,
  PacketHeader,
  PSH,
  parsePacket,
  readU16,
  tcpChecksumIsRight,
  writeChecksums,
} from '@trafficcopy/core';
import { PacketRing, RawSender } from '../lib/index.js';
import { belongings } from './kit/belongings.js';
import { until } from './kit/condition.js';
import { batchOf, datagram, packet, packetsOf, pattern } from './kit/packet-list.js';
import { skipWithoutRoot, TestNetwork } from './kit/test-network.js';

/** Sending and reading share a thread here: the ring bears a stall of 256 ms. */
const RING = { interfaceName: 'eth0', blockBytes: 128 * 1024, blockCount: 64, retireMs: 4 };

function headerOf(bytes: Uint8Array): PacketHeader {
  const header = new PacketHeader();
  assert.equal(parsePacket(bytes, 0, bytes.length, bytes.length, header), 'ok');
  return header;
}

function assertChecksums(bytes: Uint8Array): void {
  const header = headerOf(bytes);
  assert.ok(tcpChecksumIsRight(bytes, header), 'TCP checksum');
  const expected = bytes.slice();
  writeChecksums(expected, 0, header);
  assert.deepEqual(bytes, expected);
}

/** Prints the length and the hash of what it receives. */
const UDP_SERVER = `
  import { createHash } from 'node:crypto';
  import { createSocket } from 'node:dgram';
  const [type, address] = process.argv.slice(1);
  const socket = createSocket({ type, recvBufferSize: 1 << 20 });
  socket.on('message', (data) => console.log(data.length + ' ' + createHash('sha1').update(data).digest('hex')));
  socket.bind(9, address, () => console.log('ready'));
`;

function received(payload: Uint8Array): string {
  return `${payload.length} ${createHash('sha1').update(payload).digest('hex')}`;
}

describe('RawSender', { skip: skipWithoutRoot }, () => {
  const own = belongings();
  let network: TestNetwork;
  before(() => {
    network = new TestNetwork();
  });
  after(() => network.close());

  const route = (family: 4 | 6): { source: string; destination: string } =>
    family === 4
      ? { source: network.a.ipv4, destination: network.b.ipv4 }
      : { source: network.a.ipv6, destination: network.b.ipv6 };

  function capture(filter: string): Uint8Array[] {
    const ring = own(new PacketRing({ ...RING, filter, netnsPath: network.b.netnsPath }));
    const captured: Uint8Array[] = [];
    ring.start(() => {
      while (ring.next()) captured.push(...packetsOf(ring));
    });
    return captured;
  }

  for (const family of [4, 6] as const) {
    it(`IPv${family}: checksums are filled in, in place and on the wire, for every length`, async () => {
      const sender = own(new RawSender({ family, netnsPath: network.a.netnsPath }));
      const captured = capture('tcp dst port 9');
      const lengths = [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 65, 255, 1001, 1440];
      const sent = batchOf(
        lengths.flatMap((length) => [
          packet({ ...route(family), payload: pattern(length), seq: length }),
          packet({ ...route(family), payload: new Uint8Array(length).fill(0xff), seq: 0x80000000 }),
        ]),
      );
      assert.equal(sender.send(sent), sent.count);
      for (const one of packetsOf(sent)) assertChecksums(one);
      await until('all packets', () => captured.length === sent.count);
      assert.deepEqual(captured, packetsOf(sent));
      const { sent: handed, segments, failed, errors } = sender.statistics();
      assert.deepEqual(
        { handed, segments, failed, errors },
        { handed: sent.count, segments: sent.count, failed: 0, errors: {} },
      );
    });

    it(`IPv${family}: a packet above segmentBytesMax leaves as segments that make up the same stream`, async () => {
      const segmentBytesMax = 1000;
      const sender = own(new RawSender({ family, segmentBytesMax, netnsPath: network.a.netnsPath }));
      const captured = capture('tcp dst port 9');
      const payload = pattern(60_001);
      const seq = 0xffff_f000;
      const flags = FIN | PSH | 0x10;
      const sent = batchOf([
        packet({ ...route(family), payload, seq, flags, identification: 900 }),
        packet({ ...route(family), payload: pattern(10), seq: 5 }),
      ]);
      const before = sent.bytes.slice();
      assert.equal(sender.send(sent), 2);
      const headerBytes = (family === 4 ? 20 : 40) + 20;
      const segments = Math.ceil(payload.length / (segmentBytesMax - headerBytes));
      assert.equal(sender.statistics().segments, segments + 1);
      await until('all segments', () => captured.length === segments + 1);
      assert.equal(captured[segments]!.length, headerBytes + 10);
      const stream = new Uint8Array(payload.length);
      let at = 0;
      for (const [index, segment] of captured.slice(0, segments).entries()) {
        const isLast = index === segments - 1;
        assertChecksums(segment);
        const header = headerOf(segment);
        assert.ok(segment.length <= segmentBytesMax);
        assert.equal(header.seq, (seq + at) | 0);
        assert.equal(header.flags, isLast ? flags : 0x10);
        if (family === 4) assert.equal(readU16(segment, 4), 900 + index);
        stream.set(segment.subarray(header.payloadOffset), at);
        at += header.payloadBytes;
      }
      assert.equal(Buffer.compare(stream, payload), 0);
      assert.equal(
        Buffer.compare(sent.bytes.subarray(0, 60_000), before.subarray(0, 60_000)),
        0,
        'the super-packet is left as it was',
      );
    });

    it(`IPv${family}: datagrams reach a socket of the kernel, which checks their checksums, at every length`, async () => {
      const address = family === 4 ? network.b.ipv4 : network.b.ipv6;
      const server = own(await network.startScript(network.b.netns, UDP_SERVER, `udp${family}`, address));
      const sender = own(new RawSender({ family, netnsPath: network.a.netnsPath }));
      const payloads = [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 65, 255, 1001, 1440].flatMap((length) => [
        pattern(length),
        new Uint8Array(length).fill(0xff),
      ]);
      const sent = batchOf(payloads.map((payload) => datagram({ ...route(family), payload })));
      assert.equal(sender.send(sent), sent.count);
      await until('all datagrams', () => server.lines.length === 1 + payloads.length);
      assert.deepEqual(server.lines.slice(1), payloads.map(received));
    });

    it(`IPv${family}: a checksum of 0 is sent as 0xffff (RFC 768, RFC 8200 8.1)`, async () => {
      const address = family === 4 ? network.b.ipv4 : network.b.ipv6;
      const server = own(await network.startScript(network.b.netns, UDP_SERVER, `udp${family}`, address));
      const sender = own(new RawSender({ family, netnsPath: network.a.netnsPath }));
      const checksumAt = (family === 4 ? 20 : 40) + 6;
      const plain = batchOf([datagram({ ...route(family), payload: new Uint8Array(2) })]);
      sender.send(plain);
      // The payload that brings the sum to what has the complement 0.
      const payload = plain.bytes.slice(checksumAt, checksumAt + 2);
      const zero = batchOf([datagram({ ...route(family), payload })]);
      assert.equal(sender.send(zero), 1);
      assert.equal(readU16(zero.bytes, checksumAt), 0xffff);
      await until('both', () => server.lines.length === 3);
      assert.deepEqual(server.lines.slice(1), [received(new Uint8Array(2)), received(payload)]);
    });

    it(`IPv${family}: a datagram of 64 KiB comes in through lo, from a foreign address; a longer packet than segmentBytesMax is refused`, async () => {
      const { ipv4, ipv6, netns, netnsPath } = network.a;
      const destination = family === 4 ? ipv4 : ipv6;
      const source = family === 4 ? '198.51.100.7' : '2001:db8::7';
      const server = own(await network.startScript(netns, UDP_SERVER, `udp${family}`, destination));
      const sender = own(new RawSender({ family, netnsPath }));
      const headerBytes = (family === 4 ? 20 : 40) + 8;
      const payload = pattern(65_535 - headerBytes);
      assert.equal(sender.send(batchOf([datagram({ source, destination, payload })])), 1);
      await until('the datagram', () => server.lines.length === 2);
      assert.equal(server.lines[1], received(payload));
      const narrow = own(new RawSender({ family, netnsPath, segmentBytesMax: 1000 }));
      const long = datagram({ source, destination, payload: pattern(1001 - headerBytes) });
      const fits = datagram({ source, destination, payload: pattern(1000 - headerBytes) });
      assert.equal(narrow.send(batchOf([long, fits])), 1);
      assert.deepEqual(narrow.statistics().errors, { EMSGSIZE: 1 });
    });

    it(`IPv${family}: packets of the other family are skipped and not counted`, () => {
      const sender = own(new RawSender({ family, netnsPath: network.a.netnsPath }));
      const sent = batchOf([packet(route(family === 4 ? 6 : 4)), packet(route(family))]);
      assert.equal(sender.send(sent), 1);
      const { sent: handed, failed } = sender.statistics();
      assert.deepEqual({ handed, failed }, { handed: 1, failed: 0 });
    });
  }

  it('what the kernel refuses is skipped and counted by errno; the rest of the batch goes on', async () => {
    network.run(network.a.netns, 'ip', 'route', 'add', 'unreachable', '10.98.0.0/24');
    network.run(network.a.netns, 'ip', 'route', 'add', 'prohibit', '10.97.0.0/24');
    const sender = own(new RawSender({ family: 4, netnsPath: network.a.netnsPath }));
    const captured = capture('tcp dst port 9');
    const good = packet({ ...route(4), payload: pattern(100) });
    const sent = batchOf([
      good,
      packet({ ...route(4), payload: pattern(3000) }),
      good,
      packet({ source: network.a.ipv4, destination: '10.98.0.1' }),
      packet({ source: network.a.ipv4, destination: '10.97.0.1' }),
      packet({ source: network.a.ipv4, destination: '192.0.2.1' }),
      good,
    ]);
    assert.equal(sender.send(sent), 3);
    await until('the good ones', () => captured.length === 3);
    const { sent: handed, failed, errors, lastErrno } = sender.statistics();
    assert.deepEqual(
      { handed, failed, errors },
      { handed: 3, failed: 4, errors: { EMSGSIZE: 1, EHOSTUNREACH: 1, EACCES: 1, ENETUNREACH: 1 } },
    );
    assert.ok(lastErrno > 0);
  });

  for (const family of [4, 6] as const) {
    it(`IPv${family}: what a full queue of the interface leaves no room for is counted, and sending goes on when there is room again`, async () => {
      const qdisc = (...words: string[]): unknown => network.run(network.a.netns, 'tc', 'qdisc', ...words);
      const sender = own(new RawSender({ family, netnsPath: network.a.netnsPath, sendBufferBytes: 32 * 1024 }));
      const burst = batchOf(Array.from({ length: 200 }, () => packet({ ...route(family), payload: pattern(1000) })));
      // One packet a second, and room for all that the socket may have under way.
      qdisc('replace', 'dev', 'eth0', 'root', 'tbf', 'rate', '8kbit', 'burst', '1600', 'limit', '1000000');
      try {
        const taken = sender.send(burst);
        assert.ok(taken > 0 && taken < 200, `${taken} of 200`);
        const { failed, errors } = sender.statistics();
        assert.deepEqual({ failed, errors }, { failed: 200 - taken, errors: { EAGAIN: 200 - taken } });
      } finally {
        qdisc('del', 'dev', 'eth0', 'root');
      }
      await until('there is room', () => sender.send(batchOf([packet(route(family))])) === 1);
    });
  }

  for (const family of [4, 6] as const) {
    it(`IPv${family}: tells which packets were too big for their route, and what that carries`, () => {
      const sender = own(new RawSender({ family, netnsPath: network.a.netnsPath }));
      const small = packet(route(family));
      const large = packet({ ...route(family), payload: pattern(3000) });
      assert.equal(sender.send(batchOf([small, large, small, large])), 2);
      assert.deepEqual([...sender.tooBig()], [1, 1500, 3, 1500]);
      assert.equal(sender.send(batchOf([small])), 1);
      assert.deepEqual([...sender.tooBig()], []);
      sender.send(batchOf(new Array<Uint8Array>(100).fill(large)));
      assert.equal(sender.tooBig().length, 2 * 64);
      sender.close();
      assert.deepEqual([...sender.tooBig()], []);
    });
  }

  it('a super-packet of which segments fail counts once as failed', () => {
    const sender = own(new RawSender({ family: 4, segmentBytesMax: 1000, netnsPath: network.a.netnsPath }));
    const sent = batchOf([packet({ source: network.a.ipv4, destination: '192.0.2.1', payload: pattern(5000) })]);
    assert.equal(sender.send(sent), 0);
    const { sent: handed, failed, segments, errors } = sender.statistics();
    assert.deepEqual(
      { handed, failed, segments, errors },
      { handed: 0, failed: 1, segments: 0, errors: { ENETUNREACH: 6 } },
    );
  });

  it('entries that point outside of the bytes, and bytes that are no packet, never reach the kernel', () => {
    const sender = own(new RawSender({ family: 4, netnsPath: network.a.netnsPath }));
    const whole = batchOf([packet(route(4))]);
    const broken: PacketBatch[] = [
      batchOf([new Uint8Array(0)]),
      batchOf([new Uint8Array(60)]),
      batchOf([whole.bytes.slice(0, 30)]),
      batchOf([Uint8Array.of(0x4f, ...whole.bytes.slice(1))]),
      batchOf([datagram(route(4)).slice(0, 27)]),
    ];
    for (const [offset, length] of [
      [1, 40],
      [0, 41],
      [0xffff_ffff, 40],
      [0xffff_fff0, 0xffff_ffff],
      [41, 0],
    ] as const) {
      const entries = new Uint32Array(whole.entries);
      entries[ENTRY_OFFSET] = offset;
      entries[ENTRY_CAPTURED_BYTES] = length;
      broken.push({ ...whole, entries });
    }
    for (const batch of broken) assert.equal(sender.send(batch), 0);
    assert.deepEqual(sender.statistics().errors, { EBADMSG: broken.length });
    assert.equal(sender.send({ ...whole, count: 1000 }), 1, 'no more packets than entries');
  });

  it('hostile bytes do no harm (seeded)', () => {
    // Without routes nothing of this leaves; what is tested is that parsing stays inside the bytes (see the sanitizer build).
    const lonely = own(new TestNetwork());
    lonely.unplug();
    const seed = Number(process.env['TEST_SEED'] ?? Date.now() % 2 ** 31);
    let state = seed;
    const random = (): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    };
    const senders = ([4, 6] as const).map((family) =>
      own(new RawSender({ family, segmentBytesMax: 68 + Math.floor(random() * 500), netnsPath: lonely.a.netnsPath })),
    );
    for (let round = 0; round < 300; round += 1) {
      const family = random() < 0.5 ? 4 : 6;
      const packets = Array.from({ length: 8 }, () => {
        const make = random() < 0.5 ? packet : datagram;
        const bytes = make({
          ...route(family),
          payload: pattern(Math.floor(random() * 900)),
          hasHopByHop: random() < 0.3,
        });
        for (let change = Math.floor(random() * 6); change > 0; change -= 1) {
          bytes[Math.floor(random() * Math.min(bytes.length, 70))] = random() * 256;
        }
        return bytes.slice(0, Math.ceil(random() * 1.5 * bytes.length));
      });
      for (const sender of senders) sender.send(batchOf(packets));
    }
    for (const sender of senders) {
      const { sent, failed } = sender.statistics();
      assert.ok(sent + failed > 0, `seed ${seed}`);
    }
  });

  it('every packet carries the mark', async () => {
    const rule = ['OUTPUT', '-t', 'mangle', '-m', 'mark', '--mark', '0x8ed3', '-j', 'DROP'];
    network.run(network.a.netns, 'iptables', '-A', ...rule);
    const captured = capture('tcp dst port 9');
    const marked = own(new RawSender({ family: 4, mark: 0x8ed3, netnsPath: network.a.netnsPath }));
    const plain = own(new RawSender({ family: 4, netnsPath: network.a.netnsPath }));
    assert.equal(marked.send(batchOf([packet({ ...route(4), seq: 1 })])), 0);
    assert.deepEqual(marked.statistics().errors, { EPERM: 1 });
    plain.send(batchOf([packet({ ...route(4), seq: 2 })]));
    await until('the packet without a mark', () => captured.length === 1);
    network.run(network.a.netns, 'iptables', '-D', ...rule);
    marked.send(batchOf([packet({ ...route(4), seq: 3 })]));
    await until('the packet with a mark', () => captured.length === 2);
    assert.deepEqual(
      captured.map((bytes) => bytes[27]),
      [2, 3],
    );
  });

  it('a closed sender takes no packets and keeps its figures; options are refused by name', () => {
    const sender = own(new RawSender({ family: 4, netnsPath: network.a.netnsPath }));
    sender.send(batchOf([packet(route(4))]));
    sender.close();
    assert.equal(sender.send(batchOf([packet(route(4))])), 0);
    assert.equal(sender.statistics().sent, 1);
    assert.throws(() => new RawSender({ family: 4, segmentBytesMax: 70_000 }), {
      code: 'ERR_NATIVE_OPTION',
      message: /segmentBytesMax/,
    });
    assert.throws(() => new RawSender({ family: 4, mark: -1 }), { code: 'ERR_NATIVE_OPTION', message: /mark is -1/ });
  });
});
