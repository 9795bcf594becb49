import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import { buildCommand, UsageError } from '@trafficcopy/runtime';
import { hostPlan } from '../../src/config/host-plan.js';
import { COPY_COMMAND, type CopyConfig, copyConfig, engineConfigOf } from '../../src/config.js';

const HOST = ['127.0.0.1', '10.16.12.10', 'fd00::10'].map((text) => parseIpAddress(text)!);

async function configure(words: string): Promise<CopyConfig> {
  const results: CopyConfig[] = [];
  const command = buildCommand(COPY_COMMAND, {}, (values) => {
    results.push(copyConfig(values, HOST));
  });
  await command.parseAsync(words.split(' '), { from: 'user' });
  return results[0]!;
}

function refuses(words: string, message: RegExp): Promise<void> {
  return assert.rejects(configure(words), (error: unknown) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

/** Mappings as text: "*:80 > 10.16.12.11:80@0", the number being the lane. */
function mappingsOf(config: CopyConfig): string[] {
  return config.mappings.map(({ onlineAddress, onlinePort, targets }) => {
    const online = `${onlineAddress === undefined ? '*' : formatIpAddress(onlineAddress)}:${onlinePort}`;
    return `${online} > ${targets.map(({ name, endpoints }) => `${name}@${endpoints[0]!.lane}`).join(' ')}`;
  });
}

function lanesOf(config: CopyConfig): string[] {
  return config.lanes.map(({ host, port }) => `${host} ${port}`);
}

describe('mappings of a copy', () => {
  const rows: readonly [title: string, words: string, mappings: readonly string[], lanes: readonly string[]][] = [
    ['one port', '-x 80-10.16.12.11:8080', ['*:80 > 10.16.12.11:8080@0'], ['10.16.12.11 36524']],
    [
      'with an online address',
      '-x 10.16.12.10:80-10.16.12.11:80',
      ['10.16.12.10:80 > 10.16.12.11:80@0'],
      ['10.16.12.11 36524'],
    ],
    [
      'a list and a repetition add up',
      '-x 80-10.16.12.11:80,81-10.16.12.12:81 -x 82-10.16.12.11:82',
      ['*:80 > 10.16.12.11:80@0', '*:81 > 10.16.12.12:81@1', '*:82 > 10.16.12.11:82@0'],
      ['10.16.12.11 36524', '10.16.12.12 36524'],
    ],
    [
      'several targets of one port by +',
      '-x 80-10.16.12.11:80+10.16.12.12:80',
      ['*:80 > 10.16.12.11:80@0 10.16.12.12:80@1'],
      ['10.16.12.11 36524', '10.16.12.12 36524'],
    ],
    [
      'several targets of one port by repetition',
      '-x 80-10.16.12.11:80 -x 80-10.16.12.11:81 -s test.example',
      ['*:80 > 10.16.12.11:80@0 10.16.12.11:81@0'],
      ['test.example 36524'],
    ],
    ['IPv6', '-x [fd00::10]:80-[fd00::11]:80 -p 4000', ['fd00::10:80 > [fd00::11]:80@0'], ['fd00::11 4000']],
    [
      'IPv4 and IPv6 targets of one port are two mappings',
      '-x 80-10.16.12.11:80+[fd00::11]:80',
      ['*:80 > 10.16.12.11:80@0', '*:80 > [fd00::11]:80@1'],
      ['10.16.12.11 36524', 'fd00::11 36524'],
    ],
    [
      'intercepts for single targets and for the others',
      '-x 80-10.16.12.11:80+10.16.12.12:80+10.16.12.13:80 -s 10.16.12.12=[fd00::99]:7,a.example -p 9',
      ['*:80 > 10.16.12.11:80@0 10.16.12.12:80@1 10.16.12.13:80@0'],
      ['a.example 9', 'fd00::99 7'],
    ],
    [
      'an IPv6 target named in -s, with and without brackets',
      '-x 80-[fd00::11]:80,80-[fd00::12]:80 -s fd00::11=h:1,[fd00::12]=h:2',
      ['*:80 > [fd00::11]:80@0 [fd00::12]:80@1'],
      ['h 1', 'h 2'],
    ],
    [
      'the same port on this host as online, when the online address is named',
      '-x 10.16.12.10:80-127.0.0.1:80',
      ['10.16.12.10:80 > 127.0.0.1:80@0'],
      ['127.0.0.1 36524'],
    ],
  ];
  for (const [title, words, mappings, lanes] of rows) {
    it(title, async () => {
      const config = await configure(words);
      assert.deepEqual(mappingsOf(config), mappings);
      assert.deepEqual(lanesOf(config), lanes);
    });
  }
});

describe('what a copy refuses before anything is touched', () => {
  const rows: readonly [words: string, message: RegExp][] = [
    ['-x 80', /"80" does not fit \(there is no "-"/],
    ['-x 80-81', /the IP address of the target with port 81 is missing/],
    ['-x 80-:81', /the IP address of the target with port 81 is missing/],
    ['-x 80-10.16.12.11', /the port of the target 10\.16\.12\.11 is missing/],
    ['-x 80-10.16.12.11:0', /0 is no port/],
    ['-x 80-10.16.12.11:65536', /65536 is no port/],
    ['-x 0-10.16.12.11:80', /0 is no port/],
    ['-x 80-10.16.12.300:80', /"10\.16\.12\.300" is no IP address/],
    ['-x 80-web.example:80', /is no IP address|is no ip:port/],
    ['-x 80-0.0.0.0:80', /0\.0\.0\.0 is no address of a host/],
    ['-x 80-224.0.0.1:80', /224\.0\.0\.1 is no address of a host/],
    ['-x 80-[ff02::1]:80', /ff02::1 is no address of a host/],
    ['-x 80-fd00::11:80', /brackets/],
    ['-x 80-10.16.12.11:80,', /"" does not fit/],
    ['-x 80-10.16.12.11:80+', /"" is no ip:port/],
    ['-x 80-10.16.12.11:80@00:11:22:33:44:55', /is no ip:port/],
    ['-x 10.16.12.10:80-[fd00::11]:80', /different IP versions/],
    ['-x 80-10.16.12.11:80,80-10.16.12.11:80', /given twice.*-n\/--copies/],
    [`-x 80-${Array.from({ length: 9 }, (_, i) => `10.16.12.${i + 20}:80`).join('+')}`, /more than 8 targets/],
    ['-x 80-127.0.0.1:80', /itself captured on this host/],
    ['-x 80-10.16.12.10:80', /itself captured on this host/],
    ['-x 10.16.12.10:80-10.16.12.10:80', /itself captured on this host/],
    ['-x 80-10.16.12.11:80,10.16.12.10:80-10.16.12.12:80', /never reached: an earlier mapping/],
    ['-x 80-10.16.12.11:80 -s a,b', /two intercepts are given for all targets/],
    ['-x 80-10.16.12.11:80 -s 10.16.12.11=a,10.16.12.11=b', /two intercepts are given for the target 10\.16\.12\.11/],
    ['-x 80-10.16.12.11:80 -s 10.16.12.99=a', /a:36524 for 10\.16\.12\.99 is never used/],
    ['-x 80-10.16.12.11:80 -s 10.16.12.11=a,b', /b:36524 is never used/],
    ['-x 80-10.16.12.11:80 -s x=a', /"x" is no IP address of a target/],
    ['-x 80-10.16.12.11:80 -s a:0', /0 is no TCP port/],
    ['-x 80-10.16.12.11:80 -c 10.16.0.0/19', /more than 4096 addresses/],
    ['-x 80-10.16.12.11:80 -c 10.16.0.0/20,10.17.0.0/20', /8187 addresses are too many/],
    ['-x 80-10.16.12.11:80 -c 10.16.12.11', /at least one IPv4 address that is not the target's own/],
    ['-x 80-10.16.12.11:80 -c fd00::1', /at least one IPv4 address/],
    ['-x 80-10.16.12.11:80 -c 10.16.x.x', /-c\/--client-address: "10\.16\.x\.x" does not fit/],
    ['-x 80-10.16.12.11:80 -c 10.16.12', /"10\.16\.12" does not fit/],
    ['-x 80-10.16.12.11:80 -c 10.16.12.256', /"10\.16\.12\.256" does not fit/],
    ['-x 80-10.16.12.11:80 -c 10.16.12.1-10.16.12.9', /does not fit: expected an IP address, 10\.16\.12\.x for/],
    ['-x 80-10.16.12.11:80 -c 10.16.12.0/33', /"10\.16\.12\.0\/33" does not fit/],
    ['-x 80-10.16.12.11:80 -c 10.1.1.1,,10.1.1.2', /-c\/--client-address: "" does not fit/],
    ['-x 80-[fd00::11]:80 -c fd00::/64', /more than 4096 addresses/],
    ['-x 80-[fd00::11]:80 -c fd00::/129', /"fd00::\/129" does not fit/],
    ['-x 80-[fd00::11]:80 -c 10.1.1.1', /at least one IPv6 address/],
    ['-x 80-10.16.12.11:80 -g', /-g\/--ramp/],
    ['-x 80-10.16.12.11:80 -g 0', /-g\/--ramp: "0" does not fit/],
    ['-x 80-10.16.12.11:80 -r 101', /-r\/--percent/],
    ['-x 80-10.16.12.11:80 -r 0,5', /-r\/--percent/],
    ['-x 80-10.16.12.11:80 -n 0', /-n\/--copies: "0" does not fit: expected a whole number from 1 to 1023/],
    ['-x 80-10.16.12.11:80 -r 0', /-r\/--percent/],
    ['-x 80-10.16.12.11:80 --seed 3', /--seed has no effect without -r/],
    ['-x 80-10.16.12.11:80 -M 575', /-M\/--mtu/],
    ['-x 80-[fd00::11]:80 -M 1000', /1000 is too small for IPv6/],
    ['-x 80-10.16.12.11:80 -t 0', /-t\/--timeout/],
    ['-x 80-10.16.12.11:80 -i a.pcap,eth0', /devices and files exclude each other/],
    ['-x 80-10.16.12.11:80 -i a.pcap -B 8', /-B\/--capture-buffer is for a live capture/],
    ['-x 80-10.16.12.11:80 -i a.pcap --threads 2', /--threads 2 is for a live capture/],
    ['-x 80-10.16.12.11:80 -i - -T 2', /standard input is read once/],
    [
      '-x 80-10.16.12.11:80 --connect',
      /--connect is for capture files.*a live copy needs intercept, so that the target/,
    ],
    ['-x 80-10.16.12.11:80 -i eth0 --connect', /--connect is for capture files, and -i eth0 names a device.*live copy/],
    ['-x 80-10.16.12.11:80 -i day --from 1s', /--from is for capture files, and -i day names a device: .*\.\/day/],
    ['-x 80-10.16.12.11:80 -g 500ms', /"500ms" does not fit: expected a time from 1s .* like 90s, 15m, 2h$/],
    [
      '-x 80-10.16.12.11:80 -i a.pcap --connect -s a',
      /-s\/--intercept does not go together with --connect: there is no/,
    ],
    ['-x 80-10.16.12.11:80 -i a.pcap --connect -c 10.1.1.1', /-c\/--client-address does not go.*come from this host/],
    ['-x 80-10.16.12.11:80 -i a.pcap --connect --delivery tunnel', /--delivery does not go together with --connect/],
    ['-x 80-10.16.12.11:80 -i a.pcap --connect --insecure', /--insecure does not go together with --connect/],
    ['-x 80-10.16.12.11:80 -i a.pcap --connect -M 1400', /-M\/--mtu does not go together with --connect/],
    ['-x 80-10.16.12.11:80 -i a.pcap --connect --record r.pcapng', /--record does not go.*"tcpdump -w"/],
    ['-x 80-10.16.12.11:80 -i a.pcap -a 0.5', /-a\/--speed: "0.5" does not fit: expected a number from 1/],
    ['-x 80-10.16.12.11:80 -i a.pcap -a 2 --rate 5conn/s', /--rate does not follow recorded times/],
    ['-x 80-10.16.12.11:80 -i a.pcap -a max -I 100', /-I\/--idle has no effect with -a max/],
    ['-x 80-10.16.12.11:80 -i a.pcap --rate 500', /--rate: "500" does not fit: expected connections or requests/],
    ['-x 80-10.16.12.11:80 -i a.pcap --from yesterday', /--from: "yesterday" does not fit: expected a time after/],
    ['-x 80-10.16.12.11:80 --delivery raw', /one of tunnel, direct/],
    ['-x 80-10.16.12.11:80 --join tc1.secret', /--join: the value does not fit: expected the whole token/],
    [`-x 80-10.16.12.11:80 --insecure --join tc1.${'a'.repeat(43)}.${'b'.repeat(43)}`, /exclude each other/],
    ['-x 80-10.16.12.11:80 --threads 2 --trace all', /--threads 2 does not go together with --trace/],
    ['-x 80-10.16.12.11:80 --threads 0', /--threads: "0" does not fit: expected a whole number from 1 to 16/],
    [
      '-x 80-10.16.12.11:80 --threads 2 --capture=cap',
      /--threads 2 does not go together with --capture=cap: only the native/,
    ],
    ['-x 80-10.16.12.11:80 --report a --summary ./a', /--summary and --report name the same file/],
    ['-x 80-10.16.12.11:80 --credentials f --wire 0.9 --insecure', /--credentials and --wire exclude each other/],
    ['-x 80-10.16.12.11:80 -u shop@secret', /users and passwords come from a file: --credentials FILE/],
    ['-x 80-10.16.12.11:80 --compare --threads 2', /--compare does not go together with --threads 2/],
    ['-x 80-10.16.12.11:80 --compare -W', /--compare does not go together with -W/],
    ['-x 80-10.16.12.11:80 --compare --wire 0.9 --insecure', /--compare does not go together with --wire/],
    ['-x 80-10.16.12.11:80 --compare --capture cap', /--compare does not go together with --capture=cap/],
    ['-x 80-10.16.12.11:80 -i a.pcap --compare -T 2', /--compare does not go together with -T/],
    ['-x 80-10.16.12.11:80 -i a.pcap --compare --rate 5conn/s', /--compare does not go together with --rate/],
    ['-x 80-10.16.12.11:80 --compare-bytes 100', /--compare-bytes has no effect without --compare/],
    ['-x 80-10.16.12.11:80 --compare-ignore date', /--compare-ignore has no effect without --compare/],
    ['-x 80-10.16.12.11:80 --compare --compare-ignore none,date', /expected "none" alone/],
    ['-x 80-10.16.12.11:80 --compare --compare-ignore a:b', /"a:b" does not fit: expected the name of a header/],
    ['-x 80-10.16.12.11:80 --compare --compare-bytes 63', /expected a whole number from 64 to 16384/],
    ['-x 80-10.16.12.11:80 --wire 0.9', /--wire needs --insecure/],
    ['-x 80-10.16.12.11:80 --wire 0.9 --insecure --delivery tunnel', /--wire and --delivery tunnel exclude/],
    ['-x 80-[fd00::11]:80 --wire 1.x --insecure', /--wire: expected IPv4 targets/],
    ['-x 80-10.16.12.11:80 --resp-payload', /--resp-payload needs --wire/],
    ['-x 80-10.16.12.11:80 -H 10.1.1.1', /-H: use -c\/--client-address/],
    ['-x 80-10.16.12.11:80 -a 4', /-a\/--speed is for capture files: expected -i FILE as well/],
  ];
  for (const [words, message] of rows) it(words.slice(0, 100), () => refuses(words, message));

  it('the token is not repeated in the message', async () => {
    await assert.rejects(configure('-x 80-10.16.12.11:80 --join tc1.secret'), (error: Error) => {
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  });
});

describe('--udp', () => {
  const udp = '-x 53-10.16.12.11:53 --udp -c 198.18.0.0/24';

  it('always goes through the channel', async () => {
    const config = await configure(udp);
    assert.deepEqual([config.udp, config.delivery, hostPlan(config).udp], [true, 'tunnel', true]);
    const { udp: isUdp, clientAddresses } = engineConfigOf(config, hostPlan(config), 1);
    assert.deepEqual([isUdp, clientAddresses.length], [true, 254]);
  });

  const rows: readonly [words: string, message: RegExp][] = [
    ['-W', /^-W\/--no-wait does not go together with --udp: nothing waits/],
    ['-O', /^-O\/--full-sessions-only does not go together with --udp: a datagram belongs to no connection/],
    ['--credentials f', /^--credentials does not/],
    ['--compare', /^--compare does not go together with --udp: datagrams are copied one way/],
    ['--measure', /^--measure does not/],
    ['--report f', /^--report does not/],
    ['-t 5', /^-t\/--timeout does not/],
    ['-k 5', /^-k\/--keepalive-timeout does not/],
    ['-M 1400', /^-M\/--mtu does not/],
    ['--trace lost', /^--trace does not/],
    ['--wire 1.x --insecure', /^--wire does not go together with --udp: it needs an intercept of ours/],
    ['-i f --connect', /^--connect does not/],
    ['--capture cap', /^--capture=cap does not go together with --udp: only the native capture/],
    ['-i f --rate 5conn', /^--rate counts datagrams as requests where --udp is given/],
  ];
  for (const [words, message] of rows) it(`refuses ${words}`, () => refuses(`${udp} ${words}`, message));

  it('refuses to send from the clients’ own addresses', () =>
    refuses(
      '-x 53-10.16.12.11:53 --udp',
      /^--udp needs -c\/--client-address: nothing marks the answers.*--udp-clients/,
    ));
});

describe('the configuration of a copy', () => {
  it('has the defaults that the help names', async () => {
    const config = await configure('-x 80-10.16.12.11:80');
    const { delivery, copies, sample, wait, mtuBytes, responseTimeoutMs, idleTimeoutMs, capture, clientAddresses } =
      config;
    assert.deepEqual(
      { delivery, copies, sample, wait, mtuBytes, responseTimeoutMs, idleTimeoutMs, capture, clientAddresses },
      {
        delivery: 'direct',
        copies: 1,
        sample: { fraction: 1, by: 'connection', seed: 0 },
        wait: true,
        mtuBytes: 1500,
        responseTimeoutMs: 120_000,
        idleTimeoutMs: 1_320_000,
        capture: 'native',
        clientAddresses: [],
      },
    );
    assert.deepEqual(config.notes, []);
  });

  const lists: readonly [words: string, count: number, first: string, last: string][] = [
    ['-x 80-10.16.12.11:80 -c 10.1.1.1,10.1.1.2,10.1.1.1', 2, '10.1.1.1', '10.1.1.2'],
    ['-x 80-10.16.12.11:80 -c 10.1.1.x', 254, '10.1.1.1', '10.1.1.254'],
    ['-x 80-10.16.12.11:80 -c 10.16.12.x', 253, '10.16.12.1', '10.16.12.254'],
    ['-x 80-10.16.12.11:80 -c 10.16.0.0/22', 1022, '10.16.0.1', '10.16.3.254'],
    ['-x 80-10.16.12.11:80 -c 10.1.1.8/31 -c 10.2.0.0/30', 4, '10.1.1.8', '10.2.0.2'],
    ['-x 80-10.16.12.11:80 -c 10.16.16.0/20', 4094, '10.16.16.1', '10.16.31.254'],
    ['-x 80-[fd00::11]:80 -c fd00:5::/120', 256, 'fd00:5::', 'fd00:5::ff'],
    ['-x 80-[fd00::11]:80 -c fd00:5::/116', 4096, 'fd00:5::', 'fd00:5::fff'],
    ['-x 80-[fd00::11]:80 -c fd00::/123', 31, 'fd00::', 'fd00::1f'],
    ['-x 80-10.16.12.11:80,81-[fd00::11]:80 -c 10.1.1.1,fd00:5::/127', 3, '10.1.1.1', 'fd00:5::1'],
  ];
  for (const [words, count, first, last] of lists) {
    it(`has the addresses of ${words.slice(words.indexOf('-c'))}, each once, without the target's own`, async () => {
      const { clientAddresses } = await configure(words);
      const texts = clientAddresses.map((address) => formatIpAddress(address));
      assert.equal(new Set(texts).size, count);
      assert.equal(texts.length, count);
      assert.deepEqual([texts[0], texts.at(-1)], [first, last]);
    });
  }

  it('takes every flag', async () => {
    const config = await configure(
      '-x 80-10.16.12.11:80 -c 10.1.1.1 -n 3 -r 2.5 --sample-by client --seed 9 -g 10m -O -W -M 1400 -t 500ms -k 1m -i eth0,eth1 ' +
        '-F tcp -B 8 --capture cap --state /tmp/x --insecure --name web-1 --max-sessions 10 --max-connections 20 --max-held 16 --max-cpu 25 -m 300 --trace 10.0.0.0/8,lost -L ' +
        '-l /tmp/l --log-level debug --metrics :9100 --summary /tmp/s.json --record /tmp/r.pcapng --duration 2h -P /tmp/p --delivery tunnel',
    );
    const { mappings, lanes, clientAddresses, limits, ...rest } = config;
    assert.equal(mappings.length + lanes.length, 2);
    assert.deepEqual(
      clientAddresses.map((address) => formatIpAddress(address)),
      ['10.1.1.1'],
    );
    assert.deepEqual(
      [limits.sessionsMax, limits.connectionsMax, limits.heldBytesMax, limits.heldBytesPerConnectionMax],
      [10, 20, 16 * 1024 * 1024, 16 * 1024 * 1024],
    );
    assert.deepEqual(rest, {
      udp: false,
      delivery: 'tunnel',
      copies: 3,
      sample: { fraction: 0.025, by: 'client', seed: 9 },
      rampMs: 600_000,
      fullSessionsOnly: true,
      wait: false,
      mtuBytes: 1400,
      responseTimeoutMs: 500,
      idleTimeoutMs: 60_000,
      interfaces: ['eth0', 'eth1'],
      filter: 'tcp',
      captureBufferBytes: 8 * 1024 * 1024,
      capture: 'cap',
      measures: false,
      reportFile: undefined,
      trace: { clientAddress: Uint8Array.of(10, 0, 0, 0), prefixBits: 8, isLossOnly: true },
      budget: { cpuPercentMax: 25, memoryBytesMax: 300 * 1024 * 1024 },
      offline: undefined,
      joinToken: undefined,
      stateDirectory: '/tmp/x',
      insecure: true,
      wire: undefined,
      credentialsFile: undefined,
      logins: [],
      responsePayloadBytes: 0,
      connect: false,
      name: 'web-1',
      threads: 1,
      logFile: '/tmp/l',
      logLevel: 'debug',
      metrics: { host: '127.0.0.1', port: 9100 },
      summaryFile: '/tmp/s.json',
      recordFile: '/tmp/r.pcapng',
      durationMs: 7_200_000,
      pidFile: '/tmp/p',
      compare: undefined,
      notes: ['-L/--lonely has no effect: copy always keeps running and reconnects'],
    });
  });

  it('says when the ramp does not end within the duration', async () => {
    const { notes } = await configure('-x 80-10.16.12.11:80 -g 1h --duration 6m');
    assert.deepEqual(notes, [
      '-g/--ramp 1h is longer than --duration 6m: at its end 10 % of all that -r and -n ask for is copied',
    ]);
    assert.deepEqual((await configure('-x 80-10.16.12.11:80 -g 1h --duration 1h')).notes, []);
  });

  it('a comparison: a file with or without a name, what is kept and ignored', async () => {
    const bare = await configure('-x 80-10.16.12.11:80 --compare -n 2');
    assert.equal(bare.compare?.file, 'trafficcopy-compare.jsonl');
    assert.equal(bare.responsePayloadBytes, 4096);
    assert.ok(bare.compare.config.ignoredHeaders.has('date'));
    const whole = await configure(
      '-x 80-10.16.12.11:80 --compare=/tmp/c --compare-bytes 512 --compare-ignore Date,X-A --compare-max 7',
    );
    assert.equal(whole.responsePayloadBytes, 512);
    assert.deepEqual(whole.compare, {
      file: '/tmp/c',
      config: {
        answerBytesMax: 512,
        answersMax: (128 * 1024 * 1024) / 512,
        ignoredHeaders: new Set(['date', 'x-a']),
        differencesMax: 7,
      },
    });
    const none = await configure('-x 80-10.16.12.11:80 --compare --compare-ignore none');
    assert.equal(none.compare?.config.ignoredHeaders.size, 0);
  });

  it('capture files: names, times, and a target that runs on this host', async () => {
    const config = await configure(
      '-x 80-10.16.12.10:80 -i ./day,/var/b.pcapng,c.pcap.gz -a 1.5 -I 250 -T 3 --from 2026-11-28T13:00:00Z --until 90s',
    );
    assert.deepEqual(config.interfaces, []);
    assert.deepEqual(config.offline, {
      files: ['./day', '/var/b.pcapng', 'c.pcap.gz'],
      speed: 1.5,
      idleMsMax: 250,
      rate: undefined,
      runs: 3,
      from: { kind: 'absolute', timeUs: Date.UTC(2026, 10, 28, 13) * 1000 },
      until: { kind: 'offset', offsetUs: 90_000_000 },
    });
    assert.equal(hostPlan(config).leg, 'file');
    const rated = await configure('-x 80-10.16.12.11:80 -i - --rate 2000req/s --from @1700000000.5');
    assert.deepEqual(rated.offline?.rate, { of: 'requests', perSecond: 2000 });
    assert.deepEqual(rated.offline?.from, { kind: 'absolute', timeUs: 1_700_000_000_500_000 });
  });

  it('client addresses: a.b.c.x is hosts 1 to 254 without the target, a range is without its ends, each once', async () => {
    const hosts = await configure('-x 80-10.16.12.11:80 -c 10.16.12.x');
    assert.equal(hosts.clientAddresses.length, 253);
    assert.equal(formatIpAddress(hosts.clientAddresses[0]!), '10.16.12.1');
    assert.equal(formatIpAddress(hosts.clientAddresses.at(-1)!), '10.16.12.254');
    const range = await configure('-x 80-10.16.12.11:80 -c 10.1.2.0/23,10.1.2.1,10.9.9.9');
    assert.equal(range.clientAddresses.length, 511);
    assert.equal(formatIpAddress(range.clientAddresses[255]!), '10.1.3.0');
    const point = await configure('-x 80-10.16.12.11:80 -c 10.1.2.0/31');
    assert.equal(point.clientAddresses.length, 2);
    const ipv6 = await configure('-x 80-[fd00::11]:80 -c fd00:1::/120');
    assert.equal(ipv6.clientAddresses.length, 256);
  });

  it('the engine gets its part, and marks what it sends in direct delivery only', async () => {
    const config = await configure('-x 80-10.16.12.11:80+10.16.12.12:80');
    const engine = engineConfigOf(config, hostPlan(config), 42);
    assert.equal(engine.seed, 42);
    assert.equal(engine.markSegments, true);
    const tunnel = await configure('-x 80-10.16.12.11:80 --delivery=tunnel');
    assert.equal(engineConfigOf(tunnel, hostPlan(tunnel), 1).markSegments, false);
  });

  it('with C intercepts nothing is marked, and records have the size of their version', async () => {
    const config = await configure('-x 80-10.16.12.11:80 --insecure --wire 0.9');
    assert.equal(config.wire?.recordBytes, 80);
    assert.equal(engineConfigOf(config, hostPlan(config), 1).markSegments, false);
    assert.equal((await configure('-x 80-10.16.12.11:80 --insecure --wire 1.x')).wire?.recordBytes, 64);
    assert.equal((await configure('-x 80-10.16.12.11:80 --insecure --wire 1.x --threads 2')).threads, 2);
    const payload = await configure('-x 80-10.16.12.11:80 --insecure --wire 1.x --resp-payload');
    assert.deepEqual([payload.wire?.recordBytes, payload.wire?.countMax], [192, 6]);
  });

  it('the plan names what is behind each intercept, and single addresses of clients', async () => {
    const plan = hostPlan(
      await configure('-x 80-10.16.12.11:80+10.16.12.12:80+[fd00::11]:81 -s h -c 10.1.2.3,fd00::3'),
    );
    assert.deepEqual(plan.lanes, [
      {
        host: 'h',
        port: 36524,
        targets: [
          { address: '10.16.12.11', port: 80 },
          { address: '10.16.12.12', port: 80 },
          { address: 'fd00::11', port: 81 },
        ],
      },
    ]);
    assert.deepEqual(
      plan.clientAddresses.map(({ address, prefixBits }) => `${formatIpAddress(address)}/${prefixBits}`),
      ['10.1.2.3/32', 'fd00::3/128'],
    );
    assert.deepEqual([plan.leg, plan.isSuspended, plan.bytesPerSecondMax], ['host', false, 0]);
  });
});
