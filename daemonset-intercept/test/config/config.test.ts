import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import { buildCommand, UsageError } from '@trafficcopy/runtime';
import { refuseLocalClients } from '../../src/config/udp-clients.js';
import { INTERCEPT_COMMAND, type InterceptConfig, interceptConfig } from '../../src/config.js';

async function configure(words: string): Promise<InterceptConfig> {
  const results: InterceptConfig[] = [];
  const command = buildCommand(INTERCEPT_COMMAND, {}, (values) => {
    results.push(interceptConfig(values));
  });
  await command.parseAsync(words.split(' ').filter(Boolean), { from: 'user' });
  return results[0]!;
}

const NODE_WORDS =
  '--operator 10.96.0.20 --join-file /a --authority-file /b --host-proc /host/proc --node-name n1 --advertise 10.244.1.5';

/** So many different ones. */
function addresses(count: number): string {
  return Array.from({ length: count }, (_, index) => `198.51.100.${index}`).join(',');
}

describe('the configuration of intercept', () => {
  it('needs no flag at all', async () => {
    const config = await configure('');
    assert.equal(config.port, 36524);
    assert.equal(config.instance, '36524');
    assert.equal(config.bindAddress, undefined);
    assert.deepEqual([config.targets, config.pass], [[], []]);
    assert.deepEqual(
      [config.queue, config.iptables, config.insecure, config.newToken],
      ['native', 'auto', false, false],
    );
    assert.equal(config.tokenTtlMs, 3_600_000);
    assert.equal(config.stateDirectory, '/var/lib/trafficcopy');
  });

  it('targets: ports, addresses, both', async () => {
    const { targets } = await configure(
      '--target 8080,:81,10.1.1.1,10.1.1.1:82,[fd00::1]:83,fd00::2,::9 --target [fd00::3]',
    );
    assert.deepEqual(
      targets.map(({ address, port }) => `${address === undefined ? '*' : formatIpAddress(address)} ${port ?? '*'}`),
      ['* 8080', '* 81', '10.1.1.1 *', '10.1.1.1 82', 'fd00::1 83', 'fd00::2 *', '::9 *', 'fd00::3 *'],
    );
  });

  it('the pass list has addresses and ranges', async () => {
    const { pass, notes } = await configure('-x 10.1.1.1,10.2.0.0/16 -x fd00::/64');
    assert.match(notes.join(), /connections of these addresses are not copied/);
    assert.deepEqual((await configure('')).notes, []);
    assert.deepEqual(
      pass.map(({ address, prefixBits }) => `${formatIpAddress(address)}/${prefixBits}`),
      ['10.1.1.1/32', '10.2.0.0/16', 'fd00::/64'],
    );
  });

  it('C tcpcopies are served where it is said whom they copy; the pass list then has its old meaning', async () => {
    assert.equal((await configure('--insecure')).wire, undefined);
    const { wire, notes } = await configure(
      '--wire 0.9 --wire 1.x --insecure --target 10.1.1.1:80 --wire-clients 0.0.0.0/0 -x 10.2.0.0/16,fd00::/64',
    );
    assert.deepEqual(wire?.versions, ['0.9', '1.x']);
    assert.deepEqual(notes, [
      '--wire=0.9,1.x: what 0.0.0.0/0, but for 10.2.0.0/16 (-x/--pass) sends to 10.1.1.1:80 is taken for copied, and no answer to it leaves this host',
    ]);
    assert.deepEqual(
      wire?.traffic.targets.map(({ address, port }) => `${formatIpAddress(address)}:${port}`),
      ['10.1.1.1:80'],
    );
    assert.equal(wire?.traffic.passed.length, 1, 'rules are for IPv4');
  });

  it('a token for one copy is good for an hour, one for a cluster for a month, or as long as is asked for', async () => {
    const ttl = async (words: string): Promise<number> => (await configure(words)).tokenTtlMs;
    const dayMs = 86_400_000;
    assert.equal(await ttl('--new-token'), dayMs / 24);
    assert.equal(await ttl('--new-token --reusable'), 30 * dayMs);
    assert.equal(await ttl('--new-token --reusable --token-ttl 365d'), 365 * dayMs);
  });

  it('clients of datagrams are ranges of addresses that nobody has, of either IP version, and a note says what that means', async () => {
    const { udpClients, notes } = await configure(
      '--udp-clients 10.250.0.0/16,198.51.100.0/24,fd00:c0de::/64 --udp-clients 2001:db8::/32',
    );
    assert.deepEqual(
      udpClients.map(({ address, prefixBits }) => `${formatIpAddress(address)}/${prefixBits}`),
      ['10.250.0.0/16', '198.51.100.0/24', 'fd00:c0de::/64', '2001:db8::/32'],
    );
    assert.match(notes.join(), /nothing but TCP to 10\.250\.0\.0\/16, .* leaves this host while intercept runs/);
    assert.deepEqual((await configure('')).udpClients, []);
  });

  it('clients of datagrams cannot be addresses of the host', () => {
    const ranges = [{ address: parseIpAddress('10.0.0.0')!, prefixBits: 8 }];
    refuseLocalClients(ranges, ['127.0.0.1', '192.0.2.1', '::1']);
    refuseLocalClients([], ['10.1.2.3']);
    assert.throws(() => refuseLocalClients(ranges, ['127.0.0.1', '10.1.2.3']), {
      code: 'ERR_START_UDP_CLIENTS',
      message:
        /--udp-clients 10\.0\.0\.0\/8: 10\.1\.2\.3 in it is an address of the target's host.*addresses that nobody has/,
    });
  });

  it('on a node of a cluster: the operator says what is served', async () => {
    const { node, instance, queueLengthMax } = await configure(NODE_WORDS);
    assert.deepEqual(node?.operator, { host: '10.96.0.20', port: 36524 });
    assert.equal(formatIpAddress(node!.advertisedAddress), '10.244.1.5');
    assert.equal(node?.procPath, '/host/proc');
    assert.deepEqual([instance, queueLengthMax], ['node', 16_384]);
    const alone = await configure('');
    assert.deepEqual([alone.node, alone.queueLengthMax], [undefined, 65_536]);
  });

  const refused: readonly [words: string, message: RegExp][] = [
    ['--join-file /a', /--join-file needs --operator/],
    ['--operator 10.0.0.1', /--operator needs --join-file/],
    ['--operator 10.0.0.1 --join-file /a --host-proc /p', /--operator needs --authority-file/],
    [NODE_WORDS.replace('--node-name n1', ''), /--node-name, or NODE_NAME/],
    [NODE_WORDS.replace('--advertise 10.244.1.5', ''), /--advertise, or POD_IP/],
    [`${NODE_WORDS} --target 80`, /--target and --operator exclude each other/],
    [`${NODE_WORDS} --insecure`, /--insecure and --operator/],
    [`${NODE_WORDS} --netns /run/netns/x`, /--netns and --operator/],
    [`${NODE_WORDS} --threads 2`, /--threads and --operator exclude each other/],
    ['--target 0', /0 is no TCP port/],
    ['--target 70000', /70000 is no TCP port/],
    ['--target 10.1.1.300:80', /"10\.1\.1\.300" is no IP address/],
    ['--target web:80', /--target: "web:80" does not fit: expected/],
    ['--target [fd00::1', /does not fit/],
    ['-x 10.1.1.1/8', /the address has bits set beyond \/8/],
    ['-b localhost', /-b\/--bind: "localhost" does not fit: expected an IP address/],
    ['-q 10', /-q\/--queue-length/],
    ['--queue-num 65536', /--queue-num/],
    ['--iptables ebtables', /one of auto, legacy, nft/],
    ['--instance a/b', /--instance/],
    ['--token-ttl 1s', /--token-ttl/],
    ['--new-token --insecure', /exclude each other/],
    ['--revoke-tokens --insecure', /--revoke-tokens and --insecure exclude each other/],
    ['--revoke-tokens --new-token', /--new-token and --revoke-tokens exclude each other/],
    ['--reusable', /--reusable needs --new-token/],
    ['--wire 0.8', /--wire: .*one of 0\.9, 1\.x/],
    ['--wire 0.9 --target 10.1.1.1:80 --wire-clients 0.0.0.0/0', /--wire needs --insecure/],
    ['--wire 0.9 --insecure --target 10.1.1.1:80', /--wire needs --wire-clients/],
    ['--wire-clients 10.1.1.2', /--wire-clients needs --wire/],
    ['--wire 0.9 --insecure --wire-clients 0.0.0.0/0', /--wire needs --target IP:PORT/],
    ['--wire 0.9 --insecure --wire-clients 0.0.0.0/0 --target 80', /every --target as IP:PORT/],
    ['--wire 0.9 --insecure --wire-clients 0.0.0.0/0 --target [fd00::1]:80', /with an IPv4 address/],
    ['--wire 0.9 --insecure --wire-clients fd00::/64 --target 10.1.1.1:80', /--wire-clients: expected IPv4/],
    [`${NODE_WORDS} --wire 0.9 --wire-clients 10.1.1.2`, /--wire and --operator exclude each other/],
    [
      `--wire 0.9 --insecure --wire-clients ${addresses(64)} --target 10.1.1.1:80,10.1.1.1:81,10.1.1.1:82,10.1.1.1:83`,
      /make 261 rules.*at most 256/,
    ],
    ['--udp-clients 0.0.0.0/0', /--udp-clients 0\.0\.0\.0\/0: no UDP at all .*addresses that nobody has/],
    ['--udp-clients ::/0', /--udp-clients ::\/0: no UDP at all/],
    ['--udp-clients 127.1.0.0/16', /--udp-clients 127\.1\.0\.0\/16: it has loopback in it/],
    ['--udp-clients 64.0.0.0/2', /it has loopback in it: give a range of addresses that nobody has/],
    ['--udp-clients ::1', /it has loopback and other addresses/],
    ['--udp-clients 224.0.0.251', /it has multicast and broadcast in it/],
    ['--udp-clients 169.254.10.0/24', /it has link-local addresses in it/],
    ['--udp-clients fe80::/64', /it has link-local addresses in it/],
    ['--udp-clients ff02::/16', /it has multicast in it/],
    ['--udp-clients dns.example', /--udp-clients: "dns\.example" does not fit: expected an IP address or a range/],
    ['--udp-clients 10.250.0.0/16 -x 10.250.1.1', /--udp-clients 10\.250\.0\.0\/16 and -x\/--pass 10\.250\.1\.1\/32/],
    [`--udp-clients ${addresses(33)}`, /--udp-clients: .*at most 32/],
    [`${NODE_WORDS} --udp-clients 10.250.0.0/16`, /--udp-clients and --operator exclude each other/],
    [`${NODE_WORDS} --revoke-tokens`, /--revoke-tokens and --operator/],
    ['--threads 9', /--threads: "9" does not fit: expected a whole number from 1 to 8/],
    [
      '--wire 0.9 --insecure --target 80 --wire-clients 10.0.0.1 --threads 2',
      /--threads 2 does not go together with --wire/,
    ],
    ['--queue nfqueue --threads 2', /--threads 2 does not go together with --queue nfqueue/],
    ['--queue nfqueue --netns /run/netns/x', /--queue nfqueue does not work with --netns/],
    ['-F tcp', /-F: not needed/],
    ['-d', /-d, --daemon: intercept stays in the foreground/],
  ];
  for (const [words, message] of refused) {
    it(`refuses ${words}`, () =>
      assert.rejects(configure(words), (error: unknown) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, message);
        return true;
      }));
  }
});
