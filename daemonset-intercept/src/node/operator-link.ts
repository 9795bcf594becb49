/**
 * The intercept's channel to the operator: joins with the service account token, asks for settings, reports, and never gives up. Keys
 * and certificates live in memory; the token is read anew for each JOIN, as the kubelet replaces it. While there is no operator,
 * everything goes on as it was said last.
 */
import { readFile } from 'node:fs/promises';
import {
  encodeInterceptReport,
  FRAME,
  type Hello,
  type InterceptReport,
  type InterceptSettings,
  parseInterceptSettings,
  parseStop,
} from '@trafficcopy/core';
import {
  authorityPin,
  ChannelClient,
  type ClientCredentials,
  join,
  MemoryCredentialStore,
  type ProgramLog,
  type SocketAddress,
} from '@trafficcopy/runtime';

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 5000;
/** A channel that was up for so long makes the next delay short again. */
const STABLE_MS = 30_000;
/** A token is a kilobyte or two, an authority's certificate as well. */
const FILE_CHARACTERS_MAX = 65_536;

export interface OperatorLinkOptions {
  readonly operator: SocketAddress;
  readonly joinFile: string;
  readonly authorityFile: string;
  readonly nodeName: string;
  readonly hello: Omit<Hello, 'version'>;
  readonly logger: ProgramLog['logger'];
  /** There is a certificate, or a new one. */
  onCredentials(credentials: ClientCredentials): Promise<void>;
  onUp(): void;
  onSettings(settings: InterceptSettings): void;
  onStop(message: string): void;
}

export class OperatorLink {
  readonly #options: OperatorLinkOptions;
  #client: ChannelClient | undefined;
  #isClosed = false;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #toldFailure = '';

  constructor(options: OperatorLinkOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#client?.connection !== undefined;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** False when there is no channel, or it does not take it. */
  report(report: InterceptReport): boolean {
    return this.#client?.connection?.send(FRAME.STATS, encodeInterceptReport(report)) ?? false;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wake?.();
    await this.#client?.close('the intercept ends');
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let retries = 0; !this.#isClosed; retries += 1) {
      const startedMs = performance.now();
      try {
        const credentials = await this.#join();
        await this.#options.onCredentials(credentials);
        if (!this.#isClosed) await this.#talk(credentials);
      } catch (error) {
        this.#tellFailure(error as Error, 'the operator cannot be joined');
      }
      if (performance.now() - startedMs >= STABLE_MS) retries = 0;
      if (!this.#isClosed) await this.#sleep(Math.min(RETRY_MS_MIN * 2 ** retries, RETRY_MS_MAX));
    }
  }

  async #join(): Promise<ClientCredentials> {
    const { operator, joinFile, authorityFile, nodeName, logger } = this.#options;
    const secret = (await readText(joinFile)).trim();
    const pin = authorityPin(await readText(authorityFile));
    const credentials = await join({
      ...operator,
      token: { secret, pin },
      role: 'intercept',
      name: nodeName,
      store: new MemoryCredentialStore(),
      serverRoles: ['operator'],
    });
    logger.info({ operator: operator.host, node: nodeName }, 'joined the operator');
    return credentials;
  }

  /** Resolves when the operator refuses us for good: a new certificate may help. */
  async #talk(credentials: ClientCredentials): Promise<void> {
    const { operator, hello, logger } = this.#options;
    await new Promise<void>((resolve) => {
      const client = new ChannelClient({
        ...operator,
        credentials,
        hello,
        serverRoles: ['operator'],
        onUp: (connection) => {
          this.#toldFailure = '';
          logger.info({ operator: connection.remote }, 'the operator is connected');
          this.#options.onUp();
        },
        onFrame: (_connection, type, bytes, offset, length) => this.#frame(type, bytes, offset, length),
        onDown: (reason, willRetry) => {
          if (reason.goodbye?.code === 'redirect') logger.debug(reason.message);
          else this.#tellFailure(reason, 'the operator is not connected; everything goes on as it was said last');
          if (!willRetry || this.#isClosed) resolve();
        },
        onRenewed: (renewed) => {
          this.#options.onCredentials(renewed).catch((error: unknown) => {
            logger.error({ err: error }, 'a renewed certificate cannot be used');
          });
        },
        onRenewalFailed: (message) => logger.warn(`the certificate was not renewed: ${message}`),
      });
      this.#client = client;
      this.#wake = resolve;
      client.start();
    });
    this.#wake = undefined;
  }

  #frame(type: number, bytes: Uint8Array, offset: number, length: number): void {
    if (type === FRAME.STOP) this.#options.onStop(parseStop(bytes, offset, length).message);
    if (type !== FRAME.CONFIG) return;
    const settings = parseInterceptSettings(bytes, offset, length);
    if (settings === undefined) this.#options.logger.error('the operator sent settings that cannot be read: ignored');
    else this.#options.onSettings(settings);
  }

  /** The same failure, tried again and again, is told once. */
  #tellFailure(error: Error, message: string): void {
    if (this.#isClosed || error.message === this.#toldFailure) return;
    this.#toldFailure = error.message;
    this.#options.logger.warn({ reason: error.message }, message);
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

async function readText(path: string): Promise<string> {
  const text = await readFile(path, 'utf8');
  if (text.length > FILE_CHARACTERS_MAX) throw new Error(`${path} is larger than what it should hold`);
  return text;
}
