import type { Hello } from '@trafficcopy/core';
import { ChannelClient, type ChannelConnection, ChannelError, type ClientCredentials } from '@trafficcopy/runtime';
import type { ConnectPlan } from '../connect/connect-channel.js';
import type { LaneConnection } from './lane.js';
import type { WirePlan } from './wire-channel.js';

/** A channel that is up: what its lane uses of it, and who is at the other end. */
export type InterceptConnection = LaneConnection & {
  readonly peer: Pick<Hello, 'name' | 'capabilities'>;
  readonly identity: ChannelConnection['identity'];
};

export interface InterceptChannelOptions {
  readonly host: string;
  readonly port: number;
  readonly hello: Omit<Hello, 'version'>;
  /** Octets that may wait for intercept; beyond, frames are dropped whole and counted. */
  readonly queueBytesMax: number;
  /**
   * What to prove our identity with; joins intercept's authority where that is still to be done, so it may take a while and fail
   * with a ChannelError, which is tried again unless it is final.
   */
  readonly credentials: () => Promise<ClientCredentials | 'insecure'>;
  /** New credentials came: keep them. */
  readonly onRenewed: (credentials: ClientCredentials) => void;
  readonly onRenewalFailed: (message: string) => void;
  /** Somebody else renews the credentials, and hands them over with {@link InterceptChannel.setCredentials}. */
  readonly isRenewedElsewhere: boolean;
  /** A refusal for good is tried again all the same: what was refused may be allowed later. */
  readonly retriesRefusals: boolean;
  readonly onUp: (connection: InterceptConnection) => void;
  readonly onFrame: (type: number, bytes: Uint8Array, offset: number, length: number) => void;
  /** The channel was lost, or an attempt failed. Without `willRetry` it has ended for good. */
  readonly onDown: (reason: Error, willRetry: boolean) => void;
  readonly onDrain: () => void;
  /** The intercept is a C program: nothing above about credentials counts. */
  readonly wire?: WirePlan | undefined;
  /** There is no intercept: the target is reached over ordinary connections. Nothing above but the queue counts. */
  readonly connect?: ConnectPlan | undefined;
}

/** Between two attempts to join, ms. */
const JOIN_RETRY_MS = 2000;
/** After a refusal for good, ms. */
const REFUSAL_RETRY_MS = 5000;

/** The channel to one intercept, from joining to the end of the program: it comes back whenever it is lost. */
export class InterceptChannel {
  private readonly options: InterceptChannelOptions;
  private client: ChannelClient | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private isClosed = false;

  constructor(options: InterceptChannelOptions) {
    this.options = options;
  }

  /** Nothing is thrown: what fails comes by onDown. */
  start(): void {
    this.options.credentials().then(
      (credentials) => this.connect(credentials),
      (error: unknown) => this.credentialsFailed(error),
    );
  }

  private connect(credentials: ClientCredentials | 'insecure'): void {
    if (this.isClosed) return;
    const { host, port, hello, queueBytesMax, onUp, onFrame, onDrain, onRenewed, onRenewalFailed } = this.options;
    this.client = new ChannelClient({
      host,
      port,
      credentials,
      hello,
      queueBytesMax,
      onUp,
      onFrame: (_connection, type, bytes, offset, length) => onFrame(type, bytes, offset, length),
      onDown: (reason, willRetry) => this.down(reason, willRetry),
      onDrain,
      renew: !this.options.isRenewedElsewhere,
      onRenewed,
      onRenewalFailed,
    });
    this.client.start();
  }

  private credentialsFailed(error: unknown): void {
    if (this.isClosed) return;
    const canHelp = error instanceof ChannelError && !error.isFinal;
    const willRetry = canHelp || this.options.retriesRefusals;
    if (willRetry) this.retryTimer = setTimeout(() => this.start(), canHelp ? JOIN_RETRY_MS : REFUSAL_RETRY_MS);
    this.options.onDown(error as Error, willRetry);
  }

  private down(reason: Error, willRetry: boolean): void {
    const { onDown, retriesRefusals } = this.options;
    if (!willRetry && retriesRefusals) this.retryTimer = setTimeout(() => this.start(), REFUSAL_RETRY_MS);
    onDown(reason, willRetry || retriesRefusals);
  }

  /** Uses other credentials from the next connection on. */
  setCredentials(credentials: ClientCredentials): void {
    this.client?.setCredentials(credentials);
  }

  /** Tells intercept, lets what is queued go out for a moment, and ends. No callback comes afterwards. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
    this.client?.close();
  }
}
