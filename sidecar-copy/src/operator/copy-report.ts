import { type CopyReport, EMPTY_COPY_REPORT, type EndpointFault } from '@trafficcopy/core';
import { ChannelError } from '@trafficcopy/runtime';
import type { Copy } from '../copy.js';
import type { CopyFigures } from '../copy-figures.js';

/** What a report says beside the figures of the copy. */
export interface ReportFrame {
  /** Of the settings in force. */
  readonly generation: number;
  readonly state: CopyReport['state'];
  readonly problems: readonly string[];
}

/** Before there is anything to copy. */
export function emptyReport(frame: ReportFrame): CopyReport {
  const { user, system } = process.cpuUsage();
  return { ...EMPTY_COPY_REPORT, ...frame, cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
}

/** What the copy has done; `figures` are its own, or the last ones of it. */
export function copyReport(frame: ReportFrame, copy: Copy, figures: CopyFigures): CopyReport {
  const { engine } = figures;
  return {
    ...emptyReport(frame),
    elapsedMs: figures.elapsedMs,
    connectionsSeen: engine.connectionsSeen,
    sessionsOpen: figures.sessionsOpen,
    sessionsStarted: engine.sessionsStarted,
    turnsCaptured: engine.turnsCaptured,
    turnsDelivered: engine.turnsDelivered,
    turnsAnswered: engine.turnsAnswered,
    turnsPending: engine.turnsPending,
    turnsLost: present(engine.turnsLost),
    terminal: present(engine.terminal),
    bytesSent: engine.bytesSent,
    captureDrops: copy.captureDrops,
    lagMs: figures.lagMs,
    rssBytes: figures.rssBytes,
    encrypted: Object.fromEntries([...copy.encrypted].map(([port, count]) => [String(port), count])),
    endpoints: copy.targets().map(({ target, isUp, downReason }) => {
      const endpoint = { endpoint: target, isUp };
      return isUp || downReason === undefined ? endpoint : { ...endpoint, down: faultOf(downReason) };
    }),
  };
}

const REFUSALS: ReadonlySet<string> = new Set([
  'ERR_CHANNEL_REFUSED',
  'ERR_CHANNEL_PIN',
  'ERR_CHANNEL_SERVER_CERTIFICATE',
  'ERR_CHANNEL_CERTIFICATE_TIME',
]);

function faultOf(reason: Error): EndpointFault {
  const { message } = reason;
  const code = reason instanceof ChannelError ? reason.code : '';
  if (code === 'ERR_CHANNEL_TOKEN') return { code: 'token', message };
  return { code: REFUSALS.has(code) ? 'refused' : 'unreachable', message };
}

/** Most are 0 most of the time. */
function present(counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}
