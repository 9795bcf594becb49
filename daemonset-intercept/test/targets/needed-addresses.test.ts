import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIpAddress } from '@trafficcopy/core';
import { refuseNeededClients } from '../../src/config/udp-clients.js';
import { parseGateways, parseNameServers } from '../../src/targets/needed-addresses.js';

test('gateways are read from routes, of several next hops and of the other IP version too', () => {
  const shown = `default via 10.0.0.1 dev eth0 proto dhcp
10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.2
192.0.2.0/24 proto static
\tnexthop via 10.0.0.7 dev eth0 weight 1
\tnexthop via 10.0.0.1 dev eth1 weight 1
198.51.100.0/24 via inet6 fe80::1 dev eth0
`;
  assert.deepEqual(parseGateways(shown), ['10.0.0.1', '10.0.0.7', 'fe80::1']);
});

test('name servers are read from resolv.conf', () => {
  const text = '# nameserver 192.0.2.9\nnameserver 10.0.0.53\n nameserver fd00:0::53\noptions edns0\nnameserver none\n';
  assert.deepEqual(parseNameServers(text), ['10.0.0.53', 'fd00::53']);
});

test('a range with one of them is refused, another is not', () => {
  const needed = [
    { address: '10.0.0.1', what: 'a gateway' },
    { address: 'fd00::53', what: 'a name server' },
  ] as const;
  const range = (text: string, prefixBits: number) => [{ address: parseIpAddress(text)!, prefixBits }];
  assert.throws(
    () => refuseNeededClients(range('10.0.0.0', 16), needed),
    /10\.0\.0\.1 in it is a gateway of the target/,
  );
  assert.throws(() => refuseNeededClients(range('fd00::', 64), needed), /fd00::53 in it is a name server/);
  refuseNeededClients(range('10.1.0.0', 16), needed);
});
