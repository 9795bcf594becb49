import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseIpAddress } from '@trafficcopy/core';
import type { CommandAnswer, HostAccess } from '@trafficcopy/runtime';
import { isBoundByUdp, udpClientsFindings } from '../../src/doctor/udp-findings.js';

const CLIENTS = [
  { address: parseIpAddress('198.18.0.0')!, prefixBits: 16 },
  { address: parseIpAddress('fd18:7::')!, prefixBits: 64 },
];

/** A host with one address, a route to one of the ranges, and a name server. */
class FakeHost implements HostAccess {
  address = '10.0.0.3/24';

  read(path: string): string | undefined {
    if (path !== '/proc/net/udp') return undefined;
    return [
      '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '  101: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0',
      '  102: 0100007F:0036 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 1 2 0 0',
    ].join('\n');
  }

  async run(_command: string, args: readonly string[]): Promise<CommandAnswer | undefined> {
    const words = args.join(' ');
    if (words === '-o address show')
      return { status: 0, stdout: `2: eth0    inet ${this.address} scope global`, stderr: '' };
    if (words === 'route get 198.18.0.0') return { status: 0, stdout: '198.18.0.0 via 10.0.0.1 dev eth0', stderr: '' };
    return { status: 2, stdout: '', stderr: 'RTNETLINK answers: Network is unreachable' };
  }
}

describe('what doctor finds of datagrams', () => {
  it('nothing without --udp-clients', async () => {
    assert.deepEqual(await udpClientsFindings(new FakeHost(), []), []);
  });

  it('a range without a route, with the command that adds one', async () => {
    const [local, route, ...others] = await udpClientsFindings(new FakeHost(), CLIENTS);
    assert.equal(local?.verdict, 'pass');
    assert.deepEqual([route?.verdict, others], ['warn', []]);
    assert.match(route!.text, /no route to --udp-clients fd18:7::\/64/);
    assert.equal(route!.fix, 'ip route add fd18:7::/64 dev lo');
  });

  it('an address of the host in a range', async () => {
    const host = new FakeHost();
    host.address = '198.18.3.4/16';
    const [local] = await udpClientsFindings(host, CLIENTS);
    assert.equal(local?.verdict, 'fail');
    assert.match(local!.text, /198\.18\.3\.4 in it is an address of the target's host/);
  });

  it('a socket that waits for datagrams, and none that has a peer', () => {
    assert.ok(isBoundByUdp(new FakeHost(), 53));
    assert.ok(!isBoundByUdp(new FakeHost(), 54));
    assert.ok(!isBoundByUdp(new FakeHost(), 5));
  });
});
