/** `trafficcopy doctor` on real hosts: finds nothing where all is well, finds what is wrong, and changes nothing. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { type CommandResult, Lab, type LabHost, TRAFFIC_COPY } from '../../src/index.js';
import { CopyLab, ONLINE_PORT, TARGET_PORT } from './kit/copy-lab.js';

interface Finding {
  readonly verdict: string;
  readonly text: string;
  readonly fix: string;
}

/** What is found by `doctor WORDS --json`, and the exit code. */
async function doctor(host: LabHost, words: readonly string[]): Promise<{ status: number; findings: Finding[] }> {
  const { status, stdout, stderr } = await run(host, [...words, '--json']);
  assert.equal(stderr, '');
  const { failures, chapters } = JSON.parse(stdout) as { failures: number; chapters: { findings: Finding[] }[] };
  const findings = chapters.flatMap((chapter) => chapter.findings);
  assert.equal(findings.filter(({ verdict }) => verdict === 'fail').length, failures);
  return { status, findings };
}

function run(host: LabHost, words: readonly string[], prefix: readonly string[] = []): Promise<CommandResult> {
  const args = [`TMPDIR=${host.directory}`, ...prefix, TRAFFIC_COPY, 'doctor', ...words];
  return host.run('env', args, { timeoutMs: 60_000 });
}

function textsOf(findings: readonly Finding[], verdict: string): string[] {
  return findings.filter((one) => one.verdict === verdict).map(({ text }) => text);
}

/** Everything of a host that a check could change. */
async function dump(host: LabHost): Promise<string> {
  const commands = [
    ...['iptables-save', 'ip6tables-save', 'iptables-legacy-save', 'ip6tables-legacy-save', 'nft list ruleset'],
    ...['ip rule', 'ip -6 rule', 'ip route show table all', 'ip -6 route show table all', 'ip -o link'],
    ...['cat /proc/net/netfilter/nfnetlink_queue', 'cat /proc/net/packet', 'ss -Htlnw', 'ss -Htln'],
    "sysctl -a -r '^net.ipv[46].(tcp_fwmark|fwmark|conf.[a-z0-9]+.rp_filter)'",
  ];
  const parts = [];
  for (const command of commands) {
    const { stdout } = await host.run('sh', ['-c', command]);
    parts.push(
      command,
      stdout
        .split('\n')
        .filter((line) => !line.startsWith('#') && !line.startsWith('sk '))
        .sort()
        .join('\n'),
    );
  }
  return parts.join('\n').replaceAll(/\[\d+:\d+\]/g, '[0:0]');
}

for (const delivery of ['tunnel', 'direct'] as const) {
  test(`${delivery}: where copying works nothing fails, and both hosts are left as they were`, async () => {
    await CopyLab.with({ delivery }, async (copyLab) => {
      const { client, online, target } = copyLab;
      await online.program('recording-server', { port: ONLINE_PORT });
      await target.program('recording-server', { port: TARGET_PORT });
      const before = [await dump(target), await dump(online)];
      const words = ['intercept', '--target', String(TARGET_PORT), '--clients', client.ipv4];
      const atTarget = await doctor(target, words);
      assert.deepEqual(textsOf(atTarget.findings, 'fail'), []);
      assert.equal(atTarget.status, 0);
      const passed = textsOf(atTarget.findings, 'pass').join('\n');
      for (const wanted of [
        /NFQUEUE, raw sockets and settings work/,
        /route to 10\.77\.0\.1 by eth0/,
        /target listens on port 8080/,
      ]) {
        assert.match(passed, wanted);
      }
      assert.equal(await dump(target), before[0]);
      await copyLab.startIntercept();
      const joinToken = await copyLab.intercept.joinToken();
      const map = `${ONLINE_PORT}-${copyLab.targetEndpoint(TARGET_PORT)}`;
      const atOnline = await doctor(online, ['copy', '-x', map, '--delivery', delivery, '--join', joinToken]);
      assert.deepEqual(textsOf(atOnline.findings, 'fail'), []);
      assert.equal(atOnline.status, 0);
      const said = textsOf(atOnline.findings, 'pass').join('\n');
      for (const wanted of [
        /the kernel captures/,
        /online listens on port 80/,
        /the token of --join is its own/,
        /:8080 listens/,
      ]) {
        assert.match(said, wanted);
      }
      assert.equal(await dump(online), before[1]);
      const left = readdirSync(target.directory).filter((name) => name.startsWith('trafficcopy-doctor-'));
      assert.deepEqual(left, []);
      // The token is still good.
      await copyLab.startCopy({ join: joinToken });
    });
  });
}

test('what keeps copying from working is found, with what to type; the exit code is 1', async () => {
  await Lab.with({}, async ({ online, target }) => {
    await target.expect('sh', [
      '-c',
      'sysctl -qw net.ipv4.conf.all.rp_filter=1; ip route add blackhole 203.0.113.0/24; iptables -A INPUT -m conntrack --ctstate INVALID -j DROP',
    ]);
    const before = await dump(target);
    const { status, findings } = await doctor(target, ['intercept', '--target', '8080', '--clients', '203.0.113.9']);
    assert.equal(status, 1);
    const failed = textsOf(findings, 'fail').join('\n');
    assert.match(failed, /no route to 203\.0\.113\.9/);
    assert.match(failed, /nothing listens on port 8080/);
    const warned = textsOf(findings, 'warn').join('\n');
    assert.match(warned, /rp_filter is strict \(.*eth0/);
    assert.match(warned, /drops packets that connection tracking calls INVALID/);
    for (const { verdict, text, fix } of findings) assert.equal(fix === '', verdict === 'pass', text);
    assert.equal(await dump(target), before);
    const { stdout, status: copyStatus } = await run(online, ['copy', '-x', `80-${target.ipv4}:8080`]);
    assert.equal(copyStatus, 1);
    assert.match(
      stdout,
      /^FAIL {2}no channel: .*nothing listens there.*\n {6}fix: start "trafficcopy intercept" there/m,
    );
    assert.match(stdout, /^FAIL {2}the target 10\.77\.0\.3:8080 cannot be connected to/m);
    assert.match(stdout, /^\d of these keep it from copying$/m);
  });
});

test('without rights it names those that are missing, and says which lines it could not check', async () => {
  await Lab.with({}, async ({ online }) => {
    const without = ['setpriv', '--bounding-set=-all', '--inh-caps=-all'];
    const { status, stdout, stderr } = await run(online, [], without);
    assert.deepEqual([status, stderr], [1, '']);
    for (const name of ['CAP_NET_RAW', 'CAP_NET_ADMIN'])
      assert.match(stdout, new RegExp(`^FAIL {2}no ${name} \\(`, 'm'));
    for (const line of ['iptables rules and NFQUEUE were not tried', 'the kernel captures .* was not tried']) {
      assert.match(stdout, new RegExp(`^skip {2}.*${line}.*\n {6}fix: run doctor as root`, 'm'));
    }
    assert.match(stdout, /^pass {2}Node\.js/m);
  });
});
