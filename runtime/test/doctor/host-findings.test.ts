import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  capabilityFindings,
  clockFinding,
  type Finding,
  findingText,
  kernelFinding,
  memoryFinding,
  nodeFinding,
  openFilesFinding,
  routeFinding,
} from '../../src/index.js';
import { fakeHost } from '../kit/fake-host.js';

const verdictOf = ({ verdict }: Finding): string => verdict;

describe('what doctor says of a host', () => {
  const tables: readonly [string, Finding, Finding['verdict']][] = [
    ['Node.js 24', nodeFinding('24.1.0'), 'pass'],
    ['Node.js 22', nodeFinding('v22.9.0'), 'fail'],
    ['Linux 6', kernelFinding('6.1.0-13-amd64\n'), 'pass'],
    ['Linux 3.15', kernelFinding('3.15.0'), 'pass'],
    ['Linux 3.10', kernelFinding('3.10.0-1160.el7'), 'fail'],
    ['a kernel that nobody names', kernelFinding(undefined), 'skip'],
    [
      'many open files',
      openFilesFinding('Max open files            1024                 4096                 files'),
      'pass',
    ],
    [
      'unlimited open files',
      openFilesFinding('Max open files            unlimited            unlimited            files'),
      'pass',
    ],
    [
      'few open files',
      openFilesFinding('Max open files            256                  4096                 files'),
      'warn',
    ],
    [
      'enough memory',
      memoryFinding(fakeHost({ '/proc/meminfo': 'MemAvailable:    1048576 kB\n' }), 1 << 28, 1 << 29),
      'pass',
    ],
    [
      'memory for less than its limits',
      memoryFinding(fakeHost({ '/proc/meminfo': 'MemAvailable:  400000 kB\n' }), 1 << 28, 1 << 29),
      'warn',
    ],
    [
      'too little memory',
      memoryFinding(fakeHost({ '/proc/meminfo': 'MemAvailable:   1000 kB\n' }), 1 << 28, 1 << 29),
      'fail',
    ],
    [
      'a container with less memory than its host',
      memoryFinding(
        fakeHost({
          '/proc/meminfo': 'MemAvailable: 8000000 kB\n',
          '/sys/fs/cgroup/memory.max': '104857600\n',
          '/sys/fs/cgroup/memory.current': '4857600\n',
        }),
        1 << 28,
        1 << 29,
      ),
      'fail',
    ],
    [
      'a container without a limit',
      memoryFinding(
        fakeHost({ '/proc/meminfo': 'MemAvailable: 8000000 kB\n', '/sys/fs/cgroup/memory.max': 'max\n' }),
        1 << 28,
        1 << 29,
      ),
      'pass',
    ],
  ];
  for (const [name, finding, verdict] of tables)
    it(`${name}: ${verdict}`, () => assert.equal(finding.verdict, verdict));

  it('capabilities are named one by one, with what each is for', () => {
    const host = fakeHost({ '/proc/self/status': 'Name:\tnode\nCapEff:\t0000000000002000\n' });
    const findings = capabilityFindings(host, { CAP_NET_RAW: 'capturing', CAP_NET_ADMIN: 'rules' });
    assert.deepEqual(findings.map(verdictOf), ['pass', 'fail']);
    assert.equal(findings[1]!.text, 'no CAP_NET_ADMIN (rules)');
    assert.match(findings[1]!.fix, /AmbientCapabilities=CAP_NET_ADMIN/);
  });

  it('the clock: systemd is asked, then chrony; nobody to ask is no failure', async () => {
    const systemd = 'timedatectl show --property=NTPSynchronized --value';
    const verdicts = await Promise.all([
      clockFinding(fakeHost({}, { [systemd]: 'yes\n' })),
      clockFinding(fakeHost({}, { [systemd]: 'no\n' })),
      clockFinding(fakeHost({}, { [systemd]: { status: 1 }, 'chronyc -n tracking': 'Leap status     : Normal\n' })),
      clockFinding(fakeHost({}, { 'chronyc -n tracking': 'Leap status     : Not synchronised\n' })),
      clockFinding(fakeHost({})),
    ]);
    assert.deepEqual(verdicts.map(verdictOf), ['pass', 'warn', 'pass', 'warn', 'skip']);
  });

  it('a route is there, or is not, or is one that leads nowhere', async () => {
    const answers = {
      'ip route get 10.0.0.1': '10.0.0.1 via 10.1.0.1 dev eth0 src 10.1.0.2 uid 0\n    cache\n',
      'ip route get 10.0.0.2': { status: 2, stderr: 'RTNETLINK answers: Network is unreachable\n' },
      'ip route get 10.0.0.3': 'blackhole 10.0.0.3 dev lo\n',
    };
    const host = fakeHost({}, answers);
    const findings = await Promise.all(
      ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => routeFinding(host, address)),
    );
    assert.deepEqual(findings.map(verdictOf), ['pass', 'fail', 'fail']);
    assert.equal(findings[0]!.text, 'route to 10.0.0.1 by eth0');
    assert.equal(findings[1]!.text, 'no route to 10.0.0.2: Network is unreachable');
    assert.equal((await routeFinding(fakeHost({}), '10.0.0.1')).verdict, 'skip');
  });

  it('a line says what was found, and below it what to type', () => {
    assert.equal(
      findingText({ verdict: 'fail', text: 'no road', fix: 'build one' }),
      'FAIL  no road\n      fix: build one',
    );
    assert.equal(findingText({ verdict: 'pass', text: 'a road', fix: '' }), 'pass  a road');
  });
});
