import type { InterceptPodSettings } from '@trafficcopy/core';
import type { LabelSelector } from '../api/index.js';

/** What one TrafficCopy wants of things that all of them share. */
export interface Contribution {
  readonly nodes: ReadonlyMap<string, readonly InterceptPodSettings[]>;
  readonly webhook: WebhookWish | undefined;
}

/** Pods that are created get a sidecar. */
export interface WebhookWish {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly selector: LabelSelector;
}

/** What changed for the others. */
export interface ContributionChange {
  readonly nodes: readonly string[];
  readonly webhook: boolean;
}

const NOTHING: Contribution = { nodes: new Map(), webhook: undefined };

/** What all TrafficCopies together want of nodes and of the webhook. */
export class Contributions {
  readonly #byUid = new Map<string, Contribution>();

  set(uid: string, next: Contribution): ContributionChange {
    const before = this.of(uid);
    if (next.nodes.size === 0 && next.webhook === undefined) this.#byUid.delete(uid);
    else this.#byUid.set(uid, next);
    const names = new Set([...before.nodes.keys(), ...next.nodes.keys()]);
    const nodes = [...names].filter((name) => !isSame(before.nodes.get(name), next.nodes.get(name)));
    return { nodes, webhook: !isSame(before.webhook, next.webhook) };
  }

  delete(uid: string): ContributionChange {
    return this.set(uid, NOTHING);
  }

  of(uid: string): Contribution {
    return this.#byUid.get(uid) ?? NOTHING;
  }

  uids(): string[] {
    return [...this.#byUid.keys()];
  }

  /** All target pods of the node, each with the grants of all TrafficCopies, in an order that does not change by itself. */
  podsOn(node: string): InterceptPodSettings[] {
    const pods = new Map<string, InterceptPodSettings>();
    for (const { nodes } of this.#byUid.values()) {
      for (const pod of nodes.get(node) ?? []) {
        const grants = [...(pods.get(pod.uid)?.grants ?? []), ...pod.grants];
        grants.sort((one, other) => (one.owner < other.owner ? -1 : 1));
        pods.set(pod.uid, { ...pod, grants });
      }
    }
    return [...pods.values()].sort((one, other) => (one.uid < other.uid ? -1 : 1));
  }

  webhooks(): WebhookWish[] {
    const wishes = [...this.#byUid.values()].flatMap(({ webhook }) => webhook ?? []);
    return wishes.sort((one, other) => (one.uid < other.uid ? -1 : 1));
  }

  /** Whether a TrafficCopy other than `uid` has a grant for the pod. */
  isGrantedByAnother(uid: string, podUid: string): boolean {
    for (const [owner, { nodes }] of this.#byUid) {
      if (owner === uid) continue;
      for (const pods of nodes.values()) if (pods.some((pod) => pod.uid === podUid)) return true;
    }
    return false;
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
