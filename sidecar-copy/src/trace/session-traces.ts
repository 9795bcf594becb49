import type { ProgramLog } from '@trafficcopy/runtime';
import type { SessionFilter } from './session-filter.js';
import type { SessionTracer } from './session-tracer.js';
import type { TraceLine } from './session-watch.js';
import { TraceServer } from './trace-server.js';

export interface SessionTracesOptions {
  /** `--trace`: into the log. */
  readonly trace: SessionFilter | undefined;
  readonly stateDirectory: string;
  readonly tracer: SessionTracer;
  readonly logger: ProgramLog['logger'];
  /** Who wants nothing of the state directory is not told of it: a copy over ordinary connections needs no rights. Default: false. */
  readonly isStateless?: boolean | undefined;
  /** The engine's clock. */
  readonly nowMs: () => number;
}

/** The ways by which sessions of one process are shown: `--trace`, and the socket for `trafficcopy trace`. */
export class SessionTraces {
  readonly #server: TraceServer | undefined;

  private constructor(server: TraceServer | undefined) {
    this.#server = server;
  }

  static async open({
    trace,
    stateDirectory,
    tracer,
    logger,
    isStateless,
    nowMs,
  }: SessionTracesOptions): Promise<SessionTraces> {
    const failureLevel = isStateless === true ? 'debug' : 'info';
    const wallMs = (): number => Date.now();
    if (trace !== undefined) {
      const onLine = ({ atMs, session, text }: TraceLine): void => {
        logger.info({ session, at: new Date(wallMs() - (nowMs() - atMs)).toISOString() }, `trace: ${text}`);
      };
      tracer.watch(trace, { onLine, onDropped: (events) => logger.warn({ events }, 'trace: events dropped') });
    }
    return new SessionTraces(await TraceServer.open({ stateDirectory, tracer, logger, failureLevel, nowMs, wallMs }));
  }

  close(): void {
    this.#server?.close();
  }
}
