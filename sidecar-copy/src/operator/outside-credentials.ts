import {
  ChannelError,
  type ClientCredentials,
  formatSocketAddress,
  MemoryCredentialStore,
  obtainCredentials,
} from '@trafficcopy/runtime';
import type { LanePlan } from '../copy-plan.js';

type LaneAddress = Pick<LanePlan, 'host' | 'port' | 'tokenVariable'>;

export interface OutsideCredentialsOptions {
  /** Tokens by the variable that they stand in. */
  readonly tokens: { readonly [variable: string]: string };
  /** What we would like to be called. */
  readonly name: string;
}

/** Intercepts that are remembered; the one that was added first makes room. There are no more than eight at a time. */
const STORES_MAX = 32;

/**
 * How a copy in a cluster proves who it is to an intercept outside, which is an authority of its own: the copy joins with the token from
 * its environment. What it gets is kept in memory, so every process joins anew, and the tokens have to be reusable ones.
 */
export class OutsideCredentials {
  private readonly options: OutsideCredentialsOptions;
  private readonly stores = new Map<string, MemoryCredentialStore>();
  /** Lanes of one intercept share one certificate: who comes while it is got waits for it. */
  private readonly pending = new Map<string, Promise<ClientCredentials>>();

  constructor(options: OutsideCredentialsOptions) {
    this.options = options;
  }

  /** @throws ChannelError: there is no token, or joining failed; it may be tried again */
  async get(lane: LaneAddress): Promise<ClientCredentials> {
    const key = keyOf(lane);
    const known = this.pending.get(key);
    if (known !== undefined) return await known;
    const obtained = this.obtain(lane).finally(() => this.pending.delete(key));
    this.pending.set(key, obtained);
    return await obtained;
  }

  private async obtain(lane: LaneAddress): Promise<ClientCredentials> {
    const { host, port, tokenVariable = '' } = lane;
    const token = this.options.tokens[tokenVariable];
    if (token === undefined || token === '') {
      const message = `no token for the intercept ${formatSocketAddress(lane)}: ${tokenVariable} is empty, as the Secret or its key was not there when this container started`;
      throw new ChannelError('ERR_CHANNEL_TOKEN', message);
    }
    return await obtainCredentials({ host, port, token, name: this.options.name, store: this.storeOf(lane) });
  }

  /** The intercept renewed them. */
  keep(lane: LaneAddress, credentials: ClientCredentials): void {
    void this.storeOf(lane).save(credentials);
  }

  private storeOf(lane: LaneAddress): MemoryCredentialStore {
    const key = keyOf(lane);
    const store = this.stores.get(key) ?? new MemoryCredentialStore();
    this.stores.set(key, store);
    const [oldest] = this.stores.keys();
    if (this.stores.size > STORES_MAX && oldest !== undefined) this.stores.delete(oldest);
    return store;
  }
}

function keyOf({ host, port, tokenVariable = '' }: LaneAddress): string {
  return `${formatSocketAddress({ host, port })} ${tokenVariable}`;
}
