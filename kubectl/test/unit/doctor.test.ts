import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { networkFinding } from '../../src/doctor/network-finding.js';
import { podSecurityFinding } from '../../src/doctor/pod-security-finding.js';
import { probeFindings } from '../../src/doctor/queue-probe.js';
import { nodeFinding, versionFinding } from '../../src/doctor/version-findings.js';

const NODE = { name: 'n1', kernelVersion: '6.1.0', operatingSystem: 'linux', architecture: 'amd64' };

describe('doctor', () => {
  for (const [version, verdict] of [
    ['v1.34.4', 'pass'],
    ['v1.29.0-eks-1', 'pass'],
    ['v1.28.9', 'fail'],
    ['2.0', 'pass'],
    ['unknown', 'fail'],
  ] as const) {
    it(`Kubernetes ${version}: ${verdict}`, () => assert.equal(versionFinding(version).verdict, verdict));
  }

  for (const [change, verdict] of [
    [{}, 'pass'],
    [{ kernelVersion: '4.14.336-amzn2' }, 'pass'],
    [{ kernelVersion: '3.10.0-1160' }, 'fail'],
    [{ operatingSystem: 'windows' }, 'warn'],
    [{ architecture: 's390x' }, 'warn'],
  ] as const) {
    it(`a node with ${JSON.stringify(change)}: ${verdict}`, () => {
      assert.equal(nodeFinding({ ...NODE, ...change }).verdict, verdict);
    });
  }

  it('a namespace that refuses NET_RAW: the label to change', () => {
    const finding = podSecurityFinding('shop', { 'pod-security.kubernetes.io/enforce': 'restricted' }, 'copies');
    assert.equal(finding.verdict, 'warn');
    assert.match(finding.fix, /kubectl label namespace shop pod-security\.kubernetes\.io\/enforce=privileged/);
  });

  it('a pod network that is not known: warned of Direct', () => {
    assert.equal(networkFinding(['fluentd']).verdict, 'warn');
    assert.equal(networkFinding(['fluentd', 'calico-node']).verdict, 'pass');
  });

  it('a node whose kernel can do all: one line', () => {
    const findings = probeFindings('n1', 'tables iptables-nft\nok NFQUEUE target\nok mark target\n');
    assert.deepEqual(
      findings.map(({ verdict }) => verdict),
      ['pass'],
    );
  });

  it('a node without NFQUEUE: what is missing, with the kernel’s words', () => {
    const log = 'tables iptables-nft\nok mark target\nno NFQUEUE target: No chain/target/match by that name.\n';
    const [finding] = probeFindings('n1', log);
    assert.equal(finding?.verdict, 'fail');
    assert.match(finding?.text ?? '', /n1: no NFQUEUE target \(No chain/);
  });

  it('a probe that said nothing is no pass', () => assert.equal(probeFindings('n1', '')[0]?.verdict, 'warn'));
});
