/**
 * The copy's end of `trafficcopy trace`: a socket that only this user and root can open (the directory is 0700, the socket 0600). One line
 * with a filter comes in, one line `ok` or `error: …` goes out, and then a line for each event until the other end goes away.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { makeStateDirectory, type ProgramLog, ValueProblem } from '@trafficcopy/runtime';
import { sessionFilterValue } from './session-filter.js';
import type { SessionTracer } from './session-tracer.js';
import type { TraceLine } from './session-watch.js';
import { tracePlaces, traceSocketPath } from './trace-place.js';

const FILTER_LENGTH_MAX = 1024;
const FILTER_WAIT_MS = 5000;
/** Beyond it events are dropped and counted, until the other end has read. */
const UNREAD_BYTES_MAX = 1024 * 1024;
/** sockaddr_un holds 108 octets, the last of them 0. */
const PATH_BYTES_MAX = 107;

export interface TraceServerOptions {
  readonly stateDirectory: string;
  readonly tracer: SessionTracer;
  readonly logger: ProgramLog['logger'];
  /** How grave it is when nobody can attach. */
  readonly failureLevel: 'info' | 'debug';
  /** The engine's clock, and that of the wall. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

export class TraceServer {
  readonly #options: TraceServerOptions;
  readonly #server: Server;
  readonly #path: string;
  readonly #sockets = new Set<Socket>();

  private constructor(options: TraceServerOptions, path: string) {
    this.#options = options;
    this.#path = path;
    this.#server = createServer((socket) => this.#greet(socket));
  }

  /** Undefined, and a line in the log, where it cannot listen: nobody can attach then, and copying goes on. */
  static async open(options: TraceServerOptions): Promise<TraceServer | undefined> {
    const { stateDirectory, logger, failureLevel } = options;
    const path = traceSocketPath(stateDirectory, process.pid);
    try {
      if (Buffer.byteLength(path) > PATH_BYTES_MAX)
        throw new Error(`its path would be longer than ${PATH_BYTES_MAX} octets`);
      await makeStateDirectory(stateDirectory);
      removeDead(stateDirectory);
      const server = new TraceServer(options, path);
      await server.#listen();
      return server;
    } catch (error) {
      logger[failureLevel](
        `"trafficcopy trace" cannot attach to this copy: no socket below ${stateDirectory} (${shortReason(error)})`,
      );
      return undefined;
    }
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      // The socket is made within listen(): nobody else may open it even for a moment.
      const mask = process.umask(0o177);
      try {
        this.#server.listen(this.#path, () => {
          chmodSync(this.#path, 0o600);
          resolve();
        });
      } finally {
        process.umask(mask);
      }
      // It must not keep a program alive that has ended otherwise.
      this.#server.unref();
    });
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    let text = '';
    const end = (reason: string): void => void socket.end(`error: ${reason}\n`);
    const timer = setTimeout(() => end('no filter came'), FILTER_WAIT_MS);
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
    const read = (part: string): void => {
      text += part;
      const newline = text.indexOf('\n');
      if (newline < 0 && text.length <= FILTER_LENGTH_MAX) return;
      clearTimeout(timer);
      socket.off('data', read);
      socket.resume();
      if (newline < 0 || newline > FILTER_LENGTH_MAX) end('the filter is too long');
      else this.#show(socket, text.slice(0, newline), end);
    };
    socket.on('data', read);
  }

  #show(socket: Socket, filterText: string, end: (reason: string) => void): void {
    const { tracer } = this.#options;
    let dropped = 0;
    const write = (text: string): void => {
      if (socket.writableLength > UNREAD_BYTES_MAX) {
        dropped += 1;
        return;
      }
      if (dropped > 0) socket.write(droppedText(dropped));
      dropped = 0;
      socket.write(text);
    };
    try {
      const filter = sessionFilterValue.parse(filterText);
      const onLine = (line: TraceLine): void => write(this.#lineText(line));
      const stop = tracer.watch(filter, { onLine, onDropped: (events) => write(droppedText(events)) });
      if (stop === undefined) {
        end('others look already; end one of them');
        return;
      }
      this.#options.logger.info({ filter: filterText }, 'a trace begins');
      socket.on('close', () => {
        stop();
        this.#options.logger.info({ filter: filterText }, 'a trace has ended');
      });
      socket.write('ok\n');
    } catch (error) {
      if (!(error instanceof ValueProblem)) throw error;
      end(`the filter does not fit: expected ${sessionFilterValue.expected}`);
    }
  }

  #lineText({ atMs, session, text }: TraceLine): string {
    const { nowMs, wallMs } = this.#options;
    const time = new Date(wallMs() - (nowMs() - atMs)).toISOString().slice(11, 23);
    return `${time}  ${session}  ${text}\n`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#path, { force: true });
  }
}

/** What the system said, in a word: the whole of it is about keys, which are not needed here. */
function shortReason(error: unknown): string {
  const { code, cause, message } = error as NodeJS.ErrnoException;
  const systemCode = (cause as NodeJS.ErrnoException | undefined)?.code ?? code;
  return systemCode ?? message;
}

function droppedText(events: number): string {
  return `(${events} events dropped: there were more than could be shown)\n`;
}

/** What copies left that were killed. */
function removeDead(stateDirectory: string): void {
  for (const { pid, path } of tracePlaces(stateDirectory)) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH' || pid === process.pid) rmSync(path, { force: true });
    }
  }
  rmSync(traceSocketPath(stateDirectory, process.pid), { force: true });
}
