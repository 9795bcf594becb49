import type { CopyReport } from '@trafficcopy/core';

/** Of a copy that has seen nothing yet. */
export const COPY_REPORT: CopyReport = {
  kind: 'copy',
  generation: 1,
  state: 'copying',
  elapsedMs: 1000,
  connectionsSeen: 0,
  sessionsOpen: 0,
  sessionsStarted: 0,
  turnsCaptured: 0,
  turnsDelivered: 0,
  turnsAnswered: 0,
  turnsPending: 0,
  turnsLost: {},
  terminal: {},
  bytesSent: 0,
  captureDrops: 0,
  lagMs: 0,
  cpuUs: 0,
  rssBytes: 0,
  encrypted: {},
  endpoints: [],
  problems: [],
};
