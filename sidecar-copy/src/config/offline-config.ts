import { type FlagValues, UsageError } from '@trafficcopy/runtime';
import { STANDARD_INPUT } from '../offline/capture-octets.js';
import type { OfflinePlan } from '../offline/offline-plan.js';
import { COPY_FLAGS } from './copy-flags.js';
import { isGiven } from './given-flag.js';

/** What means something for capture files only, and for a live capture only. */
const OF_FILES = ['speed', 'idleMsMax', 'runs', 'rate', 'from', 'until'] as const;
const OF_CAPTURES = ['captureBufferBytes', 'capture'] as const;

/**
 * What is replayed of which files; undefined for a live capture.
 *
 * @throws UsageError when values do not go together
 */
export function offlinePlan(values: FlagValues<typeof COPY_FLAGS>): OfflinePlan | undefined {
  const files = values.interfaces.filter((place) => place.kind === 'file').map((place) => place.path);
  refuse(values, files.length > 0 ? OF_CAPTURES : OF_FILES, files.length > 0);
  if (files.length === 0) return undefined;
  if (files.length < values.interfaces.length) {
    throw new UsageError('-i/--interface: devices and files exclude each other: expected one or the other');
  }
  if (files.includes(STANDARD_INPUT) && (files.length > 1 || values.runs > 1)) {
    throw new UsageError('-i -: standard input is read once: it goes neither with other files nor with -T/--repeat');
  }
  if (values.threads > 1) {
    throw new UsageError(
      `--threads ${values.threads} is for a live capture: a file is read in one order by one thread`,
    );
  }
  const { speed, rate, idleMsMax, runs, from, until } = values;
  if (rate !== undefined && (isGiven(values, 'speed') || idleMsMax !== undefined)) {
    throw new UsageError('--rate does not follow recorded times: expected it without -a/--speed and -I/--idle');
  }
  if (idleMsMax !== undefined && speed === Number.POSITIVE_INFINITY) {
    throw new UsageError('-I/--idle has no effect with -a max: there are no pauses');
  }
  return { files, speed, idleMsMax, rate, runs, from, until };
}

function refuse(
  values: FlagValues<typeof COPY_FLAGS>,
  names: readonly (keyof typeof COPY_FLAGS)[],
  isOffline: boolean,
): void {
  for (const name of names) {
    if (!isGiven(values, name)) continue;
    const flag: { readonly short?: string; readonly long: string } = COPY_FLAGS[name];
    const text = flag.short === undefined ? `--${flag.long}` : `-${flag.short}/--${flag.long}`;
    throw new UsageError(
      isOffline
        ? `${text} is for a live capture, and -i names a file`
        : `${text} is for capture files: expected -i FILE as well`,
    );
  }
}
