/**
 * Rules of others that would drop copied packets. Where they come in, intercept keeps them out of connection tracking (UNTRACKED); where
 * they leave the host of online, connection tracking has never seen an answer to them (INVALID).
 */
import { type Finding, pass, skip, warn } from './finding.js';
import type { HostAccess } from './host-access.js';

interface FirewallRule {
  readonly where: string;
  readonly text: string;
}

/** Rules of all tables, as the commands list them. Undefined when none of them may be asked. */
async function rulesOf(host: HostAccess): Promise<FirewallRule[] | undefined> {
  const rules: FirewallRule[] = [];
  let isKnown = false;
  for (const command of ['iptables-save', 'ip6tables-save', 'iptables-legacy-save', 'ip6tables-legacy-save']) {
    const answer = await host.run(command, []);
    if (answer?.status !== 0) continue;
    isKnown = true;
    for (const line of answer.stdout.split('\n'))
      if (/^(-A|:)/.test(line)) rules.push({ where: command, text: line.trim() });
  }
  const nft = await host.run('nft', ['list', 'ruleset']);
  if (nft?.status === 0) {
    isKnown = true;
    for (const line of nft.stdout.split('\n')) if (line.trim() !== '') rules.push({ where: 'nft', text: line.trim() });
  }
  return isKnown ? rules : undefined;
}

const DROPS_INVALID = /(--ctstate|--state|ct state)\s+\{?\s*[\w,\s]*\binvalid\b.*\b(drop|reject)\b/i;
const ACCEPTS_ESTABLISHED = /(--ctstate|--state|ct state)\s+\{?\s*([\w,\s]*\bestablished\b[\w,\s]*)/i;
/** Chains that drop what no rule of theirs accepts. */
const DROPS_THE_REST = {
  INPUT: /^:INPUT DROP\b|hook input .*policy drop|^-A INPUT -j (DROP|REJECT)\b/,
  OUTPUT: /^:OUTPUT DROP\b|hook output .*policy drop|^-A OUTPUT -j (DROP|REJECT)\b/,
} as const;

const ADVICE = {
  INPUT: {
    state: 'UNTRACKED',
    invalid: 'nothing to do with --delivery tunnel; for direct put a rule before it that accepts --tcp-option 253',
    accept: 'iptables -I INPUT -m conntrack --ctstate UNTRACKED -p tcp --dport TARGET-PORT -j ACCEPT',
  },
  OUTPUT: {
    state: 'INVALID',
    invalid: 'put a rule before it that accepts --tcp-option 253, or copy with --delivery tunnel',
    accept: 'iptables -I OUTPUT -p tcp --tcp-option 253 -j ACCEPT, or copy with --delivery tunnel',
  },
} as const;

/** @param hook where copied packets pass: into the host of the target, or (delivery direct) out of that of online */
export async function firewallFindings(host: HostAccess, hook: 'INPUT' | 'OUTPUT'): Promise<Finding[]> {
  const rules = await rulesOf(host);
  const advice = ADVICE[hook];
  if (rules === undefined) {
    return [skip('the rules of the firewall could not be read', 'run doctor as root, with iptables or nft installed')];
  }
  const findings: Finding[] = [];
  const invalid = rules.find(({ text }) => DROPS_INVALID.test(text));
  if (invalid !== undefined) {
    findings.push(
      warn(
        `a rule drops packets that connection tracking calls INVALID (${invalid.where}: ${invalid.text})`,
        advice.invalid,
      ),
    );
  }
  const isStrict = rules.some(({ text }) => DROPS_THE_REST[hook].test(text));
  const accepts = rules.flatMap(({ where, text }) => {
    const states = ACCEPTS_ESTABLISHED.exec(text)?.[2];
    return states === undefined || DROPS_INVALID.test(text) ? [] : [{ where, text, states }];
  });
  const missed = accepts.find(({ states }) => !/\buntracked\b/i.test(states));
  if (isStrict && missed !== undefined && !accepts.some(({ states }) => /\buntracked\b/i.test(states))) {
    findings.push(
      warn(
        `the firewall drops what is neither new nor established (${missed.where}: ${missed.text}); copied packets are ${advice.state}`,
        advice.accept,
      ),
    );
  }
  return findings.length > 0 ? findings : [pass('no rule of a firewall drops what connection tracking does not know')];
}
