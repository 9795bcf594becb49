import { stat } from 'node:fs/promises';
import { StartError } from '@trafficcopy/runtime';
import { CaptureFile } from './capture-file.js';
import { STANDARD_INPUT } from './capture-octets.js';

/** A capture file as it was found at the start. */
export interface Recording {
  readonly path: string;
  /** Undefined for a pipe: it has no size and is read once. */
  readonly fileBytes: number | undefined;
  /** When its first frame was captured, microseconds since 1970; undefined when it has none, or for a pipe. */
  readonly firstUs: number | undefined;
}

/**
 * Looks at each file and puts them in the order of their first frames.
 *
 * @throws StartError: one cannot be read, is no capture file, or has a link type without IP; nothing was replayed then
 */
export async function recordingsOf(paths: readonly string[], runs: number): Promise<Recording[]> {
  const recordings: Recording[] = [];
  for (const path of paths) recordings.push(await look(path));
  const pipe = recordings.find((recording) => recording.fileBytes === undefined);
  if (pipe !== undefined && (recordings.length > 1 || runs > 1)) {
    const what = runs > 1 ? 'be replayed several times (-T)' : 'be replayed beside other files';
    throw new StartError('ERR_START_CAPTURE_FILE', `-i ${pipe.path}: a pipe cannot ${what}: write it to a file first`);
  }
  return recordings.sort((a, b) => (a.firstUs ?? 0) - (b.firstUs ?? 0));
}

async function look(path: string): Promise<Recording> {
  if (path === STANDARD_INPUT) {
    if (process.stdin.isTTY) {
      throw new StartError(
        'ERR_START_CAPTURE_FILE',
        '-i -: standard input is a terminal; expected a capture, as in "tcpdump -w - | trafficcopy copy -i - …"',
      );
    }
    return { path, fileBytes: undefined, firstUs: undefined };
  }
  const found = await stat(path).catch((cause: Error) => {
    throw new StartError('ERR_START_CAPTURE_FILE', `-i ${path}: it cannot be read: ${cause.message}`, { cause });
  });
  if (found.isCharacterDevice() || found.isBlockDevice()) {
    throw new StartError('ERR_START_CAPTURE_FILE', unreadableText(path, 'it is a device'));
  }
  if (!found.isFile() && !found.isDirectory()) return { path, fileBytes: undefined, firstUs: undefined };
  const firstUs = await firstFrame(path);
  return { path, fileBytes: found.size, firstUs };
}

async function firstFrame(path: string): Promise<number | undefined> {
  let onChange: () => void = () => {};
  const file = new CaptureFile(path, () => onChange());
  try {
    while (!file.next() && !file.hasEnded) {
      await new Promise<void>((resolve) => {
        onChange = resolve;
      });
    }
    if (!file.hasHeader) {
      throw new StartError('ERR_START_CAPTURE_FILE', unreadableText(path, file.problem));
    }
    return file.firstUs;
  } finally {
    file.close();
  }
}

/** What is said of a file of which nothing could be read. */
export function unreadableText(path: string, problem: string | undefined): string {
  return `-i ${path}: it cannot be replayed: ${problem ?? 'it has no header'}; expected a pcap or pcapng file, or one packed with gzip`;
}
