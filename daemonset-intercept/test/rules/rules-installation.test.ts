import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { parseIpAddress } from '@trafficcopy/core';
import { parseJournal } from '../../src/rules/journal.js';
import { RulesInstallation } from '../../src/rules/rules-installation.js';
import type { RulesInstallationOptions } from '../../src/rules/rules-installation-options.js';
import { RulesLook } from '../../src/rules/rules-look.js';
import { FakeNamespace } from '../kit/fake-namespace.js';

const UDP_CLIENTS = (
  [
    ['10.250.0.0', 16],
    ['198.51.100.0', 24],
    ['fd00:c0de::', 64],
  ] as const
).map(([address, prefixBits]) => ({ address: parseIpAddress(address)!, prefixBits }));
const FOREIGN = 'OUTPUT -p tcp -m tcp --dport 1 -j ACCEPT';

describe('the installation of rules', () => {
  let directory: string;
  let access: FakeNamespace;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'trafficcopy-rules-'));
    access = new FakeNamespace();
    access.rules[4].push(FOREIGN);
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function install(changes: Partial<RulesInstallationOptions> = {}): Promise<RulesInstallation> {
    return RulesInstallation.install({
      access,
      stateDirectory: directory,
      instance: '36524',
      queueNumber: undefined,
      iptables: 'auto',
      openSockets: ({ queueNumber }) => {
        if (access.boundQueues.has(queueNumber)) return false;
        access.boundQueues.add(queueNumber);
        return true;
      },
      ...changes,
    });
  }

  /** As kill -9 does: nothing is undone, and nobody reads the queue any more. */
  function kill(installation: RulesInstallation): void {
    access.boundQueues.delete(installation.slot.queueNumber);
  }

  const journals = (): string[] => readdirSync(join(directory, 'intercept'));

  it('puts rules before those of others, for both families, then the settings', async () => {
    await install();
    for (const family of [4, 6] as const) {
      const output = access.rules[family].filter((rule) => rule.startsWith('OUTPUT'));
      assert.match(output[0]!, /--mark 0x8ed0 .*"trafficcopy:36524" -j NFQUEUE --queue-num 3792$/);
      assert.doesNotMatch(access.rules[family].join('\n'), /queue-bypass/);
    }
    const firstWrite = access.changes.findIndex((change) => change.startsWith('write'));
    assert.ok(access.changes.lastIndexOf('restore 6') < firstWrite, access.changes.join('\n'));
    assert.equal(access.files.get('/proc/sys/net/ipv4/tcp_fwmark_accept'), '1\n');
  });

  it('restores exactly what was found, and removes the journal', async () => {
    access.files.set('/proc/sys/net/ipv4/fwmark_reflect', '1\n');
    const found = access.state();
    const installation = await install();
    assert.notDeepEqual(access.state(), found);
    await installation.restore();
    assert.deepEqual(access.state(), found);
    assert.deepEqual(journals(), []);
  });

  it('puts back what somebody removed or overtook, and says so', async () => {
    const installation = await install();
    assert.deepEqual(await installation.hold(), []);
    const ours = (): string[] => access.rules[4].filter((rule) => rule.includes('trafficcopy:')).sort();
    const rules = ours();
    access.rules[4].length = 0;
    access.files.set('/proc/sys/net/ipv4/fwmark_reflect', '0\n');
    const [removed, reset] = await installation.hold();
    assert.match(removed!, /^iptables -t mangle: our rules were removed/);
    assert.match(reset!, /fwmark_reflect: was set to 0/);
    assert.deepEqual(ours(), rules);
    assert.equal(access.files.get('/proc/sys/net/ipv4/fwmark_reflect'), '1\n');
    access.rules[4].unshift('OUTPUT -p tcp -j ACCEPT');
    assert.match((await installation.hold())[0]!, /a rule was put before ours/);
    assert.match(access.rules[4].find((rule) => rule.startsWith('OUTPUT'))!, /trafficcopy:/);
    await installation.restore();
    assert.deepEqual(await installation.hold(), [], 'after the end nothing is put back');
    assert.deepEqual(access.rules[4], ['OUTPUT -p tcp -j ACCEPT']);
  });

  it('without a string match any packet with the option counts, and a note says so', async () => {
    access.hasStringMatch = false;
    const { notes } = await install();
    assert.ok(access.rules[4].some((rule) => rule.includes('--tcp-option 253 -m comment')));
    assert.match(notes.join(), /string match/);
  });

  it('copied packets are left untracked in both families, and where that cannot be had a note says so', async () => {
    const installation = await install();
    for (const family of [4, 6] as const) {
      assert.equal(access.rawRules[family].filter((rule) => rule.endsWith('-j CT --notrack')).length, 3);
    }
    await installation.restore();
    assert.deepEqual(access.rawRules, { 4: [], 6: [] });
    access.boundQueues.clear();
    access.hasRawTable = false;
    assert.match((await install()).notes.join(), /address translation in this namespace applies to copied packets too/);
  });

  it('workers have a slot each, the first takes what is delivered directly, and the last to leave restores', async () => {
    const found = access.state();
    const installations: RulesInstallation[] = [];
    for (const [worker, instance] of ['36524', '36524.1', '36524.2'].entries()) {
      installations.push(await install({ instance, takesUnmarked: worker === 0 }));
    }
    assert.deepEqual(
      installations.map(({ slot }) => slot.queueNumber),
      [3792, 3793, 3794],
    );
    for (const family of [4, 6] as const) {
      const direct = [...access.rules[family], ...access.rawRules[family]].filter((rule) =>
        rule.includes('tcp-option'),
      );
      assert.equal(direct.length, 2, 'mangle and raw');
      for (const rule of direct) assert.match(rule, /"trafficcopy:36524"/);
    }
    // The queues are closed by then: the workers have ended.
    access.boundQueues.clear();
    for (const installation of installations) await installation.restore();
    assert.deepEqual(access.state(), found);
    assert.deepEqual(journals(), []);
  });

  it('UDP and ICMP to clients of datagrams goes to the queue before what others accept, by family, and all of it is restored', async () => {
    const found = access.state();
    const installation = await install({ udpClients: UDP_CLIENTS });
    const output = (family: 4 | 6): string[] => access.rules[family].filter((rule) => rule.startsWith('OUTPUT'));
    const owner = '-m comment --comment "trafficcopy:36524"';
    const queue = '-j NFQUEUE --queue-num 3792';
    assert.deepEqual(output(4).slice(1), [
      `OUTPUT -d 10.250.0.0/16 ! -p tcp ${owner} ${queue}`,
      `OUTPUT -d 198.51.100.0/24 ! -p tcp ${owner} ${queue}`,
      FOREIGN,
    ]);
    assert.deepEqual(output(6).slice(1), [`OUTPUT -d fd00:c0de::/64 ! -p tcp ${owner} ${queue}`]);
    const untracked = access.rawRules[4].filter((rule) => rule.includes('-p udp'));
    assert.deepEqual(untracked, [
      `OUTPUT -p udp -m mark --mark 0x18ed0 ${owner} -j CT --notrack`,
      `OUTPUT -d 10.250.0.0/16 -p udp ${owner} -j CT --notrack`,
      `OUTPUT -d 198.51.100.0/24 -p udp ${owner} -j CT --notrack`,
    ]);
    assert.equal(access.rawRules[6].filter((rule) => rule.includes('-p udp')).length, 2);
    const index = access.rules[4].indexOf(output(4)[1]!);
    access.rules[4].splice(index, 1);
    assert.match((await installation.hold())[0]!, /our rules were removed/);
    assert.equal(output(4).length, 4);
    await installation.restore();
    assert.deepEqual(access.state(), found);
  });

  it('of several workers one takes the answers to datagrams, and all leave theirs untracked', async () => {
    for (const [worker, instance] of ['36524', '36524.1'].entries()) {
      await install({ instance, udpClients: UDP_CLIENTS, takesUnmarked: worker === 0 });
    }
    const queued = access.rules[4].filter((rule) => /! -p tcp .*NFQUEUE/.test(rule));
    assert.equal(queued.length, 2);
    for (const rule of queued) assert.match(rule, /"trafficcopy:36524" -j NFQUEUE --queue-num 3792$/);
    const marks = access.rawRules[6].map((rule) => /-p udp -m mark --mark (\S+)/.exec(rule)?.[1]).filter(Boolean);
    assert.deepEqual(marks.sort(), ['0x18ed0', '0x18ed1']);
  });

  it('without clients of datagrams nothing is about UDP', async () => {
    await install();
    for (const family of [4, 6] as const) {
      const all = [...access.rules[family], ...access.rawRules[family]].join('\n');
      assert.doesNotMatch(all, /udp|! -p tcp/);
    }
  });

  it('what is saved once can be held against the rules of several workers', async () => {
    const first = await install();
    const second = await install({ instance: '36524.1', takesUnmarked: false });
    access.saves.length = 0;
    const look = new RulesLook(access);
    assert.deepEqual([await first.hold(look), await second.hold(look)], [[], []]);
    assert.deepEqual(access.saves, ['iptables-save', 'ip6tables-save']);
  });

  it('where the kernel counts changes, rules are read only after one, whoever made it', async () => {
    access.hasGenerations = true;
    const installation = await install();
    assert.deepEqual(await installation.hold(), []);
    access.saves.length = 0;
    assert.deepEqual(await installation.hold(), []);
    assert.deepEqual(access.saves, [], 'nothing has changed');
    access.rules[4].unshift('OUTPUT -p tcp -j ACCEPT');
    assert.match((await installation.hold())[0]!, /a rule was put before ours/);
    assert.deepEqual(await installation.hold(), [], 'once more after what was put back');
    access.saves.length = 0;
    access.files.set('/proc/sys/net/ipv4/fwmark_reflect', '0\n');
    assert.match((await installation.hold())[0]!, /fwmark_reflect: was set to 0/, 'settings are looked at each time');
    assert.deepEqual(await installation.hold(), []);
    access.rawRules[6].length = 0;
    assert.match((await installation.hold())[0]!, /^ip6tables -t raw: our rules were removed/);
  });

  it('what changes while rules are read is found at the next look', async () => {
    access.hasGenerations = true;
    const installation = await install();
    const run = access.run.bind(access);
    access.run = async (command, args, input) => {
      const outcome = await run(command, args, input);
      if (command !== 'iptables-save') return outcome;
      access.run = run;
      access.rules[4].length = 0;
      return outcome;
    };
    assert.deepEqual(await installation.hold(), []);
    assert.match((await installation.hold())[0]!, /^iptables -t mangle: our rules were removed/);
  });

  it('the journal is written before the first change', async () => {
    const changesAtWrite: number[] = [];
    const run = access.run.bind(access);
    access.run = (command, args, input) => {
      if (command.endsWith('-restore')) changesAtWrite.push(journals().filter((name) => name.endsWith('.json')).length);
      return run(command, args, input);
    };
    await install();
    assert.deepEqual([...new Set(changesAtWrite)], [1]);
  });

  for (const [what, failing] of [
    ['the second family', /^ip6tables-restore/],
    ['a setting', /^write .*fwmark_reflect/],
  ] as const) {
    it(`when ${what} cannot be changed nothing is left changed`, async () => {
      const found = access.state();
      access.failing = failing;
      await assert.rejects(install());
      assert.deepEqual(access.state(), found);
      assert.deepEqual(journals(), []);
    });
  }

  it('after a kill the next start takes the rules over without a gap, and its end restores what was found first', async () => {
    const found = access.state();
    kill(await install());
    const seen: boolean[] = [];
    const run = access.run.bind(access);
    access.run = async (command, args, input) => {
      const outcome = await run(command, args, input);
      seen.push(access.rules[4].some((rule) => rule.includes('NFQUEUE')));
      return outcome;
    };
    const second = await install();
    assert.ok(seen.every(Boolean), 'a queue rule is there at all times');
    assert.equal(access.rules[4].filter((rule) => rule.includes('NFQUEUE')).length, 1);
    assert.match(second.notes.join(), /took over/);
    await second.restore();
    assert.deepEqual(access.state(), found);
  });

  it('a successor of another name restores what a killed one had found', async () => {
    const found = access.state();
    kill(await install());
    const second = await install({ instance: 'other' });
    assert.equal(second.slot.index, 1, 'sockets of the dead one keep their mark and rule');
    await second.restore();
    assert.deepEqual(access.state(), found);
    assert.deepEqual(journals(), []);
  });

  it('of two intercepts the one that leaves first leaves the settings to the other', async () => {
    const found = access.state();
    const first = await install();
    const second = await install({ instance: '36525' });
    assert.notEqual(first.slot.mark, second.slot.mark);
    kill(first);
    await first.restore();
    assert.equal(access.files.get('/proc/sys/net/ipv4/tcp_fwmark_accept'), '1\n');
    assert.ok(access.rules[4].every((rule) => !rule.includes('trafficcopy:36524"')));
    kill(second);
    await second.restore();
    assert.deepEqual(access.state(), found);
  });

  it('the same instance twice is refused, and nothing is changed', async () => {
    await install();
    const during = access.state();
    await assert.rejects(install(), { code: 'ERR_RULES_CONFLICT', message: /already works in this network namespace/ });
    assert.deepEqual(access.state(), during);
  });

  it('an intercept with its journal elsewhere is refused', async () => {
    await install();
    const elsewhere = mkdtempSync(join(tmpdir(), 'trafficcopy-rules-'));
    await assert.rejects(install({ instance: 'b', stateDirectory: elsewhere }), { message: /same --state/ });
    rmSync(elsewhere, { recursive: true, force: true });
  });

  it('a queue number that a rule of somebody else names is refused, and without a number another is taken', async () => {
    access.rules[4].push('INPUT -p udp -j NFQUEUE --queue-num 3792');
    await assert.rejects(install({ queueNumber: 3792 }), { code: 'ERR_RULES_CONFLICT', message: /--queue-num/ });
    assert.equal((await install()).slot.queueNumber, 3793);
  });

  it('a queue that another program reads is refused when it was asked for', async () => {
    access.boundQueues.add(77);
    await assert.rejects(install({ queueNumber: 77 }), { message: /another program reads NFQUEUE 77/ });
    assert.deepEqual(access.changes, []);
  });

  it('without iptables nothing is touched', async () => {
    access.hasIptables = false;
    await assert.rejects(install(), { code: 'ERR_RULES_UNSUPPORTED', message: /iptables is not installed/ });
    assert.deepEqual(access.changes, []);
  });

  it('a namespace without a default route gets one for marked packets, behind all others, and loses it again', async () => {
    access.defaultRoute = '';
    const installation = await install();
    assert.deepEqual(access.policyRules, [
      '-4 pref 32768 fwmark 0x8ed0 lookup 36560',
      '-6 pref 32768 fwmark 0x8ed0 lookup 36560',
    ]);
    kill(installation);
    const again = await install();
    assert.equal(access.policyRules.length, 2);
    await again.restore();
    assert.deepEqual(access.policyRules, []);
  });

  it('a namespace where IPv6 is switched off gets no route of IPv6, which the kernel would refuse', async () => {
    access.defaultRoute = '';
    access.files.set('/proc/sys/net/ipv6/conf/lo/disable_ipv6', '1\n');
    const installation = await install();
    assert.deepEqual(access.policyRules, ['-4 pref 32768 fwmark 0x8ed0 lookup 36560']);
    await installation.restore();
    assert.deepEqual(access.policyRules, []);
  });

  it('a setting that somebody else changed meanwhile stays, with a note', async () => {
    const installation = await install();
    access.files.set('/proc/sys/net/ipv4/fwmark_reflect', '3\n');
    const notes = await installation.restore();
    assert.equal(access.files.get('/proc/sys/net/ipv4/fwmark_reflect'), '3\n');
    assert.match(notes.join(), /fwmark_reflect was changed by somebody else/);
  });

  it('a journal of an earlier boot is not believed', async () => {
    kill(await install());
    access.rules[4] = [FOREIGN];
    access.rules[6] = [];
    access.files.set('/proc/sys/net/ipv4/tcp_fwmark_accept', '1\n');
    const [name] = journals();
    const path = join(directory, 'intercept', name!);
    const journal = parseJournal(readFileSync(path, 'utf8'))!;
    writeFileSync(path, JSON.stringify({ ...journal, bootId: 'another' }));
    const second = await install();
    await second.restore();
    assert.equal(access.files.get('/proc/sys/net/ipv4/tcp_fwmark_accept'), '1\n');
  });

  it('a damaged journal stops the start with its path', async () => {
    kill(await install());
    const path = join(directory, 'intercept', journals()[0]!);
    writeFileSync(path, '{"version":1');
    await assert.rejects(install(), { code: 'ERR_RULES_JOURNAL', message: new RegExp(path) });
  });
});
