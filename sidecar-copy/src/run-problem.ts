import type { DatagramCounters } from '@trafficcopy/core';
import { counted } from '@trafficcopy/runtime';
import type { CopyFigures } from './copy-figures.js';
import { DATAGRAM_LOSS_NOTES, LOSS_NOTES, TERMINAL_LABELS } from './copy-summary.js';
import { nothingFitsText } from './offline/offline-figures.js';
import type { UnwantedContents } from './offline/recording-reader.js';

/**
 * Why a run that ended in order is a failure all the same, as a sentence for people; undefined when it is none. A live copy of which nothing
 * arrived is none: there may have been nothing to copy. A replay that was to bring what a file holds, and brought nothing of it, is one, unless
 * a signal has ended it.
 *
 * @param unwanted what the files hold instead, where nothing of them was wanted
 */
export function runProblem(figures: CopyFigures, reason: string, unwanted?: UnwantedContents): string | undefined {
  const { offline, engine, elapsedMs } = figures;
  const isOver = reason === 'complete' || reason === 'duration';
  if (reason === 'duration' && elapsedMs === 0) return 'intercept was never reached, so nothing was copied';
  if (offline === undefined || !isOver || engine.turnsDelivered + engine.datagrams.delivered > 0) return undefined;
  if (offline.packets === 0) return nothingFitsText(offline, unwanted);
  return figures.udp === true ? noDatagramText(engine.datagrams) : nothingDeliveredText(figures);
}

function noDatagramText({ captured, copies, lost }: DatagramCounters): string {
  if (copies === 0) return `nothing was delivered: of ${counted(captured, 'datagram')} none was to be copied (-r, -g)`;
  const losses = lossTexts(lost, DATAGRAM_LOSS_NOTES);
  return `nothing was delivered: of ${copies === 1 ? '1 copy of a datagram' : `${text(copies)} copies of datagrams`} none arrived: ${losses.join(', ')}`;
}

function nothingDeliveredText({ engine }: CopyFigures): string {
  const { turnsCaptured, turnsPending, turnsBeforeJoin, connectionsSeen, turnsLost, terminal } = engine;
  if (turnsCaptured === 0) {
    const ends = present(terminal).map(([end, count]) => `${TERMINAL_LABELS[end] ?? end}: ${text(count)}`);
    if (turnsBeforeJoin > 0)
      ends.push(`requests that were under way when the recording began: ${text(turnsBeforeJoin)}`);
    return `nothing was delivered: of ${counted(connectionsSeen, 'connection')} none brought a request that could be copied (${ends.join(', ')})`;
  }
  const losses = lossTexts(turnsLost, LOSS_NOTES);
  if (turnsPending > 0) losses.push(`not yet answered ${text(turnsPending)}`);
  return `nothing was delivered: of ${counted(turnsCaptured, 'request')} none arrived: ${losses.join(', ')}`;
}

function lossTexts(lost: Readonly<Record<string, number>>, notes: Readonly<Record<string, string>>): string[] {
  return present(lost).map(([loss, count]) => {
    const note = notes[loss];
    return note === undefined ? `${loss} ${text(count)}` : `${loss} ${text(count)} (${note})`;
  });
}

/** The counters that are not 0, the largest first. */
function present(counters: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counters)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
}

function text(count: number): string {
  return count.toLocaleString('en-US');
}
