import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canonicalPodUid, podsOf } from '../../src/node/process-scan.js';

const UID = '6f0c8d2e-0b7a-4c1d-9e51-3a5b7c9d1e2f';
const UNDERSCORED = UID.replaceAll('-', '_');

describe('the UID of a pod in a cgroup file', () => {
  const lines: readonly [what: string, line: string][] = [
    [
      'systemd driver, version 1',
      `9:name=systemd:/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod${UNDERSCORED}.slice/cri-containerd-0a1b.scope`,
    ],
    [
      'systemd driver, version 2, seen from another container',
      `0::/../../kubepods-burstable-pod${UNDERSCORED}.slice/crio-0a1b.scope`,
    ],
    ['cgroupfs driver', `4:memory:/kubepods/burstable/pod${UID}/0a1b2c`],
    ['guaranteed pod', `0::/kubepods.slice/kubepods-pod${UNDERSCORED}.slice/cri-containerd-0a1b.scope`],
    ['upper case', `0::/kubepods/pod${UID.toUpperCase()}/x`],
  ];
  for (const [what, line] of lines) {
    it(`is found: ${what}`, () => assert.deepEqual(podsOf(`12:cpu:/\n${line}\n1:pids:/x\n`), [UID]));
  }

  it('a longer word is none, and neither are other processes', () => {
    assert.deepEqual(podsOf(`0::/kubepods/pod${UID}a/x`), []);
    assert.deepEqual(podsOf('0::/system.slice/podman.service'), []);
    assert.deepEqual(podsOf(`0::/kubepods/pod${UID.replace('-', '_')}/x`), [], 'dashes and underscores mixed');
    assert.deepEqual(podsOf(''), []);
  });

  it('several are all named: nodes in containers have pods around them', () => {
    const outer = UID.replace('6f', '7a');
    assert.deepEqual(podsOf(`0::/kubepods/pod${outer}/0a/kubelet/kubepods/pod${UID}/0b`), [outer, UID]);
  });

  it('settings may name it in any spelling, and nothing else', () => {
    for (const text of [UID, UID.toUpperCase(), UNDERSCORED]) assert.equal(canonicalPodUid(text), UID);
    assert.equal(canonicalPodUid('0123456789abcdef0123456789abcdef'), '0123456789abcdef0123456789abcdef');
    for (const text of ['', 'pod', '..', `${UID}/..`, `${UID}0`, ` ${UID}`, `x${UID}`, '*']) {
      assert.equal(canonicalPodUid(text), undefined, text);
    }
  });
});
