import { type FlagValues, UsageError } from '@trafficcopy/runtime';
import { STANDARD_INPUT } from '../offline/capture-octets.js';
import type { OfflinePlan } from '../offline/offline-plan.js';
import { COPY_FLAGS } from './copy-flags.js';
import { isGiven } from './given-flag.js';

/** What means something for capture files only, and for a live capture only. */
const OF_FILES = ['speed', 'idleMsMax', 'runs', 'rate', 'connect', 'from', 'until'] as const;
const OF_CAPTURES = ['captureBufferBytes', 'capture'] as const;
/** What has no meaning without packets and intercept, and why. */
const NOT_CONNECTED = {
  intercept: 'there is no intercept',
  port: 'there is no intercept',
  joinToken: 'there is no intercept',
  insecure: 'there is no channel to intercept',
  wire: 'there is no intercept',
  responsePayload: 'there is no intercept',
  delivery: 'connections are neither of both',
  clientAddresses: 'connections come from this host',
  mtuBytes: 'the system cuts what is sent',
  recordFile: 'no packets of ours are sent; "tcpdump -w" records those of the system',
} as const;

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
  if (values.connect) refuseUnconnected(values);
  return { files, speed, idleMsMax, rate, runs, from, until };
}

function refuseUnconnected(values: FlagValues<typeof COPY_FLAGS>): void {
  for (const name of Object.keys(NOT_CONNECTED) as (keyof typeof NOT_CONNECTED)[]) {
    if (!isGiven(values, name)) continue;
    throw new UsageError(`${flagText(name)} does not go together with --connect: ${NOT_CONNECTED[name]}`);
  }
}

function flagText(name: keyof typeof COPY_FLAGS): string {
  const flag: { readonly short?: string; readonly long: string } = COPY_FLAGS[name];
  return flag.short === undefined ? `--${flag.long}` : `-${flag.short}/--${flag.long}`;
}

function refuse(
  values: FlagValues<typeof COPY_FLAGS>,
  names: readonly (keyof typeof COPY_FLAGS)[],
  isOffline: boolean,
): void {
  for (const name of names) {
    if (!isGiven(values, name)) continue;
    const text = flagText(name);
    const [device] = values.interfaces.flatMap((place) => (place.kind === 'device' ? [place.name] : []));
    if (isOffline) throw new UsageError(`${text} is for a live capture, and -i names a file`);
    const expected =
      device === undefined
        ? ': expected -i FILE as well'
        : `, and -i ${device} names a device: expected a file, written as ./${device}, NAME.pcap, NAME.pcapng or -`;
    const why =
      name === 'connect' ? '; a live copy needs intercept, so that the target sees the clients as they are' : '';
    throw new UsageError(`${text} is for capture files${expected}${why}`);
  }
}
