import { counted } from '@trafficcopy/runtime';
import type { CopyFigures } from './copy-figures.js';
import { LOSS_NOTES, TERMINAL_LABELS } from './copy-summary.js';
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
  if (offline === undefined || !isOver || engine.turnsDelivered > 0) return undefined;
  return offline.packets === 0 ? nothingFitsText(offline, unwanted) : nothingDeliveredText(figures);
}

function nothingDeliveredText({ engine }: CopyFigures): string {
  const { turnsCaptured, turnsPending, turnsBeforeJoin, connectionsSeen, turnsLost, terminal } = engine;
  if (turnsCaptured === 0) {
    const ends = present(terminal).map(([end, count]) => `${TERMINAL_LABELS[end] ?? end}: ${text(count)}`);
    if (turnsBeforeJoin > 0)
      ends.push(`requests that were under way when the recording began: ${text(turnsBeforeJoin)}`);
    return `nothing was delivered: of ${counted(connectionsSeen, 'connection')} none brought a request that could be copied (${ends.join(', ')})`;
  }
  const losses = present(turnsLost).map(([loss, count]) => {
    const note = LOSS_NOTES[loss];
    return note === undefined ? `${loss} ${text(count)}` : `${loss} ${text(count)} (${note})`;
  });
  if (turnsPending > 0) losses.push(`not yet answered ${text(turnsPending)}`);
  return `nothing was delivered: of ${counted(turnsCaptured, 'request')} none arrived: ${losses.join(', ')}`;
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
