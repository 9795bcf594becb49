import path from 'node:path';
import { type Logger, pino } from 'pino';
import type { LogLevel } from '../cli/program-flags.js';
import { errorFields } from '../log/error-fields.js';
import { type MessageHandler, type ProcessEnd, ProcessLink } from './process-link.js';
import type { TellShared } from './shared-notices.js';

/** Makes a name of its own for each worker: `out.pcapng` becomes `out.0.pcapng`. */
export function fileOfWorker(file: string, worker: number): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.${worker}${ext}`);
}

/** What every worker is told first. */
export interface WorkerSettings {
  readonly program: string;
  readonly worker: number;
  readonly logLevel: LogLevel;
}

export interface WorkerProcessOptions<Settings extends WorkerSettings> {
  /** Does as the settings say; what it throws is the program's failure to start, or a death where the worker was started again. */
  readonly open: (settings: Settings, worker: WorkerProcess) => Promise<void>;
  /** What the program tells and asks afterwards. */
  readonly handlers: Readonly<Record<string, MessageHandler>>;
  /** The end, in order: the program wants it, or has gone itself. */
  readonly end: () => Promise<void>;
}

/**
 * The process of a worker: the program's side is WorkerPool. Signals are the program's business; when the program has gone, however
 * that came, the worker ends in the same order as on its word.
 */
export class WorkerProcess {
  readonly link: ProcessLink;
  #logger: Logger | undefined;

  private constructor(link: (worker: WorkerProcess) => ProcessLink) {
    this.link = link(this);
  }

  /** Makes this process a worker. */
  static run<Settings extends WorkerSettings>(options: WorkerProcessOptions<Settings>): WorkerProcess {
    let isEnding = false;
    const end = (): void => {
      if (isEnding) return;
      isEnding = true;
      options
        .end()
        .then(() => worker.link.sent())
        .then(
          () => process.exit(0),
          () => process.exit(1),
        );
    };
    // A terminal sends them to all processes of the program.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
    process.once('disconnect', end);
    const worker = new WorkerProcess(
      (self) =>
        new ProcessLink(process as ProcessEnd, {
          ...options.handlers,
          open: async (settings: Settings) => {
            self.#logger = self.#openLogger(settings);
            await options.open(settings, self);
          },
          end,
        }),
    );
    process.once('uncaughtException', (error) => worker.#fault(error));
    return worker;
  }

  /** Its lines go to the program's log. */
  get logger(): Logger {
    return this.#logger!;
  }

  /** For what all workers notice and the program says once. */
  readonly tellShared: TellShared = (notice) => void this.link.tell('shared', notice);

  #openLogger({ program, worker, logLevel }: WorkerSettings): Logger {
    return pino(
      {
        level: logLevel,
        base: { program, pid: process.pid, worker },
        timestamp: pino.stdTimeFunctions.isoTime,
        serializers: { err: errorFields },
        formatters: { level: (label: string) => ({ level: label }) },
      },
      { write: (line: string) => void this.link.tell('log', line) },
    );
  }

  /** A fault of our own. The program starts another worker, which knows nothing of this one's state. */
  #fault(error: Error): void {
    this.#logger?.fatal({ err: error }, 'internal error: the worker ends, production is not affected');
    void this.link.sent().then(() => process.exit(1));
  }
}
