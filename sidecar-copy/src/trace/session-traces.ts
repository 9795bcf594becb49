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
  /** The engine's clock. */
  readonly nowMs: () => number;
}

/** The ways by which sessions of one process are shown: `--trace`, and the socket for `trafficcopy trace`. */
export class SessionTraces {
  readonly #server: TraceServer | undefined;

  private constructor(server: TraceServer | undefined) {
    this.#server = server;
  }

  static async open({ trace, stateDirectory, tracer, logger, nowMs }: SessionTracesOptions): Promise<SessionTraces> {
    const wallMs = (): number => Date.now();
    if (trace !== undefined) {
      const onLine = ({ atMs, session, text }: TraceLine): void => {
        logger.info({ session, at: new Date(wallMs() - (nowMs() - atMs)).toISOString() }, `trace: ${text}`);
      };
      tracer.watch(trace, { onLine, onDropped: (events) => logger.warn({ events }, 'trace: events dropped') });
    }
    return new SessionTraces(await TraceServer.open({ stateDirectory, tracer, logger, nowMs, wallMs }));
  }

  close(): void {
    this.#server?.close();
  }
}
