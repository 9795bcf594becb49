import type { ProgramLog } from '@trafficcopy/runtime';
import type { CopyConfig } from '../config.js';
import type { CopyEdges } from '../copy-edges.js';
import { OfflineReplay } from './offline-replay.js';
import { recordingsOf } from './recording.js';

/**
 * The replay of a configuration's capture files; undefined when it has none.
 *
 * @throws StartError: a file cannot be replayed
 */
export async function openReplay(
  config: CopyConfig,
  edges: CopyEdges,
  logger: ProgramLog['logger'],
): Promise<OfflineReplay | undefined> {
  const { offline, mappings, copies, limits, udp } = config;
  if (offline === undefined) return undefined;
  return new OfflineReplay({
    plan: offline,
    recordings: await recordingsOf(offline.files, offline.runs),
    limits,
    udp,
    sessionsForEach: copies * Math.max(1, ...mappings.map(({ targets }) => targets.length)),
    nowMs: () => edges.nowMs(),
    onNote: (note) => logger.warn(note),
  });
}
