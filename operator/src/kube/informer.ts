import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from './kube-client.js';
import { KubeExpiredError, KubeUnavailableError } from './kube-error.js';
import { readKubeObject, textAt } from './kube-object.js';
import type { KubeResource } from './kube-resource.js';
import { retryDelayMs } from './retry-delay.js';
import type { WatchEvent } from './watch-stream.js';

/** What an informer keeps of an object: little, as there may be thousands. */
export interface InformerItem {
  /** Undefined: not namespaced. */
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string;
}

export interface InformerOptions<Item extends InformerItem> {
  readonly client: KubeClient;
  readonly resource: KubeResource;
  /** Keeps what is needed of an object; undefined: nothing of it. */
  readonly read: (object: unknown) => Item | undefined;
  /** After every change of what is kept. `now` undefined: gone; `before` undefined: new. Must not throw. */
  readonly onChange: (now: Item | undefined, before: Item | undefined) => void;
  /** Something failed that will be tried again. */
  readonly onProblem: (error: Error) => void;
}

/** A page of pods is some hundred kilobytes of text; bigger ones would stay as garbage in a heap that is to be small. */
const PAGE_ITEMS = 100;
/** The API server ends a watch after 5 to 10 minutes, so that replicas of it get even shares. */
const WATCH_SECONDS_MIN = 300;
const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 5000;

/**
 * A copy of all objects of a kind that follows the API server: it lists once, then watches from there, and resumes where a watch ended. Only when that
 * place is no longer known does it list anew; what has vanished meanwhile is told as gone.
 */
export class Informer<Item extends InformerItem> {
  readonly #options: InformerOptions<Item>;
  readonly #items = new Map<string, Item>();
  readonly #stop = new AbortController();
  readonly #synced: Promise<void>;
  #resolveSynced: () => void = () => {};
  #resourceVersion = '';
  #isSynced = false;
  #isConnected = false;
  #attempt = 0;
  #running: Promise<void> | undefined;

  constructor(options: InformerOptions<Item>) {
    this.#options = options;
    this.#synced = new Promise((resolve) => {
      this.#resolveSynced = resolve;
    });
  }

  /** Resolves when everything that was there at the start is known. */
  get synced(): Promise<void> {
    return this.#synced;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Whether changes arrive at the moment. */
  get isConnected(): boolean {
    return this.#isConnected;
  }

  get size(): number {
    return this.#items.size;
  }

  get(namespace: string | undefined, name: string): Item | undefined {
    return this.#items.get(keyOf(namespace, name));
  }

  items(): IterableIterator<Item> {
    return this.#items.values();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === '') await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (!signal.aborted) await this.#recover(error as Error);
      }
      this.#isConnected = false;
    }
  }

  /** Waits, longer with every failure in a row. */
  async #recover(error: Error): Promise<void> {
    this.#isConnected = false;
    if (error instanceof KubeExpiredError) this.#resourceVersion = '';
    this.#options.onProblem(error);
    const wishMs = error instanceof KubeUnavailableError ? (error.retryAfterMs ?? 0) : 0;
    const delayMs = Math.max(wishMs, retryDelayMs(this.#attempt, RETRY_MS_MIN, RETRY_MS_MAX, Math.random()));
    this.#attempt += 1;
    await sleep(delayMs, undefined, { signal: this.#stop.signal }).catch(() => {});
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, read } = this.#options;
    const seen = new Set<string>();
    let next: string | undefined;
    let resourceVersion = '';
    do {
      const page = await client.list(resource, { limit: PAGE_ITEMS, next }, signal);
      for (const object of page.items) {
        const item = read(object);
        if (item === undefined) continue;
        seen.add(keyOf(item.namespace, item.name));
        this.#put(item);
      }
      resourceVersion = page.resourceVersion;
      next = page.next;
    } while (next !== undefined);
    for (const [key, item] of this.#items) {
      if (!seen.has(key)) this.#remove(item.namespace, item.name);
    }
    this.#resourceVersion = resourceVersion;
    this.#isSynced = true;
    this.#resolveSynced();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource } = this.#options;
    const timeoutSeconds = WATCH_SECONDS_MIN + Math.floor(Math.random() * WATCH_SECONDS_MIN);
    const watch = { resourceVersion: this.#resourceVersion, timeoutSeconds, signal };
    this.#isConnected = true;
    for await (const events of client.watch(resource, watch)) {
      for (const event of events) this.#take(event);
      this.#attempt = 0;
    }
  }

  #take({ type, object }: WatchEvent): void {
    this.#resourceVersion = textAt(object, 'metadata', 'resourceVersion') ?? this.#resourceVersion;
    if (type === 'BOOKMARK') return;
    const metadata = readKubeObject(object)?.metadata;
    const item = type === 'DELETED' ? undefined : this.#options.read(object);
    if (item !== undefined) this.#put(item);
    else if (metadata !== undefined) this.#remove(metadata.namespace, metadata.name);
  }

  #put(item: Item): void {
    const key = keyOf(item.namespace, item.name);
    const before = this.#items.get(key);
    this.#items.set(key, item);
    // Much of what changes in an object is not kept.
    if (before === undefined || JSON.stringify(before) !== JSON.stringify(item)) this.#options.onChange(item, before);
  }

  #remove(namespace: string | undefined, name: string): void {
    const key = keyOf(namespace, name);
    const before = this.#items.get(key);
    if (before === undefined) return;
    this.#items.delete(key);
    this.#options.onChange(undefined, before);
  }
}

function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
