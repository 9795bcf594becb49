import {
  type CopyReport,
  type CopySettings,
  encodeCopyReport,
  FRAME,
  parseCopySettings,
  parseStop,
} from '@trafficcopy/core';
import {
  ChannelClient,
  type ChannelConnection,
  ChannelError,
  type ClientCredentials,
  join,
  MemoryCredentialStore,
  type ProgramLog,
  reconnectDelayMs,
  type SocketAddress,
} from '@trafficcopy/runtime';

export interface OperatorLinkOptions {
  readonly operator: SocketAddress;
  /** Good for all copies of one TrafficCopy, as long as that is there. */
  readonly token: string;
  /** What the operator calls us in its log. */
  readonly name: string;
  /** Tells this process, whose figures begin at 0, from an earlier one in the same pod. */
  readonly instance: number;
  readonly logger: ProgramLog['logger'];
  /** A clock that never goes back, ms. */
  readonly nowMs: () => number;
  /** operator --what to do from now on--> copy */
  readonly onSettings: (settings: CopySettings) => void;
  /** The operator wants the copy to end; it is called once. */
  readonly onStop: (message: string) => void;
  /** New ones: by joining, or renewed. */
  readonly onCredentials: (credentials: ClientCredentials) => void;
  /** See {@link REFUSED_MS_MAX}. */
  readonly refusedMsMax?: number | undefined;
  /** Between two attempts to join, after so many. Default: {@link reconnectDelayMs}, so that all copies of a cluster do not come at once. */
  readonly retryDelayMs?: ((attempts: number) => number) | undefined;
}

/**
 * An operator that refuses us for so long, without saying that our TrafficCopy is gone, knows our TrafficCopy no more: the copying ends. Shorter it may only not have heard yet: of the
 * TrafficCopy, or of this pod's address.
 */
export const REFUSED_MS_MAX = 60_000;
/** Settings and reports are small. */
const QUEUE_BYTES_MAX = 2 * 1024 * 1024;
/** A failure that lasts is told again after so long. */
const DOWN_LOG_INTERVAL_MS = 60_000;

/**
 * The way to the operator: joins with the token, and stays connected as well as can be. When the operator is away the copying goes on as it is, for as
 * long as that takes. Only an operator that is there can end it: by STOP, or by refusing us.
 */
export class OperatorLink {
  private readonly options: OperatorLinkOptions;
  private client: ChannelClient | undefined;
  private connection: ChannelConnection | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private attempts = 0;
  private refusedSinceMs: number | undefined;
  private downLoggedMs = Number.NEGATIVE_INFINITY;
  private hasEnded = false;

  constructor(options: OperatorLinkOptions) {
    this.options = options;
  }

  get isUp(): boolean {
    return this.connection?.isOpen === true;
  }

  /** Nothing is thrown, now or later. */
  start(): void {
    this.join().then(
      (credentials) => this.connect(credentials),
      (error: unknown) => this.failed(error as Error),
    );
  }

  private async join(): Promise<ClientCredentials> {
    const { operator, token, name } = this.options;
    const { host, port } = operator;
    const store = new MemoryCredentialStore();
    return await join({ host, port, token, role: 'copy', name, store, serverRoles: ['operator'] });
  }

  private connect(credentials: ClientCredentials): void {
    if (this.hasEnded) return;
    const { operator, name, instance, logger, onCredentials } = this.options;
    onCredentials(credentials);
    this.client = new ChannelClient({
      host: operator.host,
      port: operator.port,
      credentials,
      hello: {
        role: 'copy',
        name,
        delivery: 'tunnel',
        capabilities: [`instance:${instance.toString(16)}`],
        targets: [],
      },
      serverRoles: ['operator'],
      queueBytesMax: QUEUE_BYTES_MAX,
      onUp: (connection) => this.up(connection),
      onFrame: (_connection, type, bytes, offset, length) => this.frame(type, bytes, offset, length),
      onDown: (reason, willRetry) => this.down(reason, willRetry),
      onRenewed: (renewed) => {
        logger.info('certificate renewed');
        onCredentials(renewed);
      },
      onRenewalFailed: (message) => logger.warn(`certificate not renewed: ${message}`),
    });
    this.client.start();
  }

  private up(connection: ChannelConnection): void {
    this.connection = connection;
    this.attempts = 0;
    this.refusedSinceMs = undefined;
    this.downLoggedMs = Number.NEGATIVE_INFINITY;
    this.options.logger.info(
      { operator: connection.remote, peer: connection.peer.name },
      'channel to the operator is up',
    );
  }

  private frame(type: number, bytes: Uint8Array, offset: number, length: number): void {
    if (this.hasEnded) return;
    if (type === FRAME.CONFIG) this.settings(bytes, offset, length);
    else if (type === FRAME.STOP) this.stop(parseStop(bytes, offset, length).message);
  }

  private settings(bytes: Uint8Array, offset: number, length: number): void {
    const settings = parseCopySettings(bytes, offset, length);
    if (settings !== undefined) this.options.onSettings(settings);
    else this.options.logger.error('the operator sent settings that cannot be read: is it of another version?');
  }

  private stop(message: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    clearTimeout(this.retryTimer);
    this.options.onStop(message);
  }

  private down(reason: ChannelError, willRetry: boolean): void {
    this.connection = undefined;
    if (willRetry) this.logDown(reason);
    // The certificate is not good any more. The token may be.
    else this.failed(reason);
  }

  /** Joining failed, or the operator does not accept the certificate. */
  private failed(error: Error): void {
    if (this.hasEnded) return;
    this.logDown(error);
    const isGone = error instanceof ChannelError && error.refusal === 'gone';
    if (isGone || (error instanceof ChannelError && error.isFinal && this.wasRefusedTooLong())) {
      this.stop(`the operator does not know this copy any more: ${error.message}`);
      return;
    }
    const delayMs = (this.options.retryDelayMs ?? spreadDelayMs)(this.attempts);
    this.attempts += 1;
    this.retryTimer = setTimeout(() => this.start(), delayMs);
  }

  private wasRefusedTooLong(): boolean {
    const nowMs = this.options.nowMs();
    this.refusedSinceMs ??= nowMs;
    return nowMs - this.refusedSinceMs >= (this.options.refusedMsMax ?? REFUSED_MS_MAX);
  }

  private logDown(reason: Error): void {
    const { logger, nowMs } = this.options;
    // The leader is somewhere else: nothing is wrong.
    if (reason instanceof ChannelError && reason.goodbye?.code === 'redirect') return;
    if (nowMs() - this.downLoggedMs < DOWN_LOG_INTERVAL_MS) return;
    this.downLoggedMs = nowMs();
    logger.warn({ reason: reason.message }, 'no channel to the operator: copying goes on as it is; trying again');
  }

  /** copy --how it goes--> operator; dropped while there is no channel. */
  report(report: CopyReport): void {
    this.connection?.send(FRAME.STATS, encodeCopyReport(report));
  }

  /** Lets what is queued out for a moment. No callback comes afterwards. */
  async close(): Promise<void> {
    this.hasEnded = true;
    clearTimeout(this.retryTimer);
    await this.client?.close();
  }
}

function spreadDelayMs(attempts: number): number {
  return reconnectDelayMs(attempts, Math.random());
}
