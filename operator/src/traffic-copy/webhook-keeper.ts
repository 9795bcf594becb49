import { FIELD_MANAGER } from '../api/index.js';
import { type KubeClient, WEBHOOKS } from '../kube/index.js';
import type { Contributions, WebhookWish } from './contributions.js';

export const WEBHOOK_NAME = 'trafficcopy';
/** One that somebody deleted or changed is as it should be again after this time. */
const APPLIED_MS_MAX = 60_000;

/** Keeps the MutatingWebhookConfiguration: it is there only while some TrafficCopy needs it. */
export class WebhookKeeper {
  readonly #client: KubeClient;
  readonly #contributions: Contributions;
  readonly #build: (wishes: readonly WebhookWish[]) => object | undefined;
  readonly #now: () => number;
  /** What was last made to stand there; undefined: not known. */
  #applied: { readonly text: string; readonly atMs: number } | undefined;

  /** @param build the object for at least one wish */
  constructor(
    client: KubeClient,
    contributions: Contributions,
    build: (wishes: readonly WebhookWish[]) => object | undefined,
    now: () => number,
  ) {
    this.#client = client;
    this.#contributions = contributions;
    this.#build = build;
    this.#now = now;
  }

  /** @returns when to look again though nothing has changed; undefined: never */
  async keep(): Promise<number | undefined> {
    const wishes = this.#contributions.webhooks();
    const body = wishes.length === 0 ? undefined : this.#build(wishes);
    const text = body === undefined ? '' : JSON.stringify(body);
    if (!this.#isApplied(text)) {
      if (body === undefined) await this.#client.delete(WEBHOOKS, { name: WEBHOOK_NAME });
      else await this.#client.apply(WEBHOOKS, { name: WEBHOOK_NAME }, body, FIELD_MANAGER);
      this.#applied = { text, atMs: this.#now() };
    }
    return body === undefined ? undefined : APPLIED_MS_MAX;
  }

  /** Nobody makes one when there is to be none. */
  #isApplied(text: string): boolean {
    if (this.#applied?.text !== text) return false;
    return text === '' || this.#now() - this.#applied.atMs < APPLIED_MS_MAX;
  }

  /** Somebody else may change it from now on. */
  forget(): void {
    this.#applied = undefined;
  }
}
