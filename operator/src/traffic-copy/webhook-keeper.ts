import { FIELD_MANAGER } from '../api/index.js';
import { type KubeClient, WEBHOOKS } from '../kube/index.js';
import type { Contributions, WebhookWish } from './contributions.js';

export const WEBHOOK_NAME = 'trafficcopy';

/** Keeps the MutatingWebhookConfiguration: it is there only while some TrafficCopy needs it. */
export class WebhookKeeper {
  readonly #client: KubeClient;
  readonly #contributions: Contributions;
  readonly #build: (wishes: readonly WebhookWish[]) => object | undefined;
  /** What stands there; undefined: not known. */
  #applied: string | undefined;

  /** @param build the object for at least one wish */
  constructor(
    client: KubeClient,
    contributions: Contributions,
    build: (wishes: readonly WebhookWish[]) => object | undefined,
  ) {
    this.#client = client;
    this.#contributions = contributions;
    this.#build = build;
  }

  async keep(): Promise<void> {
    const wishes = this.#contributions.webhooks();
    const body = wishes.length === 0 ? undefined : this.#build(wishes);
    const text = body === undefined ? '' : JSON.stringify(body);
    if (text === this.#applied) return;
    if (body === undefined) await this.#client.delete(WEBHOOKS, { name: WEBHOOK_NAME });
    else await this.#client.apply(WEBHOOKS, { name: WEBHOOK_NAME }, body, FIELD_MANAGER);
    this.#applied = text;
  }

  /** Somebody else may change it from now on. */
  forget(): void {
    this.#applied = undefined;
  }
}
