import type { DatagramCounters, EngineCounters } from '@trafficcopy/core';
import { ProgramMetrics } from '@trafficcopy/runtime/metrics';
import type { CopyFigures, LaneFigures, SourceFigures } from './copy-figures.js';

const PREFIX = 'trafficcopy_copy_';

/** Engine counters that are metrics of their own: [field, name, help]. */
const ENGINE_COUNTERS: readonly [keyof EngineCounters & string, string, string][] = [
  ['turnsCaptured', 'turns_captured', 'Requests (turns) of clients, for each session that replays them'],
  ['turnsDelivered', 'turns_delivered', 'Turns that a target has acknowledged'],
  ['turnsAnswered', 'turns_answered', 'Turns that a target has answered'],
  ['turnsBeforeJoin', 'turns_before_join', 'Turns that began before a running connection could be joined'],
  ['connectionsSeen', 'connections_seen', 'Connections of clients'],
  ['sessionsStarted', 'sessions_started', 'Replayed sessions'],
  ['sessionsResumed', 'sessions_resumed', 'Sessions that went on over a fresh connection to the target'],
  ['packetsCaptured', 'captured_packets', 'Packets that the engine took from the capture'],
  ['bytesCaptured', 'captured_bytes', 'Octets of those packets'],
  ['packetsMalformed', 'captured_packets_malformed', 'Captured packets that are no whole TCP packets'],
  ['packetsUnmapped', 'captured_packets_unmapped', 'Captured packets that fit no mapping'],
  ['captureDuplicates', 'captured_duplicates', 'Captured segments that held nothing new'],
  ['captureOutOfOrder', 'captured_out_of_order', 'Captured segments that did not continue their stream'],
  ['captureGaps', 'capture_gaps', 'Gaps in streams that were given up'],
  ['packetsSent', 'sent_packets', 'Packets made for targets'],
  ['bytesSent', 'sent_bytes', 'Octets of those packets'],
  ['segmentsRetransmitted', 'retransmitted_segments', 'Segments sent to a target again'],
  ['lossProbes', 'loss_probes', 'Those of them that went out before their timer: an acknowledgement was overdue'],
  ['pathsNarrowed', 'paths_narrowed', 'Sessions whose segments became smaller: too big for the path'],
  ['responsesReceived', 'responses', 'Response headers of targets'],
  ['responseBytes', 'response_bytes', 'Payload octets that these headers stand for'],
  ['responsesUnknown', 'responses_unknown', 'Response headers of no session'],
  ['outputOverflows', 'output_overflows', 'Packets that an output batch had no room for; they are sent again'],
];

/** The metrics of the copy: read when they are asked for. */
export function copyMetrics(read: () => CopyFigures): ProgramMetrics {
  const metrics = new ProgramMetrics().addProcess();
  for (const [field, name, help] of ENGINE_COUNTERS) {
    metrics.counter(`${PREFIX}${name}_total`, help, () => read().engine[field] as number);
  }
  metrics.counters(
    `${PREFIX}turns_lost_total`,
    'Turns that reached no target',
    'reason',
    () => read().engine.turnsLost,
  );
  metrics.counters(
    `${PREFIX}sessions_ended_total`,
    'Sessions by how they ended',
    'state',
    () => read().engine.terminal,
  );
  addDatagrams(metrics, () => read().engine.datagrams);
  metrics.gauge(`${PREFIX}turns_pending`, 'Turns on their way', () => read().engine.turnsPending);
  metrics.gauge(`${PREFIX}sessions`, 'Sessions that are open', () => read().sessionsOpen);
  metrics.gauge(`${PREFIX}lag_seconds`, 'How far targets are behind clients', () => read().lagMs / 1000);
  metrics.gauge(
    `${PREFIX}budget_share`,
    'Share of the connections chosen by -r that --max-cpu and --max-memory leave; 1 while there is room',
    () => read().budget.share,
  );
  metrics.gauge(
    `${PREFIX}ramp_share`,
    'Of all copies of connections, the share that -g has come to; 1 without it',
    () => read().ramp,
  );
  metrics.counter(
    `${PREFIX}budget_sessions_shed_total`,
    'Running sessions that were ended because the program was far beyond its safety budget',
    () => read().budget.sessionsShed,
  );
  metrics.gauge(`${PREFIX}workers`, 'Workers that run (--threads)', () => read().workers);
  metrics.counter(
    `${PREFIX}worker_restarts_total`,
    'Workers that were started again after they died',
    () => read().workerRestarts,
  );
  metrics.counters(
    `${PREFIX}compared_turns_total`,
    'Turns that --compare is through with, by what it found',
    'outcome',
    () => comparedTurns(read()),
  );
  addSources(metrics, () => read().sources);
  addLanes(metrics, () => read().lanes);
  return metrics;
}

/** With --udp: 0 otherwise. */
function addDatagrams(metrics: ProgramMetrics, read: () => DatagramCounters): void {
  metrics
    .counter(`${PREFIX}datagrams_captured_total`, 'UDP datagrams of clients (--udp)', () => read().captured)
    .counter(`${PREFIX}datagram_copies_total`, 'Copies of datagrams that were due', () => read().copies)
    .counter(`${PREFIX}datagrams_delivered_total`, 'Copies that the kernel of a target took', () => read().delivered)
    .counter(
      `${PREFIX}datagrams_unreachable_total`,
      'Of those, copies to a port where nobody listened',
      () => read().unreachable,
    )
    .counters(`${PREFIX}datagrams_lost_total`, 'Copies that reached no target', 'reason', () => read().lost)
    .gauge(`${PREFIX}datagrams_pending`, 'Copies on their way', () => read().pending);
}

/** None without --compare. */
function comparedTurns({ comparison }: CopyFigures): Record<string, number> {
  if (comparison === undefined) return {};
  const { turns, equal, different, noise } = comparison;
  return { equal, different, noise, incomparable: turns - equal - different - noise };
}

function addSources(metrics: ProgramMetrics, read: () => readonly SourceFigures[]): void {
  const by = (value: (source: SourceFigures) => number) => (): Record<string, number> =>
    Object.fromEntries(read().map((source) => [source.name, value(source)]));
  const interfaces = 'interface';
  metrics
    .counters(
      `${PREFIX}ring_packets_total`,
      'Packets that passed the filter',
      interfaces,
      by((one) => one.packets),
    )
    .counters(
      `${PREFIX}ring_drops_total`,
      'Packets that found the capture buffer full; -B makes it larger',
      interfaces,
      by((one) => one.drops),
    );
}

function addLanes(metrics: ProgramMetrics, read: () => readonly LaneFigures[]): void {
  const by = (value: (lane: LaneFigures) => number) => (): Record<string, number> =>
    Object.fromEntries(read().map((lane) => [lane.name, value(lane)]));
  const add = (name: string, help: string, value: (lane: LaneFigures) => number): void => {
    metrics.counters(`${PREFIX}lane_${name}_total`, help, 'intercept', by(value));
  };
  add('connects', 'How often the channel came up', (lane) => lane.counters.connects);
  add('losses', 'How often the channel was lost', (lane) => lane.counters.losses);
  add('packets', 'Packets handed to the channel or the kernel', (lane) => lane.sink.packets);
  add('packets_refused', 'Packets that the full queue did not take', (lane) => lane.sink.packetsRefused);
  add('packets_down', 'Packets for a channel that was down', (lane) => lane.sink.packetsWithoutChannel);
  add('packets_failed', 'Packets that the kernel did not take (Direct)', (lane) => lane.sink.packetsFailed);
  add('frames_dropped', 'Frames that the full queue did not take', (lane) => lane.framesDropped);
  add('congestions', 'How often new sessions were held off for a full queue', (lane) => lane.counters.congestions);
  add('frames_malformed', 'HEADERS frames that made no sense', (lane) => lane.counters.framesMalformed);
  metrics
    .gauge(`${PREFIX}lanes_up`, 'Channels to intercepts that are up', () => read().filter((lane) => lane.isUp).length)
    .gauge(`${PREFIX}lane_queued_bytes`, 'Octets that wait in all channels', () =>
      read().reduce((sum, lane) => sum + lane.queuedBytes, 0),
    );
}
