import { counted } from '@trafficcopy/runtime';
import { type CopyFigures, captureDrops, datagramsLost, turnsLost } from './copy-figures.js';
import { offlineStatus } from './offline/offline-figures.js';

const MS_PER_SECOND = 1000;

/** The parts of the status line, the most important first, from the figures of two moments. */
export function copyStatus(before: CopyFigures, now: CopyFigures): string[] {
  const intervalMs = Math.max(now.elapsedMs - before.elapsedMs, 1);
  const perSecond = (count: number): string => Math.round((count * MS_PER_SECOND) / intervalMs).toLocaleString('en-US');
  const down = now.lanes.filter((lane) => !lane.isUp);
  // Before the capture began there is no interval, and the CPU time is that of the start.
  const hasBegun = before.elapsedMs > 0;
  const lost = `lost ${lossText(now)}`;
  const hasLost = lost !== 'lost 0';
  const cpuUs = now.cpuUserUs + now.cpuSystemUs - before.cpuUserUs - before.cpuSystemUs;
  return [
    ...(now.offline === undefined ? [] : offlineStatus(now.offline)),
    ...down.map((lane) => `no channel to ${lane.name}`),
    // Where something is lost that matters more than how much is not.
    ...(hasLost ? [lost] : []),
    ...(now.budget.share < 1 ? [`over budget: ${shareText(now.budget.share)} of connections copied`] : []),
    // Rounded up it would be over before its end.
    ...(now.ramp < 1 ? [`ramp ${shareText(Math.min(now.ramp, 0.99))}`] : []),
    ...(now.udp === true
      ? datagramParts(before, now, perSecond)
      : [
          `${perSecond(now.engine.turnsDelivered - before.engine.turnsDelivered)} requests/s copied`,
          counted(now.sessionsOpen, 'session'),
        ]),
    ...(hasLost ? [] : [lost]),
    `lag ${lagText(now.lagMs)}`,
    ...(hasBegun ? [`CPU ${Math.round(cpuUs / (intervalMs * 10))} %`] : []),
  ];
}

function datagramParts(before: CopyFigures, now: CopyFigures, perSecond: (count: number) => string): string[] {
  const { delivered, unreachable } = now.engine.datagrams;
  const since = before.engine.datagrams;
  return [
    ...(unreachable > since.unreachable ? ['nobody listens at a target'] : []),
    `${perSecond(delivered - since.delivered)} copies/s delivered`,
  ];
}

/** What the log says now and then of how it goes. */
export function progressFields({ engine, sessionsOpen, udp }: CopyFigures): Record<string, number> {
  const { turnsCaptured, turnsDelivered, turnsPending, datagrams } = engine;
  if (udp !== true) return { sessions: sessionsOpen, turnsCaptured, turnsDelivered, turnsPending };
  const { captured, delivered, pending } = datagrams;
  return { datagramsCaptured: captured, datagramsDelivered: delivered, datagramsPending: pending };
}

/** `0`, or `12 (targetReset 10, captureGap 2)`; drops of the capture buffer are named although they are packets. */
export function lossText(figures: Pick<CopyFigures, 'engine' | 'sources'>): string {
  const { turnsLost: turns, datagrams } = figures.engine;
  const reasons = [...Object.entries(turns), ...Object.entries(datagrams.lost)]
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${reason} ${count.toLocaleString('en-US')}`);
  const drops = captureDrops(figures);
  if (drops > 0) reasons.push(`capture buffer full: ${counted(drops, 'packet')}`);
  const total = (turnsLost(figures.engine) + datagramsLost(figures.engine)).toLocaleString('en-US');
  return reasons.length === 0 ? total : `${total} (${reasons.join(', ')})`;
}

export function lagText(lagMs: number): string {
  return lagMs < MS_PER_SECOND ? `${Math.round(lagMs)} ms` : `${(lagMs / MS_PER_SECOND).toFixed(1)} s`;
}

/** Two digits that count: 25 %, 0.13 %. */
export function shareText(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}
