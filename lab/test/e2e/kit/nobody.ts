import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CopySummary, TRAFFIC_COPY } from '../../../src/index.js';
import { type CopyLab, ONLINE_PORT, TARGET_PORT } from './copy-lab.js';

const NOBODY = 65_534;
/** Somebody who may do nothing but read: the checkout may be where others have no access. */
const AS_NOBODY = [
  ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'],
  ...['inh-caps', 'ambient-caps', 'bounding-set'].map((set) => `--${set}=-all,+dac_read_search`),
];

export interface NobodyOptions {
  readonly flags?: readonly string[];
  /** Of online and target alike. Default: those of the lab. */
  readonly port?: number;
  /** What the file of --credentials has. Default: there is none. */
  readonly credentials?: string;
}

/** Replays a recording to the end over ordinary connections (--connect), as nobody, from the host of online. Nothing else of ours runs. */
export async function replayAsNobody(
  copyLab: CopyLab,
  file: string,
  { flags = [], port, credentials }: NobodyOptions = {},
): Promise<CopySummary> {
  const place = join(copyLab.online.directory, 'nobody');
  mkdirSync(place);
  chownSync(place, NOBODY, NOBODY);
  const [summary, logins] = [join(place, 'summary.json'), join(place, 'credentials.yaml')];
  if (credentials !== undefined) {
    writeFileSync(logins, credentials, { mode: 0o600 });
    chownSync(logins, NOBODY, NOBODY);
  }
  const copy = await copyLab.online.start('copy', 'setpriv', [
    ...[...AS_NOBODY, TRAFFIC_COPY, 'copy'],
    ...['-x', `${port ?? ONLINE_PORT}-${copyLab.targetEndpoint(port ?? TARGET_PORT)}`, '-i', file, '--connect'],
    ...['--state', join(place, 'state'), '--summary', summary],
    ...(credentials === undefined ? flags : ['--credentials', logins, ...flags]),
  ]);
  await copy.expectEnd(60_000, [0]);
  return JSON.parse(readFileSync(summary, 'utf8')) as CopySummary;
}
