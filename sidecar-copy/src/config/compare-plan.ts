import { type CompareConfig, IGNORED_HEADERS_DEFAULT } from '@trafficcopy/core';
import { type FlagValues, UsageError } from '@trafficcopy/runtime';
import { COPY_FLAGS } from './copy-flags.js';
import { isGiven } from './given-flag.js';

/** Octets of answers that are followed at one time. */
const HELD_BYTES_MAX = 128 * 1024 * 1024;
const IGNORE_NONE = 'none';
const OF_COMPARE = ['compareBytes', 'compareIgnore', 'compareDifferences'] as const;

/** What is compared, and where the differences go. */
export interface ComparePlan {
  readonly file: string;
  readonly config: CompareConfig;
}

/**
 * Undefined without --compare.
 *
 * @throws UsageError when values do not go together
 */
export function comparePlan(values: FlagValues<typeof COPY_FLAGS>): ComparePlan | undefined {
  const { compareFile, compareBytes, compareIgnore, compareDifferences } = values;
  if (compareFile === undefined) {
    const unused = OF_COMPARE.find((name) => isGiven(values, name));
    if (unused === undefined) return undefined;
    throw new UsageError(`--${COPY_FLAGS[unused].long} has no effect without --compare`);
  }
  refuseOthers(values);
  const ignored = compareIgnore.map((name) => name.toLowerCase());
  if (ignored.includes(IGNORE_NONE) && ignored.length > 1) {
    throw new UsageError('--compare-ignore: expected "none" alone, or the names of headers');
  }
  return {
    file: compareFile,
    config: {
      answerBytesMax: compareBytes,
      answersMax: Math.floor(HELD_BYTES_MAX / compareBytes),
      ignoredHeaders: new Set(
        ignored.length === 0 ? IGNORED_HEADERS_DEFAULT : ignored.filter((name) => name !== IGNORE_NONE),
      ),
      differencesMax: compareDifferences,
    },
  };
}

function refuseOthers({ threads, noWait, wire, capture, runs, rate }: FlagValues<typeof COPY_FLAGS>): void {
  const reasons: readonly [boolean, string][] = [
    [threads > 1, `--threads ${threads}: answers are compared with one thread`],
    [noWait, '-W/--no-wait: only with waiting it is known which request an answer belongs to'],
    [wire !== undefined, '--wire: C intercepts send too little of the answers'],
    [capture !== 'native', `--capture=${capture}: only the native capture sees what online answers`],
    [runs > 1, '-T/--repeat: the answers of a recording are compared once'],
    [rate !== undefined, '--rate: it counts packets of clients, and the answers of online are in the file as well'],
  ];
  const found = reasons.find(([isGiven]) => isGiven);
  if (found !== undefined) throw new UsageError(`--compare does not go together with ${found[1]}`);
}
