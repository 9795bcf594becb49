import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firewallFindings, type HostAccess } from '../../src/index.js';

function hostWith(answers: Readonly<Record<string, string>>): HostAccess {
  return {
    read: () => undefined,
    run: (command) => {
      const stdout = answers[command];
      return Promise.resolve(stdout === undefined ? undefined : { status: 0, stdout, stderr: '' });
    },
  };
}

async function verdicts(
  answers: Readonly<Record<string, string>>,
  hook: 'INPUT' | 'OUTPUT' = 'INPUT',
): Promise<string[]> {
  return (await firewallFindings(hostWith(answers), hook)).map(
    ({ verdict, text }) => `${verdict} ${text.split(' (')[0]}`,
  );
}

const PASS = ['pass no rule of a firewall drops what connection tracking does not know'];
const INVALID = 'warn a rule drops packets that connection tracking calls INVALID';
const UNTRACKED = 'warn the firewall drops what is neither new nor established';

describe('rules of others that would drop copied packets', () => {
  const tables: readonly [string, Record<string, string>, string[]][] = [
    ['none', { 'iptables-save': '*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n' }, PASS],
    ['a rule that drops INVALID', { 'iptables-save': '-A INPUT -m conntrack --ctstate INVALID -j DROP\n' }, [INVALID]],
    ['the same of the old match', { 'ip6tables-save': '-A INPUT -m state --state INVALID -j REJECT\n' }, [INVALID]],
    [
      'the same of nft',
      { nft: 'table inet filter {\n\tchain input {\n\t\tct state invalid drop\n\t}\n}\n' },
      [INVALID],
    ],
    ['the same of nft, in a set', { nft: '\t\tct state { invalid } counter packets 0 bytes 0 drop\n' }, [INVALID]],
    ['a rule that counts INVALID', { 'iptables-save': '-A INPUT -m conntrack --ctstate INVALID -j LOG\n' }, PASS],
    [
      'a policy DROP with RELATED,ESTABLISHED',
      { 'iptables-save': ':INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n' },
      [UNTRACKED],
    ],
    [
      'the same with UNTRACKED',
      {
        'iptables-save': ':INPUT DROP [0:0]\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,UNTRACKED -j ACCEPT\n',
      },
      PASS,
    ],
    [
      'a policy ACCEPT with RELATED,ESTABLISHED',
      { 'iptables-save': ':INPUT ACCEPT [0:0]\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n' },
      PASS,
    ],
    [
      'a policy drop of nft with established',
      { nft: '\t\ttype filter hook input priority filter; policy drop;\n\t\tct state established,related accept\n' },
      [UNTRACKED],
    ],
    [
      'a last rule that rejects',
      {
        'iptables-save':
          '-A INPUT -m state --state NEW,ESTABLISHED -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\n',
      },
      [UNTRACKED],
    ],
  ];
  for (const [name, answers, expected] of tables)
    it(name, async () => assert.deepEqual(await verdicts(answers), expected));

  it('what leaves the host of online meets other chains than what comes to the target', async () => {
    const strict = {
      'iptables-save': ':OUTPUT DROP [0:0]\n-A OUTPUT -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT\n',
    };
    assert.deepEqual(await verdicts(strict, 'OUTPUT'), [UNTRACKED]);
    assert.deepEqual(await verdicts(strict, 'INPUT'), PASS);
  });

  it('a firewall that may not be read is said', async () => {
    assert.deepEqual(await verdicts({}), ['skip the rules of the firewall could not be read']);
  });
});
