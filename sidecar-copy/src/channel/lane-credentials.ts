import {
  ChannelError,
  type ClientCredentials,
  CredentialStore,
  certificateLifetime,
  formatSocketAddress,
  obtainCredentials,
  type ProgramLog,
  type SocketAddress,
} from '@trafficcopy/runtime';
import type { CopyConfig } from '../config.js';

export type LaneCredentialsConfig = Pick<CopyConfig, 'lanes' | 'insecure' | 'joinToken' | 'stateDirectory' | 'name'>;

/** How a copy proves who it is: one certificate for each intercept, kept in the state directory, at first got by joining. */
export class LaneCredentials {
  private readonly config: LaneCredentialsConfig;
  private readonly logger: ProgramLog['logger'];
  private readonly stores: readonly CredentialStore[];

  constructor(config: LaneCredentialsConfig, logger: ProgramLog['logger']) {
    this.config = config;
    this.logger = logger;
    this.stores = config.lanes.map(({ host, port }) => new CredentialStore(config.stateDirectory, host, port));
  }

  /**
   * Looks for what every lane needs, without the network.
   * @throws ChannelError ERR_CHANNEL_TOKEN: a lane has neither a certificate nor a token. StateError: a file is damaged.
   */
  async check(): Promise<void> {
    if (this.config.insecure || this.config.joinToken !== undefined) return;
    for (const intercept of this.config.lanes) await this.get(intercept);
  }

  /** @throws ChannelError: joining failed; it may be tried again unless it is final. StateError. */
  async get({ host, port }: SocketAddress): Promise<ClientCredentials | 'insecure'> {
    const { lanes, insecure, joinToken, name } = this.config;
    if (insecure) return 'insecure';
    const store = this.storeOf({ host, port });
    // A token is one intercept's. Of several, it is for those that have no certificate yet.
    const stored = lanes.length > 1 ? await store.load() : undefined;
    if (stored !== undefined && certificateLifetime(stored.certificate).notAfterMs > Date.now()) return stored;
    try {
      return await obtainCredentials({ host, port, token: joinToken, name, store });
    } catch (error) {
      throw this.explain(error, host);
    }
  }

  private explain(error: unknown, host: string): unknown {
    if (!(error instanceof ChannelError)) return error;
    const isMissing = error.code === 'ERR_CHANNEL_TOKEN' && this.config.joinToken === undefined;
    const isForOther = error.code === 'ERR_CHANNEL_PIN' && this.config.lanes.length > 1;
    if (!isMissing && !isForOther) return error;
    const advice = isMissing
      ? `run "trafficcopy intercept --new-token" on ${host}: it prints the command to run here (or use --insecure on both sides)`
      : 'a token is for one intercept: join each of several by a start of its own, with only that one in -s';
    return new ChannelError(error.code, `${error.message}; ${advice}`, { refusal: error.refusal, cause: error });
  }

  /** Keeps renewed credentials for the next start. */
  keep(address: SocketAddress, credentials: ClientCredentials): void {
    const intercept = formatSocketAddress(address);
    const store = this.storeOf(address);
    store.save(credentials).then(
      () => this.logger.info({ intercept }, 'certificate renewed'),
      (error: unknown) =>
        this.logger.error({ intercept, err: error }, `renewed certificate not stored in ${store.file}`),
    );
  }

  private storeOf({ host, port }: SocketAddress): CredentialStore {
    return this.stores[this.config.lanes.findIndex((lane) => lane.host === host && lane.port === port)]!;
  }
}
