/**
 * One target pod: finds its network namespace, serves it, and leaves it as it was found.
 *
 * | state | what is in the namespace | goes on to |
 * |---|---|---|
 * | preparing | nothing, or a part | serving; failed; leaving when it is not wanted any more |
 * | serving | rules, settings, sockets | leaving when it is not wanted any more, or the pod has another namespace |
 * | leaving | less and less | the end, or preparing when it is wanted again; failed |
 * | failed | what could not be done or undone | the same again, after a while |
 *
 * Level-based: settings say what is wanted, one step at a time leads there, and a step that failed is tried again, with growing
 * delays, for ever.
 */
import { formatIpAddress, type InterceptPodReport, type InterceptPodSettings, parseIpAddress } from '@trafficcopy/core';
import { KernelNamespace } from '../rules/namespace-access.js';
import { RulesError } from '../rules/rules-error.js';
import type { TargetNamespace } from '../target-namespace.js';
import { readLocalAddresses } from '../targets/local-addresses.js';
import type { NetworkNamespace } from './network-namespace.js';
import type { ProcessScan } from './process-scan.js';
import type { Turnstile } from './turnstile.js';

/** How often a namespace that is served is looked at. */
const WATCH_MS = 1000;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 5000;
/** A pod without any process for so long has no namespace any more. Containers that start again take less. */
const MISSING_MS_MAX = 30_000;
/** Somebody else holds what we need: most likely the intercept before this one, which is about to end. */
const HELD_MS_MAX = 60_000;

export interface TargetPodOptions {
  /** As it stands in cgroups. */
  readonly uid: string;
  readonly procPath: string;
  readonly scan: ProcessScan;
  readonly turnstile: Turnstile;
  readonly nowMs: () => number;
  openNamespace(namespace: NetworkNamespace): Promise<TargetNamespace>;
  /** The state changed. */
  onChange(pod: TargetPod): void;
  /** It serves from now on. */
  onServing(pod: TargetPod): void;
  /** What it serves is about to end: the connections of copies to it are to be closed. */
  onLeaving(namespace: TargetNamespace): Promise<void>;
  /** It has ended: the last figures can be taken. */
  onLeft(namespace: TargetNamespace): void;
}

export class TargetPod {
  readonly uid: string;
  readonly #options: TargetPodOptions;
  #settings: InterceptPodSettings | undefined;
  #state: InterceptPodReport['state'] = 'preparing';
  #message = '';
  #handle: NetworkNamespace | undefined;
  #namespace: TargetNamespace | undefined;
  #pid = 0;
  #missingSinceMs: number | undefined;
  #heldSinceMs: number | undefined;
  #retries = 0;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #isWoken = false;
  #isAbandoned = false;

  constructor(options: TargetPodOptions) {
    this.uid = options.uid;
    this.#options = options;
  }

  /** What it should be; undefined: not served any more. */
  get settings(): InterceptPodSettings | undefined {
    return this.#settings;
  }

  /** The namespace while it is served. */
  get serving(): TargetNamespace | undefined {
    return this.#state === 'serving' ? this.#namespace : undefined;
  }

  /** The namespace while anything of ours is in it. */
  get namespace(): TargetNamespace | undefined {
    return this.#namespace;
  }

  /** Inode of the namespace that is worked in. */
  get inode(): string | undefined {
    return this.#handle?.inode;
  }

  /** Nothing is wanted of it, and nothing is left of it. */
  get isOver(): boolean {
    return this.#settings === undefined && this.#running === undefined;
  }

  report(): InterceptPodReport {
    return { uid: this.uid, state: this.#state, message: this.#message };
  }

  /** Takes over what is wanted; the rest happens by itself. */
  want(settings: InterceptPodSettings | undefined): void {
    this.#settings = settings;
    this.#running ??= this.#runToEnd();
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Resolves when nothing is going on any more: not before it is not wanted. */
  async over(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Closes the sockets and gives up, whatever is left in the namespace: the journal tells the next intercept. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#wake?.();
    this.#namespace?.release();
    this.#handle?.close();
  }

  async #runToEnd(): Promise<void> {
    do await this.#run();
    while (this.#settings !== undefined && !this.#isAbandoned);
    this.#running = undefined;
    this.#options.onChange(this);
  }

  async #run(): Promise<void> {
    for (;;) {
      this.#isWoken = false;
      const waitMs = await this.#attempt();
      if (waitMs === undefined || this.#isAbandoned) return;
      if (!this.#isWoken) await this.#sleep(waitMs);
    }
  }

  /** One step; how long until the next one, undefined when there is none. */
  async #attempt(): Promise<number | undefined> {
    try {
      const waitMs = await this.#step();
      if (this.#state === 'serving') this.#retries = 0;
      return waitMs;
    } catch (error) {
      return this.#failed(error as Error);
    }
  }

  async #step(): Promise<number | undefined> {
    if (this.#settings === undefined) {
      await this.#leave('');
      return this.#settings === undefined ? undefined : 0;
    }
    if (this.#namespace === undefined) return this.#prepare(this.#settings);
    return this.#watch(this.#settings);
  }

  /** Is it still the namespace of the pod? */
  async #watch(settings: InterceptPodSettings): Promise<number> {
    const { scan, nowMs } = this.#options;
    const inode = this.#handle!.inode;
    if (scan.isIn(this.#pid, this.uid, inode)) {
      this.#missingSinceMs = undefined;
      return WATCH_MS;
    }
    const namespaces = (await scan.run()).byPod.get(this.uid) ?? new Map<string, number>();
    const pid = namespaces.get(inode);
    if (pid !== undefined) {
      this.#pid = pid;
      return WATCH_MS;
    }
    this.#missingSinceMs ??= nowMs();
    if (namespaces.size === 0 && nowMs() - this.#missingSinceMs < MISSING_MS_MAX) return WATCH_MS;
    await this.#leave(`${settings.name} has another network namespace, or none`);
    return 0;
  }

  async #prepare(settings: InterceptPodSettings): Promise<number> {
    this.#become('preparing', this.#message);
    const found = await this.#find(settings);
    if (typeof found === 'string') {
      this.#become('preparing', found);
      return this.#retryMs();
    }
    this.#handle = found;
    try {
      this.#namespace = await this.#options.turnstile.pass(() => this.#options.openNamespace(found));
    } catch (error) {
      this.#handle = undefined;
      found.close();
      throw error;
    }
    this.#missingSinceMs = undefined;
    this.#heldSinceMs = undefined;
    this.#become('serving', '');
    if (this.#settings !== undefined) this.#options.onServing(this);
    return WATCH_MS;
  }

  /** The namespace that has an address of the pod, held open; or why there is none, for a person. */
  async #find(settings: InterceptPodSettings): Promise<NetworkNamespace | string> {
    const { scan } = this.#options;
    const addresses = settings.addresses.flatMap((text) => parseIpAddress(text) ?? []).map((it) => formatIpAddress(it));
    if (addresses.length === 0) return 'the pod has no address yet';
    const namespaces = (await scan.run()).byPod.get(this.uid);
    if (namespaces === undefined) return 'no process of the pod is found on this node';
    for (const pid of namespaces.values()) {
      const namespace = scan.open(pid, this.uid);
      if (namespace === undefined) continue;
      if (namespace.inode === scan.nodeNamespace()) {
        namespace.close();
        return 'the pod uses the network of its node (hostNetwork): such pods are no targets';
      }
      if (await this.#hasAddress(namespace, addresses)) {
        this.#pid = pid;
        return namespace;
      }
      namespace.close();
    }
    return `no network namespace of the pod has an address of it (${addresses.join(', ')})`;
  }

  async #hasAddress(namespace: NetworkNamespace, addresses: readonly string[]): Promise<boolean> {
    const local = await readLocalAddresses(new KernelNamespace(namespace.path, this.#options.procPath));
    return local.some((address) => addresses.includes(address));
  }

  async #leave(message: string): Promise<void> {
    const namespace = this.#namespace;
    if (namespace === undefined) return;
    this.#become('leaving', message);
    await this.#options.onLeaving(namespace);
    await this.#options.turnstile.pass(() => namespace.leave());
    this.#options.onLeft(namespace);
    this.#namespace = undefined;
    this.#handle?.close();
    this.#handle = undefined;
    this.#missingSinceMs = undefined;
  }

  #failed(error: Error): number {
    const { nowMs } = this.#options;
    const isHeld = error instanceof RulesError && error.code === 'ERR_RULES_CONFLICT';
    if (isHeld && this.#namespace === undefined) {
      this.#heldSinceMs ??= nowMs();
      this.#become(nowMs() - this.#heldSinceMs < HELD_MS_MAX ? 'preparing' : 'failed', `waits: ${error.message}`);
      return RETRY_MS_MIN;
    }
    this.#become('failed', error.message);
    return this.#retryMs();
  }

  #retryMs(): number {
    const waitMs = Math.min(RETRY_MS_MIN * 2 ** this.#retries, RETRY_MS_MAX);
    this.#retries += 1;
    return waitMs;
  }

  #become(state: InterceptPodReport['state'], message: string): void {
    if (state === this.#state && message === this.#message) return;
    this.#state = state;
    this.#message = message;
    this.#options.onChange(this);
  }

  async #sleep(waitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}
