import { type ChildProcess, fork, type SendHandle } from 'node:child_process';
import { StartError } from '../errors/start-error.js';
import type { ProgramLog } from '../log/program-log.js';
import { type MessageHandler, ProcessLink } from './process-link.js';
import { RestartPolicy } from './restart-policy.js';
import { type SharedNotice, SharedNotices, sharedTo } from './shared-notices.js';

/** Secrets of the environment that are none of a worker's business: it asks for what it needs. */
const SECRETS = ['TRAFFICCOPY_JOIN_TOKEN', 'TRAFFICCOPY_TOKEN'];
/** A terminal or a service manager sends them to all processes of a program; a worker that does not listen yet ends of them. */
const STOP_SIGNALS: readonly string[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** A worker that does not end after so long is killed. */
const END_MS_MAX = 30_000;

export interface WorkerPoolOptions {
  /** The module that a worker runs; it makes a WorkerProcess. */
  readonly module: URL;
  readonly workers: number;
  readonly log: Pick<ProgramLog, 'logger' | 'writeLine'>;
  /** What a worker is told first: once more each time that it is started again. */
  readonly settings: (worker: number) => unknown;
  /** What workers tell and ask. */
  readonly handlers: Readonly<Record<string, (worker: number, body: never) => unknown>>;
  /** A worker runs, for the first time or again. */
  readonly onUp: (worker: number) => void;
  /** A worker that ran has died: what it had is gone. */
  readonly onDeath: (worker: number) => void;
}

/** One place of the pool, with the process that has it now. */
interface Place {
  readonly worker: number;
  readonly policy: RestartPolicy;
  child: ChildProcess | undefined;
  link: ProcessLink | undefined;
  /** It has done as its settings say. */
  isUp: boolean;
  timer: NodeJS.Timeout | undefined;
}

/**
 * The workers of a program: processes of their own, so that the end of one, whatever its cause, is its own end only. One that dies is
 * started again after a while, until that has failed too often in a row; the others go on.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #places: readonly Place[];
  readonly #notices: SharedNotices;
  #restarts = 0;
  #isEnding = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#notices = new SharedNotices(sharedTo(options.log.logger));
    this.#places = Array.from({ length: options.workers }, (_, worker) => ({
      worker,
      policy: new RestartPolicy(),
      child: undefined,
      link: undefined,
      isUp: false,
      timer: undefined,
    }));
  }

  /** Workers that run now. */
  get up(): number {
    return this.#places.filter(({ isUp }) => isUp).length;
  }

  /** How often a worker was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  isUp(worker: number): boolean {
    return this.#places[worker]!.isUp;
  }

  /**
   * Starts all workers and waits until each has done as its settings say.
   *
   * @throws what the first worker that could not said; StartError ERR_START_INTERRUPTED where a signal was meant for the program. No worker is left then
   */
  async open(): Promise<void> {
    try {
      await Promise.all(this.#places.map((place) => this.#start(place)));
    } catch (error) {
      this.kill();
      throw error;
    }
  }

  /** False when the worker does not run, or does not keep up. */
  tell(worker: number, kind: string, body?: unknown, handle?: SendHandle): boolean {
    const { isUp, link } = this.#places[worker]!;
    return isUp && link!.tell(kind, body, handle);
  }

  tellAll(kind: string, body?: unknown): void {
    for (const { worker } of this.#places) this.tell(worker, kind, body);
  }

  /** Rejects when the worker does not run, or ends before it answers. */
  async ask<Answer>(worker: number, kind: string, body?: unknown): Promise<Answer> {
    const { isUp, link } = this.#places[worker]!;
    if (!isUp) throw new Error(`worker ${worker} does not run`);
    return await link!.ask<Answer>(kind, body);
  }

  /** The answers of the workers that run and answer within `timeoutMs`, with the workers' numbers. */
  async askAll<Answer>(kind: string, timeoutMs: number): Promise<[number, Answer][]> {
    const answers: [number, Answer][] = [];
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    const all = this.#places
      .filter(({ isUp }) => isUp)
      .map(async ({ worker }) => void answers.push([worker, await this.ask<Answer>(worker, kind)]));
    await Promise.race([Promise.allSettled(all), timeout]);
    clearTimeout(timer);
    return [...answers];
  }

  /** From now on a worker that ends is not started again, and its end is no death. */
  beginEnd(): void {
    this.#isEnding = true;
    for (const { timer } of this.#places) clearTimeout(timer);
  }

  /** Tells all to end, and waits until they have. */
  async end(): Promise<void> {
    this.beginEnd();
    await Promise.all(this.#places.map(({ child, link }) => endOf(child, link)));
  }

  /** Ends all at once: for a program that cannot go on. */
  kill(): void {
    this.beginEnd();
    for (const { child } of this.#places) child?.kill('SIGKILL');
  }

  async #start(place: Place): Promise<void> {
    const { module, settings } = this.#options;
    const child = fork(module, [], {
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !SECRETS.includes(name))),
      // Typed arrays stay what they are.
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const link = new ProcessLink(child, this.#handlersOf(place.worker));
    place.child = child;
    place.link = link;
    const startedMs = performance.now();
    // One that cannot be started has no exit.
    const gone = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (status, signal) => resolve(signal ?? `status ${status}`));
    });
    let hasOpened = false;
    void gone.then((how) => {
      link.close();
      const wasUp = place.isUp;
      place.isUp = false;
      if (hasOpened) this.#died(place, how, performance.now() - startedMs, wasUp);
    });
    try {
      await link.ask('open', settings(place.worker));
      place.isUp = true;
      hasOpened = true;
      this.#options.onUp(place.worker);
    } catch (error) {
      child.kill('SIGKILL');
      const how = await gone;
      if (STOP_SIGNALS.includes(how)) {
        const message = `worker ${place.worker} was ended by ${how} before it had started`;
        throw new StartError('ERR_START_INTERRUPTED', message, { cause: error });
      }
      throw (error as { code?: unknown }).code === undefined
        ? new Error(`worker ${place.worker} could not start (${how}): ${(error as Error).message}`, { cause: error })
        : error;
    }
  }

  #died(place: Place, how: string, livedMs: number, wasUp: boolean): void {
    if (this.#isEnding) return;
    const { worker, policy } = place;
    const { logger } = this.#options.log;
    this.#notices.workerDied(worker);
    if (wasUp) this.#options.onDeath(worker);
    const delayMs = policy.died(livedMs);
    if (delayMs === undefined) {
      logger.error(
        { worker, how },
        `worker ${worker} died ${policy.deaths} times in a row and is not started again: the others go on`,
      );
      return;
    }
    logger.error({ worker, how, againInMs: delayMs }, `worker ${worker} has died: its share is lost until it is back`);
    place.timer = setTimeout(() => {
      this.#start(place).then(
        () => {
          this.#restarts += 1;
          logger.info({ worker }, `worker ${worker} is back`);
        },
        (error: unknown) => this.#died(place, (error as Error).message, 0, false),
      );
    }, delayMs);
  }

  #handlersOf(worker: number): Record<string, MessageHandler> {
    const { handlers, log } = this.#options;
    const own: [string, MessageHandler][] = Object.entries(handlers).map(([kind, handler]) => [
      kind,
      (body: never) => handler(worker, body),
    ]);
    return {
      ...Object.fromEntries(own),
      log: (line: string) => log.writeLine(line),
      shared: (notice: SharedNotice) => this.#notices.add(worker, notice),
    };
  }
}

async function endOf(child: ChildProcess | undefined, link: ProcessLink | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  link?.tell('end', undefined);
  await gone;
  clearTimeout(timer);
}
