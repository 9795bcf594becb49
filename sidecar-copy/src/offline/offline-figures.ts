import { counted } from '@trafficcopy/runtime';
import type { RecordingCounters, UnwantedContents } from './recording-reader.js';

/** How far the replay of capture files is; a picture of one moment. */
export interface OfflineFigures extends RecordingCounters {
  /** From 0 to 1, all runs; undefined when it is not known how much comes (a pipe). */
  readonly doneFraction: number | undefined;
  /** As long as it goes on like this, ms; undefined when that is not known. */
  readonly leftMs: number | undefined;
  /** From 1 on. */
  readonly run: number;
  readonly runs: number;
  /** Recorded time that was worked through in this run, ms. */
  readonly positionMs: number;
  /** Recorded time that -I cut out, all runs, ms. */
  readonly skippedMs: number;
  /** How much later than its time the next packet is, ms: engine or target do not keep up. */
  readonly behindMs: number;
}

const BAR_COLUMNS = 20;

/** For the status line: how far, and how long still. */
export function offlineStatus(figures: OfflineFigures): string[] {
  const { doneFraction, leftMs, run, runs, positionMs, behindMs } = figures;
  const parts = [doneFraction === undefined ? `${clock(positionMs)} of the capture` : bar(doneFraction)];
  if (leftMs !== undefined) parts.push(`${clock(leftMs)} left`);
  if (runs > 1) parts.push(`run ${run} of ${runs}`);
  if (behindMs >= 1000) parts.push(`${clock(behindMs)} behind`);
  return parts;
}

/** For a line of the log. */
export function offlineProgress({ doneFraction, leftMs, run, positionMs }: OfflineFigures): Record<string, number> {
  return {
    run,
    positionMs: Math.round(positionMs),
    ...(doneFraction === undefined ? {} : { donePercent: Math.floor(doneFraction * 100) }),
    ...(leftMs === undefined ? {} : { leftMs: Math.round(leftMs) }),
  };
}

/** What is said when the files held nothing to replay. */
export function nothingFitsText(figures: OfflineFigures, contents: UnwantedContents | undefined): string {
  if (contents?.unreadable !== undefined) return contents.unreadable;
  const { frames, notIp, outsideTime, notWanted, oversized } = figures;
  if (frames === 0) return 'nothing was replayed: there was no frame to read';
  const reasons: readonly [number, string][] = [
    [
      notWanted,
      'of other ports, addresses or directions than those of -x and -F (or of clients on 127.0.0.1, which need -c)',
    ],
    [outsideTime, 'outside --from and --until'],
    [notIp, 'without an IP packet'],
    [oversized, 'too large for a packet'],
  ];
  const given = reasons.filter(([count]) => count > 0).map(([count, reason]) => `${count} ${reason}`);
  const nothing = `nothing was replayed: of ${counted(frames, 'frame')} none was sent to a port of -x: ${given.join(', ')}`;
  return notWanted === 0 || contents === undefined ? nothing : `${nothing}. ${serversText(contents.servers)}`;
}

function serversText({ most, count }: UnwantedContents['servers']): string {
  const [first] = most;
  if (first === undefined) return 'There is nothing of the kind in it (TCP, or UDP with --udp)';
  const named = most.map(({ endpoint, packets }) => `${endpoint} (${counted(packets, 'packet')})`).join(', ');
  const more = count > most.length ? ` and ${count - most.length} more` : '';
  return `What there is goes to or comes from ${named}${more}: expected one of them before the dash of -x, like -x ${first.endpoint}-TARGET-IP:PORT`;
}

function bar(fraction: number): string {
  const full = Math.round(Math.min(1, fraction) * BAR_COLUMNS);
  return `[${'='.repeat(full)}${' '.repeat(BAR_COLUMNS - full)}] ${Math.floor(Math.min(1, fraction) * 100)} %`;
}

/** `0:05`, `12:40`, `3:07:00`. */
function clock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = String(seconds % 60).padStart(2, '0');
  return hours === 0 ? `${minutes}:${tail}` : `${hours}:${String(minutes).padStart(2, '0')}:${tail}`;
}
