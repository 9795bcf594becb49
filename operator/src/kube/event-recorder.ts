import { createHash } from 'node:crypto';
import type { KubeClient } from './kube-client.js';
import { KubeConflictError, KubeNotFoundError } from './kube-error.js';
import { EVENTS, type KubeResource } from './kube-resource.js';

/** Something that users find with `kubectl describe`. */
export interface KubeEvent {
  readonly about: {
    readonly resource: KubeResource;
    readonly namespace: string;
    readonly name: string;
    readonly uid: string;
  };
  readonly type: 'Normal' | 'Warning';
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Name of this replica. */
  readonly instance: string;
  readonly onProblem: (error: Error) => void;
  readonly now?: (() => number) | undefined;
}

interface Series {
  readonly name: string;
  readonly firstTimestamp: string;
  count: number;
  lastAtMs: number;
}

const MESSAGE_LENGTH_MAX = 1000;
/** The same event again within this time counts up the first one. */
const SERIES_MS = 10 * 60_000;
/** And no more often than this. */
const REPEAT_MS_MIN = 60_000;
const SERIES_MAX = 1024;
/** Events that may be under way; more are dropped: they are a courtesy. */
const PENDING_MAX = 64;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #series = new Map<string, Series>();
  #pending = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Never throws, and waits for nothing. */
  record(event: KubeEvent): void {
    if (this.#pending >= PENDING_MAX) return;
    this.#pending += 1;
    this.#write(event)
      .catch((error: Error) => this.#options.onProblem(error))
      .finally(() => {
        this.#pending -= 1;
      });
  }

  async #write(event: KubeEvent): Promise<void> {
    const nowMs = (this.#options.now ?? Date.now)();
    const key = JSON.stringify([event.about.uid, event.type, event.reason, event.message]);
    const series = this.#series.get(key);
    if (series !== undefined && nowMs - series.lastAtMs < SERIES_MS) {
      if (nowMs - series.lastAtMs < REPEAT_MS_MIN) return;
      series.count += 1;
      series.lastAtMs = nowMs;
      const body = { count: series.count, lastTimestamp: timestamp(nowMs) };
      const name = { namespace: event.about.namespace, name: series.name };
      await this.#options.client.patch(EVENTS, name, body, 'merge').catch(ignoreGone);
      return;
    }
    this.#remember(key, event, nowMs);
    await this.#create(event, this.#series.get(key)!.name, nowMs);
  }

  #remember(key: string, event: KubeEvent, nowMs: number): void {
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 8);
    const name = `${event.about.name.slice(0, 200)}.${hash}${nowMs.toString(36)}`;
    this.#series.delete(key);
    this.#series.set(key, { name, firstTimestamp: timestamp(nowMs), count: 1, lastAtMs: nowMs });
    for (const oldest of this.#series.keys()) {
      if (this.#series.size <= SERIES_MAX) break;
      this.#series.delete(oldest);
    }
  }

  async #create({ about, type, reason, message }: KubeEvent, name: string, nowMs: number): Promise<void> {
    const { resource, namespace } = about;
    const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
    const time = timestamp(nowMs);
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: { apiVersion, kind: resource.kind, namespace, name: about.name, uid: about.uid },
      type,
      reason,
      message: message.slice(0, MESSAGE_LENGTH_MAX),
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component: 'trafficcopy-operator' },
      reportingComponent: 'trafficcopy.dev/operator',
      reportingInstance: this.#options.instance,
    };
    await this.#options.client.create(EVENTS, namespace, body).catch(ignoreGone);
  }
}

/** The object's namespace may be going away, and events with it. */
function ignoreGone(error: unknown): void {
  if (!(error instanceof KubeNotFoundError || error instanceof KubeConflictError)) throw error;
}

function timestamp(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}
