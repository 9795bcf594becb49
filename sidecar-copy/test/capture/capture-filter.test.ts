import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type IpAddress, parseIpAddress } from '@trafficcopy/core';
import { type CaptureFilterOptions, captureFilter, type OnlineEndpoint } from '../../src/capture/capture-filter.js';

const online = (port: number, text?: string): OnlineEndpoint[] =>
  text === undefined
    ? [
        { port, addressBytes: 4 },
        { port, addressBytes: 16 },
      ]
    : [{ address: address(text), port, addressBytes: address(text).length }];
const address = (text: string): IpAddress => parseIpAddress(text)!;

function filterOf(options: Partial<CaptureFilterOptions>): string {
  return captureFilter({ online: [], localAddresses: [], targets: [], loopbackClients: false, ...options });
}

interface Sent {
  readonly from: string;
  /** Default: 40000. */
  readonly fromPort?: number;
  readonly to: string;
  readonly port: number;
  /** Kinds of IPv6 extension headers before TCP. */
  readonly chain?: readonly number[];
  /** Default: TCP. */
  readonly protocol?: 6 | 17;
  /** Type and code: an ICMP packet instead. */
  readonly icmp?: readonly [number, number];
}

/** The packet of a client as captured: IP header first. */
function packet({ from, fromPort = 40_000, to, port, chain = [], protocol = 6, icmp }: Sent): Buffer {
  if (icmp !== undefined) return icmpPacket(address(from), address(to), icmp);
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(fromPort, 0);
  tcp.writeUInt16BE(port, 2);
  tcp[12] = 0x50;
  tcp[13] = 2;
  const source = address(from);
  const destination = address(to);
  if (source.length === 4) {
    const ip = Buffer.alloc(20);
    ip[0] = 0x45;
    ip.writeUInt16BE(40, 2);
    ip[8] = 64;
    ip[9] = protocol;
    return Buffer.concat([ip.subarray(0, 12), source, destination, tcp]);
  }
  const ip = Buffer.alloc(8);
  ip[0] = 0x60;
  ip.writeUInt16BE(20 + 8 * chain.length, 4);
  ip[6] = chain[0] ?? protocol;
  ip[7] = 64;
  const extensions = chain.map((_, index) => Buffer.from([chain[index + 1] ?? protocol, 0, 1, 4, 0, 0, 0, 0]));
  return Buffer.concat([ip, source, destination, ...extensions, tcp]);
}

function icmpPacket(source: IpAddress, destination: IpAddress, [type, code]: readonly [number, number]): Buffer {
  const icmp = Buffer.alloc(8);
  icmp[0] = type;
  icmp[1] = code;
  const isV6 = source.length === 16;
  const ip = Buffer.alloc(isV6 ? 8 : 12);
  ip[0] = isV6 ? 0x60 : 0x45;
  ip.writeUInt16BE(isV6 ? 8 : 28, isV6 ? 4 : 2);
  ip[isV6 ? 6 : 9] = isV6 ? 58 : 1;
  return Buffer.concat([ip, source, destination, icmp]);
}

/** Which of the packets pass the filter, by libpcap itself (tcpdump on a file of raw IP packets). */
function passing(filter: string, sent: readonly Sent[]): Sent[] {
  const directory = mkdtempSync(join(tmpdir(), 'capture-filter-'));
  try {
    const header = Buffer.alloc(24);
    header.writeUInt32LE(0xa1b2c3d4, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(65535, 16);
    header.writeUInt32LE(101, 20);
    const records = sent.flatMap((one, index) => {
      const bytes = packet(one);
      const record = Buffer.alloc(16);
      record.writeUInt32LE(index, 0);
      record.writeUInt32LE(bytes.length, 8);
      record.writeUInt32LE(bytes.length, 12);
      return [record, bytes];
    });
    const file = join(directory, 'sent.pcap');
    writeFileSync(file, Buffer.concat([header, ...records]));
    const out = execFileSync('tcpdump', ['-tt', '-n', '-r', file, filter], { stdio: ['ignore', 'pipe', 'ignore'] });
    const seconds = out
      .toString()
      .trim()
      .split('\n')
      .filter((line) => line !== '');
    return seconds.map((line) => sent[Number.parseInt(line, 10)]!);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const client = '10.9.8.7';
const client6 = '2001:db8::77';

test('an online address with its port: only what goes to both passes', () => {
  const filter = filterOf({ online: online(80, '10.0.0.1') });
  const wanted = { from: client, to: '10.0.0.1', port: 80 };
  const sent = [wanted, { from: client, to: '10.0.0.1', port: 81 }, { from: client, to: '10.0.0.2', port: 80 }];
  assert.deepEqual(passing(filter, sent), [wanted]);
});

test('no online address: only the addresses of this host pass, of both families', () => {
  const filter = filterOf({ online: online(80), localAddresses: [address('10.0.0.1'), address('2001:db8::1')] });
  const wanted = [
    { from: client, to: '10.0.0.1', port: 80 },
    { from: client6, to: '2001:db8::1', port: 80 },
  ];
  const forwarded = [
    { from: client, to: '203.0.113.9', port: 80 },
    { from: client6, to: '2001:db8::99', port: 80 },
  ];
  assert.deepEqual(passing(filter, [...forwarded, ...wanted]), wanted);
});

test('no online address and too many own addresses: every destination passes', () => {
  const localAddresses = Array.from({ length: 65 }, (_, index) => address(`10.1.0.${index}`));
  const filter = filterOf({ online: online(80), localAddresses });
  const sent = [
    { from: client, to: '203.0.113.9', port: 80 },
    { from: client6, to: '2001:db8::99', port: 80 },
  ];
  assert.deepEqual(passing(filter, sent), sent);
});

test('IPv6 with extension headers before TCP passes', () => {
  const filter = filterOf({ online: online(80, '2001:db8::1') });
  const sent = [
    { from: client6, to: '2001:db8::1', port: 80 },
    { from: client6, to: '2001:db8::1', port: 80, chain: [0] },
    { from: client6, to: '2001:db8::1', port: 80, chain: [60, 43] },
  ];
  const other = [
    { from: client6, to: '2001:db8::2', port: 80, chain: [0] },
    { from: client6, to: '2001:db8::1', port: 81 },
  ];
  assert.deepEqual(passing(filter, [...sent, ...other]), sent);
});

test('clients on 127.0.0.1 and ::1 pass only when they are given another address', () => {
  const loopback = [...online(80, '127.0.0.1'), ...online(80, '::1')];
  const sent = [
    { from: '127.0.0.1', to: '127.0.0.1', port: 80 },
    { from: '::1', to: '::1', port: 80 },
  ];
  assert.deepEqual(passing(filterOf({ online: loopback }), sent), []);
  assert.deepEqual(passing(filterOf({ online: loopback, loopbackClients: true }), sent), sent);
});

test('what goes to a target is never captured', () => {
  const filter = filterOf({
    online: online(80),
    targets: [
      { address: address('10.0.0.2'), port: 80 },
      { address: address('2001:db8::2'), port: 80 },
    ],
  });
  const wanted = { from: client, to: '10.0.0.1', port: 80 };
  const sent = [wanted, { from: client, to: '10.0.0.2', port: 80 }, { from: client6, to: '2001:db8::2', port: 80 }];
  assert.deepEqual(passing(filter, sent), [wanted]);
});

test('a condition of the user narrows what passes', () => {
  const filter = filterOf({
    online: [...online(80, '10.0.0.1'), ...online(81)],
    condition: 'not src host 10.9.8.7 or port 81',
  });
  const wanted = [
    { from: '10.9.8.8', to: '10.0.0.1', port: 80 },
    { from: client, to: '10.0.0.1', port: 81 },
  ];
  assert.deepEqual(passing(filter, [...wanted, { from: client, to: '10.0.0.1', port: 80 }]), wanted);
});

test('who sends with an address of this host hears of packets that are too big, and of nothing else', () => {
  const wanted: Sent[] = [
    { from: '10.9.0.1', to: '10.0.0.1', port: 0, icmp: [3, 4] },
    { from: '2001:db8::9', to: '2001:db8::1', port: 0, icmp: [2, 0] },
    { from: '192.0.2.1', to: '10.0.0.1', port: 80 },
  ];
  const other: Sent[] = [
    { from: '10.9.0.1', to: '10.0.0.1', port: 0, icmp: [3, 1] },
    { from: '10.9.0.1', to: '10.0.0.1', port: 0, icmp: [8, 0] },
    { from: '2001:db8::9', to: '2001:db8::1', port: 0, icmp: [1, 4] },
    { from: '192.0.2.1', to: '10.0.0.1', port: 81 },
  ];
  const options = { online: online(80, '10.0.0.1'), condition: 'src net 192.0.2.0/24' };
  assert.deepEqual(passing(filterOf({ ...options, isSender: true }), [...wanted, ...other]), wanted);
  assert.deepEqual(passing(filterOf(options), [...wanted, ...other]), wanted.slice(2));
});

test('for a comparison: what online sends to its clients passes as well, whatever condition their packets must fit', () => {
  const wanted: Sent[] = [
    { from: '192.0.2.1', to: '10.0.0.1', port: 80 },
    { from: '10.0.0.1', fromPort: 80, to: '192.0.2.1', port: 40_001 },
    { from: '2001:db8::1', fromPort: 81, to: client6, port: 40_001 },
  ];
  const other: Sent[] = [
    { from: client, to: '10.0.0.1', port: 80 },
    { from: '10.0.0.1', fromPort: 82, to: '192.0.2.1', port: 40_001 },
    { from: '10.0.0.2', fromPort: 80, to: '192.0.2.1', port: 40_001 },
    { from: '2001:db8::2', fromPort: 81, to: client6, port: 40_001 },
  ];
  const options = {
    online: [...online(80, '10.0.0.1'), { port: 81, addressBytes: 16 }],
    localAddresses: [address('2001:db8::1')],
    condition: 'src net 192.0.2.0/24',
  };
  assert.deepEqual(passing(filterOf({ ...options, seesAnswers: true }), [...wanted, ...other]), wanted);
  assert.deepEqual(passing(filterOf(options), [...wanted, ...other]), wanted.slice(0, 1));
});

test('a port with targets of one IP version only: the other version does not pass', () => {
  const filter = filterOf({ online: [{ port: 80, addressBytes: 4 }] });
  const wanted = { from: client, to: '10.0.0.1', port: 80 };
  assert.deepEqual(passing(filter, [wanted, { from: client6, to: '2001:db8::1', port: 80 }]), [wanted]);
});

test('UDP: datagrams to the port, behind extension headers and in fragments too; nothing of TCP, and nothing towards a target', () => {
  const filter = filterOf({
    transport: 'udp',
    online: online(53),
    localAddresses: [address('10.0.0.1'), address('2001:db8::1')],
    targets: [{ address: address('10.0.0.1'), port: 5353 }],
  });
  const wanted: Sent[] = [
    { from: client, to: '10.0.0.1', port: 53, protocol: 17 },
    { from: client6, to: '2001:db8::1', port: 53, protocol: 17 },
    { from: client6, to: '2001:db8::1', port: 53, protocol: 17, chain: [60] },
    { from: client6, to: '2001:db8::1', port: 53, protocol: 17, chain: [44] },
  ];
  const others: Sent[] = [
    { from: client, to: '10.0.0.1', port: 53 },
    { from: client6, to: '2001:db8::1', port: 53 },
    { from: client, to: '10.0.0.1', port: 5353, protocol: 17 },
    { from: client, to: '10.0.0.2', port: 53, protocol: 17 },
    { from: '127.0.0.1', to: '10.0.0.1', port: 53, protocol: 17 },
  ];
  assert.deepEqual(passing(filter, [...others, ...wanted]), wanted);
});
