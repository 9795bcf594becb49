/** A replay over ordinary connections as the program makes it, in this process; targets are servers on this host's loopback. */
import { createServer, type Server, type Socket } from 'node:net';
import { buildCommand, type ProgramLog } from '@trafficcopy/runtime';
import { hostPlan } from '../../src/config/host-plan.js';
import { COPY_COMMAND, type CopyConfig, copyConfig } from '../../src/config.js';
import { Copy } from '../../src/copy.js';
import { copyEdges } from '../../src/copy-edges.js';
import type { CopyFigures } from '../../src/copy-figures.js';
import { loginConfig } from '../../src/logins/login-config.js';
import { openReplay } from '../../src/offline/open-replay.js';

export interface ConnectOutcome {
  readonly figures: CopyFigures;
  readonly logged: readonly string[];
  /** The most that waited in sockets, octets. */
  readonly queuedBytesMax: number;
}

export interface ConnectStandOptions {
  readonly socketsMax?: number;
  readonly limits?: Partial<CopyConfig['limits']>;
}

/** Replays to the end of the files. `words`: those of the command line. */
export async function replayConnected(words: string, options: ConnectStandOptions = {}): Promise<ConnectOutcome> {
  const given = loginConfig(await configure(words));
  const config = { ...given, limits: { ...given.limits, ...options.limits } };
  const edges = await copyEdges(config);
  const logged: string[] = [];
  const logger = loggerTo(logged);
  const replay = (await openReplay(config, edges, logger))!;
  const copy = new Copy({
    basis: config,
    plan: hostPlan(config),
    edges: { ...edges, openSource: ({ filter }) => replay.openAs(filter) },
    logger,
    recorder: undefined,
    seed: 7,
    socketsMax: options.socketsMax,
    localNetwork: () => ({ addresses: [], wires: [] }),
    identity: {
      credentials: () => Promise.reject(new Error('nobody is asked for credentials')),
      onRenewed: () => {},
      isManaged: false,
    },
    onFatal: (error) => {
      throw error;
    },
  });
  let queuedBytesMax = 0;
  const look = setInterval(() => {
    const [{ queuedBytes } = { queuedBytes: 0 }] = copy.figures().lanes;
    queuedBytesMax = Math.max(queuedBytesMax, queuedBytes);
  }, 5);
  const ended = new Promise<void>((resolve) => replay.feed(copy, resolve));
  copy.start();
  await ended;
  clearInterval(look);
  return { figures: await copy.close(), logged, queuedBytesMax };
}

async function configure(words: string): Promise<CopyConfig> {
  const results: CopyConfig[] = [];
  const command = buildCommand(COPY_COMMAND, {}, (values) => {
    results.push(copyConfig(values, []));
  });
  await command.parseAsync(words.split(' '), { from: 'user' });
  return results[0]!;
}

function loggerTo(logged: string[]): ProgramLog['logger'] {
  const log = (...parts: unknown[]): void => {
    const [first, message = first] = parts;
    logged.push(message === first ? String(message) : `${String(message)} ${JSON.stringify(first)}`);
  };
  return { info: log, warn: log, error: log, debug: () => {} } as unknown as ProgramLog['logger'];
}

/** One connection that a target had. */
export interface ArrivedStream {
  readonly socket: Socket;
  text: string;
  bytes: number;
  /** How it ended. */
  end: 'open' | 'fin' | 'reset';
}

/** A server under test that does as `onText` says whenever something has come. */
export class StandTarget {
  readonly streams: ArrivedStream[] = [];
  private readonly server: Server;

  private constructor(onOpen: (stream: ArrivedStream) => void, onText: (stream: ArrivedStream) => void) {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      const stream: ArrivedStream = { socket, text: '', bytes: 0, end: 'open' };
      this.streams.push(stream);
      socket.on('data', (chunk) => {
        stream.text += chunk.toString('latin1');
        stream.bytes += chunk.length;
        onText(stream);
      });
      socket.on('end', () => {
        stream.end = 'fin';
        onText(stream);
        if (!socket.writableEnded) socket.end();
      });
      socket.on('error', () => {
        stream.end = 'reset';
      });
      onOpen(stream);
    });
  }

  static async listen(
    onText: (stream: ArrivedStream) => void,
    { host = '127.0.0.1', onOpen = (): void => {} }: { host?: string; onOpen?: (stream: ArrivedStream) => void } = {},
  ): Promise<StandTarget> {
    const target = new StandTarget(onOpen, onText);
    await new Promise<void>((resolve) => target.server.listen(0, host, resolve));
    return target;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  get texts(): string[] {
    return this.streams.map(({ text }) => text).sort();
  }

  async close(): Promise<void> {
    for (const { socket } of this.streams) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}
