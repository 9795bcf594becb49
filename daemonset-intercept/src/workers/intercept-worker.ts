/** One worker of an intercept with --threads: what `intercept` does for its share of the copies, in a process of its own. */
import type { Socket } from 'node:net';
import type { CertificateGrant, Hello } from '@trafficcopy/core';
import {
  type ChannelAuthority,
  type GrantRefusal,
  PcapngRecorder,
  type PeerIdentity,
  remoteText,
  type ServerCredentials,
  WorkerProcess,
  type WorkerSettings,
} from '@trafficcopy/runtime';
import { copyKey, hostOf, programKey } from '../channel/copy-key.js';
import type { InterceptConfig } from '../config.js';
import { Intercept } from '../intercept.js';
import type { InterceptFigures } from '../intercept-figures.js';
import type { InterceptLimits } from '../limits.js';
import { programMemory } from '../program-memory.js';
import type { WorkerSlot } from '../rules/worker-slot.js';

/** What a worker is told first. */
export interface InterceptWorkerSettings extends WorkerSettings {
  /** No token or key in it. */
  readonly config: InterceptConfig;
  readonly limits: InterceptLimits;
  readonly recordFile: string | undefined;
  readonly credentials: ServerCredentials | 'insecure';
  /** Undefined at the first start: it is told with `enter`. */
  readonly slot: WorkerSlot | undefined;
}

/** Comes with each connection of a copy. */
export interface SocketNote {
  /** The workers of copies that were seen at its host, by their keys. */
  readonly workers: Readonly<Record<string, number>>;
  /** As many copies are connected as may be. */
  readonly isFull: boolean;
}

/** What is said of a copy. */
export interface CopyNotice {
  readonly key: string;
  /** See {@link programKey}. */
  readonly program?: string | undefined;
  readonly host: string;
}

/** Packets of Direct delivery carry the mark of this worker. */
const DIRECT_WORKER = 0;
const REPORT_MS = 200;
const NOTES_MAX = 256;

let settings: InterceptWorkerSettings;
let intercept: Intercept | undefined;
let recorder: PcapngRecorder | undefined;
let timer: NodeJS.Timeout | undefined;
const memory = programMemory();
/** By the remote address and port of connections that have not said HELLO yet. */
const notes = new Map<string, SocketNote>();

const worker = WorkerProcess.run<InterceptWorkerSettings>({
  open: async (given) => {
    settings = given;
    if (given.slot !== undefined && !(await enter(given.slot))) {
      throw new Error(`another program reads NFQUEUE ${given.slot.queueNumber}`);
    }
  },
  handlers: {
    enter,
    socket: (note: SocketNote, handle) => accept(note, handle as Socket | undefined),
    report: () => intercept?.figures(),
    close,
  },
  end: async () => {
    await close();
  },
});

/** Opens what the slot needs, and serves from then on. False when another program reads its queue. */
async function enter(slot: WorkerSlot): Promise<boolean> {
  const { config, limits, credentials, recordFile } = settings;
  const { logger, link } = worker;
  const authority: ChannelAuthority = {
    join: (request, remote) => link.ask<CertificateGrant | GrantRefusal>('join', { request, remote }),
    renew: (identity, request) => link.ask<CertificateGrant | GrantRefusal>('renew', { identity, request }),
    serverCredentials: () => link.ask<ServerCredentials>('serverCredentials'),
  };
  if (recordFile !== undefined && recorder === undefined) {
    recorder = new PcapngRecorder({ path: recordFile, onStop: (message) => void link.tell('recordStop', message) });
  }
  try {
    intercept = await Intercept.open({
      config,
      logger,
      recorder,
      limits,
      part: {
        slot,
        credentials,
        authority: credentials === 'insecure' ? undefined : authority,
        authorize,
        tellShared: worker.tellShared,
        onCopy: ({ peer, identity, remote }, isUp) => {
          const host = hostOf(remote);
          const program = programKey(peer, identity, host);
          link.tell(isUp ? 'connected' : 'disconnected', { key: copyKey(peer, identity, host), program, host });
        },
      },
    });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_START_QUEUE_BUSY') return false;
    throw error;
  }
  recorder?.start();
  timer = setInterval(() => link.tell('report', intercept?.figures()), REPORT_MS);
  memory.start();
  return true;
}

function accept(note: SocketNote, socket: Socket | undefined): void {
  // It may have been closed on the way.
  if (socket === undefined) return;
  if (intercept === undefined) {
    socket.destroy();
    return;
  }
  const remote = remoteText(socket);
  if (notes.size >= NOTES_MAX) notes.clear();
  notes.set(remote, note);
  socket.once('close', () => {
    if (notes.get(remote) === note) notes.delete(remote);
  });
  intercept.accept(socket);
}

/** Whether a copy belongs here. */
function authorize(hello: Hello, identity: PeerIdentity | undefined, remote: string): GrantRefusal | undefined {
  const note = notes.get(remote);
  notes.delete(remote);
  if (note?.isFull) return { code: 'tooManyConnections', message: 'as many copies are connected as may be' };
  const host = hostOf(remote);
  const key = copyKey(hello, identity, host);
  const known = hello.delivery === 'direct' ? DIRECT_WORKER : note?.workers[key];
  if (known === undefined || known === settings.worker) return undefined;
  worker.link.tell('sentAway', { key, host, to: known });
  return {
    code: 'unavailable',
    message: `another worker of this intercept serves this copy; it is led there when it comes again`,
  };
}

/** Resets what copies left at the target. The last figures. */
async function close(): Promise<InterceptFigures | undefined> {
  clearInterval(timer);
  memory.stop();
  const closing = intercept;
  intercept = undefined;
  const figures = await closing?.close();
  await recorder?.close();
  return figures;
}
