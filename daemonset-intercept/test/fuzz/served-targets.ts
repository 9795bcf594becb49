/** `--target`, and UIDs in cgroups of foreign processes: refused, or read as what they say. */
import assert from 'node:assert/strict';
import { formatIpAddress } from '@trafficcopy/core';
import type { FuzzTarget } from '@trafficcopy/fuzz';
import { ValueProblem } from '@trafficcopy/runtime';
import { type ServedTarget, targetValue } from '../../src/config/target-value.js';
import { canonicalPodUid, podsOf } from '../../src/node/process-scan.js';

const CGROUP = '0::/kubepods.slice/kubepods-pod0b6f8f1e_5f0c_4f5e_9d4b_6a1c1b2d3e4f.slice/cri-containerd-12.scope';
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function textOf({ address, port }: ServedTarget): string {
  const host = address === undefined ? '' : formatIpAddress(address);
  if (port === undefined) return host;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function read(text: string): ServedTarget | undefined {
  try {
    return targetValue.parse(text);
  } catch (error) {
    assert.ok(error instanceof ValueProblem, `${String(error)} for ${JSON.stringify(text)}`);
    return undefined;
  }
}

const target: FuzzTarget = {
  seeds: ['8080', ':8080', '10.16.12.11:8080', '[fd00::11]:8080', 'fd00::11', CGROUP].map((text) =>
    encoder.encode(text),
  ),
  words: [':', '[', ']', '::', '65536', '0', 'pod', '0b6f8f1e-5f0c-4f5e-9d4b-6a1c1b2d3e4f', '_', '-'],
  bytesMax: 400,
  run: (input) => {
    const text = decoder.decode(input);
    const served = read(text);
    if (served !== undefined && (served.address ?? served.port) !== undefined) {
      assert.deepEqual(targetValue.parse(textOf(served)), served, JSON.stringify(text));
    }
    const pods = podsOf(text);
    for (const pod of pods) assert.ok(/^[0-9a-f-]{32,36}$/.test(pod) && canonicalPodUid(pod) === pod);
    return (served === undefined ? 0 : 1 + (served.address?.length ?? 0)) + pods.length * 64;
  },
};
export default target;
