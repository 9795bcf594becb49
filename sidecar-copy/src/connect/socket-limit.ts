import { readFileSync } from 'node:fs';
import type { EngineLimits } from '@trafficcopy/core';

/** Files of the program itself: log, capture files, metrics, traces. */
const OWN_FILES = 64;
/** Sessions at one time, of the sockets: some still close when their session is over. */
const SESSION_SHARE = 0.9;
const UNLIMITED = 1_048_576;

/** Sockets that this process may have, besides its own files. Node.js has raised the soft limit to the hard one. */
export function socketLimit(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(limits) ?? [];
  const files = soft === 'unlimited' ? UNLIMITED : Number.parseInt(soft, 10);
  if (!Number.isFinite(files)) return UNLIMITED;
  return Math.max(1, files - OWN_FILES);
}

/** No more sessions than can have a socket: a file then waits for room instead of losing what finds none. */
export function limitsFor(limits: EngineLimits, socketsMax: number): EngineLimits {
  return { ...limits, sessionsMax: Math.min(limits.sessionsMax, Math.max(1, Math.floor(socketsMax * SESSION_SHARE))) };
}
