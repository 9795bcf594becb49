/** `trafficcopy trace`: attaches to the copies of a state directory, and prints what they show. */
import { connect, type Socket } from 'node:net';
import { StartError } from '@trafficcopy/runtime';
import { type TracePlace, tracePlaces } from './trace-place.js';

export interface TraceConfig {
  readonly stateDirectory: string;
  /** As it was typed; it was found right. */
  readonly filter: string;
  /** Only this copy; undefined: all of the directory. */
  readonly pid: number | undefined;
  readonly durationMs: number | undefined;
}

export interface TraceOutput {
  write(text: string): unknown;
  /** The other end has gone (`| head`). */
  on(event: 'error', listener: () => void): unknown;
  off(event: 'error', listener: () => void): unknown;
}

const START = 'is a copy running, with this --state?';

/**
 * Prints until a signal, the end of --duration, or the end of the last copy.
 *
 * @returns the exit code: 0
 * @throws StartError: there is nothing to attach to
 */
export async function runTrace(config: TraceConfig, output: TraceOutput): Promise<number> {
  const sockets = await attach(config);
  try {
    await print(sockets, config.durationMs, output);
  } finally {
    for (const { socket } of sockets) socket.destroy();
  }
  return 0;
}

/** Until a signal, the time, or the last copy ends it, or nobody reads any more. */
async function print(sockets: readonly Attached[], durationMs: number | undefined, output: TraceOutput): Promise<void> {
  let open = sockets.length;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const timer = durationMs === undefined ? undefined : setTimeout(end, durationMs);
  process.on('SIGINT', end).on('SIGTERM', end);
  output.on('error', end);
  for (const { socket, pid, rest } of sockets) {
    const printLines = linePrinter(sockets.length > 1 ? `${pid}  ` : '', output);
    printLines(rest);
    socket.on('data', printLines).resume();
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      open -= 1;
      if (open === 0) end();
    });
  }
  await ended;
  clearTimeout(timer);
  process.off('SIGINT', end).off('SIGTERM', end);
  output.off('error', end);
}

interface Attached {
  readonly socket: Socket;
  readonly pid: number;
  /** What came behind the first line. */
  readonly rest: string;
}

async function attach({ stateDirectory, filter, pid }: TraceConfig): Promise<Attached[]> {
  let places: TracePlace[];
  try {
    places = tracePlaces(stateDirectory);
  } catch (cause) {
    const message = `cannot look below ${stateDirectory}: ${(cause as Error).message}: ${START}`;
    throw new StartError('ERR_START_TRACE', message, { cause });
  }
  const wanted = places.filter((place) => pid === undefined || place.pid === pid);
  const attached: Attached[] = [];
  const problems: string[] = [];
  for (const place of wanted) {
    const answer = await ask(place, filter);
    if (typeof answer === 'string') problems.push(answer);
    else attached.push(answer);
  }
  if (attached.length > 0) return attached;
  const reason =
    problems.at(-1) ?? `no copy${pid === undefined ? '' : ` with process id ${pid}`} waits below ${stateDirectory}`;
  throw new StartError('ERR_START_TRACE', `${reason}: ${START}`);
}

/** The socket once the copy has agreed; else why it has not. */
function ask({ path, pid }: TracePlace, filter: string): Promise<Attached | string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('utf8');
    socket.once('error', (error: NodeJS.ErrnoException) =>
      resolve(`the copy ${pid} cannot be reached (${error.code})`),
    );
    socket.once('close', () => resolve(`the copy ${pid} went away`));
    const read = (part: string): void => {
      text += part;
      const newline = text.indexOf('\n');
      if (newline < 0) return;
      // What follows waits until somebody prints it.
      socket.pause();
      socket.off('data', read);
      const answer = text.slice(0, newline);
      resolve(answer === 'ok' ? { socket, pid, rest: text.slice(newline + 1) } : `the copy ${pid} said: ${answer}`);
    };
    socket.on('data', read);
    socket.write(`${filter}\n`);
  });
}

/** Whole lines, each behind `prefix`. */
function linePrinter(prefix: string, output: TraceOutput): (part: string) => void {
  let text = '';
  return (part) => {
    text += part;
    const end = text.lastIndexOf('\n') + 1;
    if (end === 0) return;
    const lines = text.slice(0, end);
    text = text.slice(end);
    output.write(prefix === '' ? lines : lines.replaceAll(/^(?=.)/gm, prefix));
  };
}
