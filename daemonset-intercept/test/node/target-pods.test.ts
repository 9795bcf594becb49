import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InterceptPodSettings } from '@trafficcopy/core';
import type { TargetPod } from '../../src/node/target-pod.js';
import { TARGET_PODS_MAX, TargetPods } from '../../src/node/target-pods.js';

/** Keeps what is wanted. */
class FakePod {
  readonly uid: string;
  settings: InterceptPodSettings | undefined;
  serving: { readonly localAddresses: ReadonlySet<string> } | undefined;

  constructor(uid: string) {
    this.uid = uid;
  }

  get isOver(): boolean {
    return this.settings === undefined;
  }

  want(settings: InterceptPodSettings | undefined): void {
    this.settings = settings;
  }

  report(): { uid: string; state: 'serving'; message: string } {
    return { uid: this.uid, state: 'serving', message: '' };
  }
}

const uidOf = (index: number): string => `6f0c8d2e-0b7a-4c1d-9e51-${index.toString(16).padStart(12, '0')}`;

function podSettings(index: number, changes: Partial<InterceptPodSettings> = {}): InterceptPodSettings {
  return { uid: uidOf(index), name: `shop/pod-${index}`, addresses: [`10.0.0.${index % 250}`], grants: [], ...changes };
}

function targetPods(): { readonly pods: TargetPods; readonly made: Map<string, FakePod> } {
  const made = new Map<string, FakePod>();
  const pods = new TargetPods((uid) => {
    made.set(uid, new FakePod(uid));
    return made.get(uid) as unknown as TargetPod;
  });
  return { pods, made };
}

describe('the target pods of a node', () => {
  it('follow the settings: pods come, stay and go', () => {
    const { pods, made } = targetPods();
    pods.want({ pods: [podSettings(1), podSettings(2)] });
    pods.want({ pods: [podSettings(2), podSettings(3)] });
    assert.equal(made.get(uidOf(1))!.settings, undefined);
    pods.sweep();
    assert.deepEqual(
      pods.all().map(({ uid }) => uid),
      [uidOf(2), uidOf(3)],
    );
    assert.equal(made.size, 3);
  });

  it('a pod that is named twice has the grants and addresses of both', () => {
    const { pods, made } = targetPods();
    const grant = { owner: 'shop/a', ports: [1], clientRanges: [] };
    const first = podSettings(1, { grants: [grant] });
    const second = podSettings(1, { grants: [{ ...grant, owner: 'shop/b' }], addresses: ['fd00::1'] });
    pods.want({ pods: [first, { ...second, uid: second.uid.toUpperCase() }] });
    const { settings } = made.get(uidOf(1))!;
    assert.deepEqual(
      settings!.grants.map(({ owner }) => owner),
      ['shop/a', 'shop/b'],
    );
    assert.deepEqual(settings!.addresses, ['10.0.0.1', 'fd00::1']);
  });

  it('10,000 pods: as many as fit are served, and of the others some are reported with the reason', () => {
    const { pods, made } = targetPods();
    pods.want({ pods: Array.from({ length: 10_000 }, (_, index) => podSettings(index)) });
    assert.equal(made.size, TARGET_PODS_MAX);
    const failed = pods.reports().filter(({ state }) => state === 'failed');
    assert.equal(failed.length, 256);
    assert.match(failed[0]!.message, /at most 128 target pods/);
    assert.ok(pods.reports().findIndex(({ state }) => state === 'failed') >= TARGET_PODS_MAX, 'these come last');
  });

  it('what is no UID is reported and never looked for', () => {
    const { pods, made } = targetPods();
    pods.want({ pods: [podSettings(1, { uid: '../1' })] });
    assert.equal(made.size, 0);
    assert.deepEqual(pods.reports(), [{ uid: '../1', state: 'failed', message: '"../1" is no UID of a pod' }]);
  });

  it('an address leads to the pod that really has it', () => {
    const { pods, made } = targetPods();
    const address = { addresses: ['10.0.0.9', 'FD00:0::9'] };
    pods.want({ pods: [podSettings(1, address), podSettings(2, address)] });
    assert.equal(pods.at('10.0.0.9')!.uid, uidOf(1));
    made.get(uidOf(2))!.serving = { localAddresses: new Set(['10.0.0.9', 'fd00::9']) };
    assert.equal(pods.at('10.0.0.9')!.uid, uidOf(2));
    assert.equal(pods.at('fd00::9')!.uid, uidOf(2));
    assert.equal(pods.at('10.0.0.10'), undefined);
    assert.equal(pods.at('no address'), undefined);
  });
});
