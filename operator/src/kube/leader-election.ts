import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from './kube-client.js';
import { KubeConflictError, KubeNotFoundError } from './kube-error.js';
import { textAt, valueAt } from './kube-object.js';
import { LEASES } from './kube-resource.js';

/** What a replica is at the moment. */
export type Leadership =
  | { readonly role: 'leader' }
  /** `leader`: its identity; undefined: nobody leads at the moment. */
  | { readonly role: 'follower'; readonly leader: string | undefined };

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Of this replica, unique. */
  readonly identity: string;
  /** At every change. Must not throw. */
  readonly onChange: (leadership: Leadership) => void;
  readonly onProblem: (error: Error) => void;
  /** ms since the epoch. */
  readonly now?: (() => number) | undefined;
}

/** A leader that has not renewed for so long may be replaced. */
export const LEASE_MS = 10_000;
/** A leader that could not renew for so long stops by itself, well before that. */
const RENEW_DEADLINE_MS = 7000;
const RETRY_MS = 2000;
/** Reading and writing that hang must not outlast the deadline. */
const CALL_MS_MAX = RENEW_DEADLINE_MS / 2;

/**
 * One of several replicas leads: the one whose name stands in the Lease, as long as it renews it. Clocks are not compared: a follower measures by its own how long the
 * Lease has not changed.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #now: () => number;
  readonly #stop = new AbortController();
  #leadership: Leadership = { role: 'follower', leader: undefined };
  #running: Promise<void> | undefined;
  /** The Lease as it was seen last, and when a change of it was seen. */
  #seen = '';
  #seenAtMs = 0;
  #renewedAtMs = 0;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  get leadership(): Leadership {
    return this.#leadership;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives the Lease back, so that another replica leads at once. Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#leadership.role !== 'leader') return;
    try {
      const lease = await this.#read();
      if (lease !== undefined && holderOf(lease) === this.#options.identity) await this.#write(lease, '');
    } catch (error) {
      this.#options.onProblem(error as Error);
    }
    this.#become({ role: 'follower', leader: undefined });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#step();
      } catch (error) {
        // Two that try at once: the other was first.
        if (!(error instanceof KubeConflictError)) this.#options.onProblem(error as Error);
        if (this.#leadership.role === 'leader' && this.#now() - this.#renewedAtMs > RENEW_DEADLINE_MS) {
          this.#become({ role: 'follower', leader: undefined });
        }
      }
      await sleep(RETRY_MS * (0.8 + 0.2 * Math.random()), undefined, { signal }).catch(() => {});
    }
  }

  async #step(): Promise<void> {
    const { identity } = this.#options;
    const startedAtMs = this.#now();
    const lease = await this.#read();
    const holder = lease === undefined ? '' : holderOf(lease);
    if (holder !== '' && holder !== identity && !this.#hasEnded(lease)) {
      this.#become({ role: 'follower', leader: holder });
      return;
    }
    await this.#write(lease, identity);
    this.#renewedAtMs = startedAtMs;
    this.#become({ role: 'leader' });
  }

  #hasEnded(lease: unknown): boolean {
    const seen = JSON.stringify(valueAt(lease, 'spec'));
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#seenAtMs = this.#now();
    }
    return this.#now() - this.#seenAtMs > LEASE_MS;
  }

  async #read(): Promise<unknown> {
    const { client, namespace, name } = this.#options;
    return await client.get(LEASES, { namespace, name }, AbortSignal.timeout(CALL_MS_MAX)).catch((error: unknown) => {
      if (error instanceof KubeNotFoundError) return undefined;
      throw error;
    });
  }

  /** @param before as it was read: a change by another meanwhile is a conflict. */
  async #write(before: unknown, holderIdentity: string): Promise<void> {
    const { client, namespace, name } = this.#options;
    const time = microTime(this.#now());
    const isNew = holderOf(before) !== holderIdentity;
    const transitions = Number(valueAt(before, 'spec', 'leaseTransitions') ?? 0);
    const spec = {
      holderIdentity,
      leaseDurationSeconds: LEASE_MS / 1000,
      renewTime: time,
      acquireTime: isNew ? time : (textAt(before, 'spec', 'acquireTime') ?? time),
      leaseTransitions: isNew ? transitions + 1 : transitions,
    };
    const base = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' };
    const signal = AbortSignal.timeout(CALL_MS_MAX);
    if (before === undefined) {
      await client.create(LEASES, namespace, { ...base, metadata: { name, namespace }, spec }, signal);
      return;
    }
    const resourceVersion = textAt(before, 'metadata', 'resourceVersion');
    const metadata = { name, namespace, resourceVersion };
    await client.update(LEASES, { namespace, name }, { ...base, metadata, spec }, signal);
  }

  #become(next: Leadership): void {
    const before = this.#leadership;
    if (JSON.stringify(before) === JSON.stringify(next)) return;
    this.#leadership = next;
    this.#options.onChange(next);
  }
}

function holderOf(lease: unknown): string {
  return textAt(lease, 'spec', 'holderIdentity') ?? '';
}

/** metav1.MicroTime. */
function microTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace('Z', '000Z');
}
