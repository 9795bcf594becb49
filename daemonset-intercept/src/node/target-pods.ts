/** The target pods of a node: settings in, states out. */
import type { InterceptPodReport, InterceptPodSettings, InterceptSettings } from '@trafficcopy/core';
import { formatIpAddress, parseIpAddress } from '@trafficcopy/core';
import { canonicalPodUid } from './process-scan.js';
import type { TargetPod } from './target-pod.js';

/** More than a kubelet runs by default (110). Each takes about a third of a megabyte, and two or three file descriptors. */
export const TARGET_PODS_MAX = 128;
/** Pods that cannot be served and are reported as such; of more of them only some are named. */
const REFUSED_MAX = 256;

export class TargetPods {
  readonly #create: (uid: string) => TargetPod;
  readonly #pods = new Map<string, TargetPod>();
  #refused: readonly InterceptPodReport[] = [];

  constructor(create: (uid: string) => TargetPod) {
    this.#create = create;
  }

  all(): TargetPod[] {
    return [...this.#pods.values()];
  }

  get(uid: string): TargetPod | undefined {
    return this.#pods.get(uid);
  }

  /** The pod that has the address: one that serves it, else one that is to. */
  at(address: string): TargetPod | undefined {
    const bytes = parseIpAddress(address);
    if (bytes === undefined) return undefined;
    const text = formatIpAddress(bytes);
    const named = this.all().filter((pod) => pod.settings?.addresses.some((one) => canonical(one) === text) === true);
    return named.find((pod) => pod.serving?.localAddresses.has(text) === true) ?? named[0];
  }

  /** Takes over the settings: pods that they do not name are left. */
  want(settings: Pick<InterceptSettings, 'pods'>): void {
    const refused: InterceptPodReport[] = [];
    const wanted = new Map<string, InterceptPodSettings>();
    for (const pod of settings.pods) {
      const uid = canonicalPodUid(pod.uid);
      const known = uid === undefined ? undefined : wanted.get(uid);
      if (uid === undefined) refused.push(refusal(pod, `"${pod.uid}" is no UID of a pod`));
      else if (known !== undefined) wanted.set(uid, merged(known, pod));
      else if (wanted.size < TARGET_PODS_MAX) wanted.set(uid, pod);
      else refused.push(refusal(pod, `at most ${TARGET_PODS_MAX} target pods are served on a node`));
    }
    this.#refused = refused.slice(0, REFUSED_MAX);
    for (const [uid, pod] of this.#pods) if (!wanted.has(uid)) pod.want(undefined);
    for (const [uid, podSettings] of wanted) this.#obtain(uid).want(podSettings);
  }

  /** Forgets pods of which nothing is left. */
  sweep(): void {
    for (const [uid, pod] of this.#pods) if (pod.isOver) this.#pods.delete(uid);
  }

  reports(): InterceptPodReport[] {
    // What holds something comes first: a report is cut at its end.
    return [...this.all().map((pod) => pod.report()), ...this.#refused];
  }

  #obtain(uid: string): TargetPod {
    const known = this.#pods.get(uid);
    if (known !== undefined) return known;
    const pod = this.#create(uid);
    this.#pods.set(uid, pod);
    return pod;
  }
}

/** A pod that is named twice has the grants of both. */
function merged(one: InterceptPodSettings, other: InterceptPodSettings): InterceptPodSettings {
  return {
    ...one,
    addresses: [...new Set([...one.addresses, ...other.addresses])],
    grants: [...one.grants, ...other.grants],
  };
}

function refusal(pod: InterceptPodSettings, message: string): InterceptPodReport {
  return { uid: pod.uid, state: 'failed', message };
}

function canonical(text: string): string | undefined {
  const address = parseIpAddress(text);
  return address === undefined ? undefined : formatIpAddress(address);
}
