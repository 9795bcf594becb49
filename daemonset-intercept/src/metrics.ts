import { ProgramMetrics } from '@trafficcopy/runtime/metrics';
import type { InterceptCounters } from './counters.js';
import type { InterceptFigures } from './intercept-figures.js';

const PREFIX = 'trafficcopy_intercept_';

/** Counters that are metrics of their own: [field, name, help]. */
const COUNTERS: readonly [keyof InterceptCounters & string, string, string][] = [
  ['packetsReceived', 'packets_received', 'Packets that copies sent for the target'],
  ['bytesReceived', 'bytes_received', 'Octets of those packets'],
  ['packetsInjected', 'packets_injected', 'Packets that were injected at the target'],
  ['packetsFailed', 'packets_failed', 'Packets that the kernel did not take'],
  ['datagramsReceived', 'datagrams_received', 'Of the packets received: UDP datagrams'],
  ['datagramsInjected', 'datagrams_injected', 'Of the packets injected: UDP datagrams'],
  ['datagramsFailed', 'datagrams_failed', 'UDP datagrams that the kernel did not take'],
  ['datagramAnswers', 'datagram_answers', 'Answers to datagrams that were taken from the kernel and dropped there'],
  ['datagramAnswerBytes', 'datagram_answer_bytes', 'Octets of those answers'],
  ['datagramsUnreachable', 'datagrams_unreachable', 'ICMP port unreachable for datagrams: the target does not listen'],
  ['datagramIcmp', 'datagram_icmp', 'Other ICMP to clients of datagrams, dropped as well'],
  ['flowsOpened', 'flows_opened', 'Copied connections that were opened'],
  ['flowsResumed', 'flows_resumed', 'Copied connections that a copy took up again after a reconnection'],
  ['flowsReleased', 'flows_released', 'Copied connections that their copies ended'],
  ['registrations', 'registrations', 'Connections that C tcpcopies registered'],
  ['messagesUnknown', 'tunnel_messages_unknown', 'Messages of C tcpcopies that are not known'],
  ['flowsEvicted', 'flows_evicted', 'Copied connections of C tcpcopies that were forgotten to make room'],
  ['flowsIdle', 'flows_idle', 'Copied connections that were forgotten because they were idle'],
  ['flowsReset', 'flows_reset', 'Copied connections that were reset because their copy was gone'],
  ['resetsInjected', 'resets_injected', 'RST packets injected at the target'],
  ['responses', 'responses', 'Responses that were taken from the kernel and dropped there'],
  ['responseBytes', 'response_bytes', 'Octets of those responses'],
  ['responsesReturned', 'responses_returned', 'Response headers that were sent to copies'],
  ['responsesNotReturned', 'responses_not_returned', 'Response headers that the full channel of a copy did not take'],
  ['responsesMalformed', 'responses_malformed', 'Packets of the queue that are nothing of this'],
  ['responsesUnknown', 'responses_unknown', 'Responses of no known connection'],
  ['responsesParked', 'responses_parked', 'First responses that waited for their connection to be registered'],
  ['responsesUnclaimed', 'responses_unclaimed', 'First responses for which no connection was registered in time'],
];

/** The metrics of intercept: read when they are asked for. */
export function interceptMetrics(read: () => InterceptFigures): ProgramMetrics {
  const metrics = new ProgramMetrics().addProcess();
  for (const [field, name, help] of COUNTERS) {
    metrics.counter(`${PREFIX}${name}_total`, help, () => read().counters[field] as number);
  }
  metrics
    .counters(
      `${PREFIX}records_refused_total`,
      'Packets of copies that were not injected',
      'reason',
      () => read().counters.recordsRefused,
    )
    .counters(`${PREFIX}send_errors_total`, 'Failures of raw sockets', 'errno', () => read().sendErrors)
    .counter(`${PREFIX}queue_packets_total`, 'Packets read from the NFQUEUE', () => read().queue.packets)
    .counter(
      `${PREFIX}queue_dropped_total`,
      'Responses lost: NFQUEUE full; --queue-length makes it longer',
      () => read().queue.queueDropped,
    )
    .counter(
      `${PREFIX}queue_user_dropped_total`,
      'Responses lost: netlink buffer of the NFQUEUE full',
      () => read().queue.userDropped,
    )
    .counter(`${PREFIX}connections_total`, 'Connections of copies', () => read().connections)
    .counter(`${PREFIX}peers_refused_total`, 'Peers that were refused on the port', () => read().peersRefused)
    .gauge(`${PREFIX}flows`, 'Copied connections now', () => read().flows)
    .gauge(`${PREFIX}flows_limit`, 'Copied connections at most', () => read().flowsMax)
    .gauge(`${PREFIX}copies`, 'Copies that are connected', () => read().copies)
    .gauge(`${PREFIX}target_pods_serving`, 'Target pods of this node that are served', () => read().podsServing)
    .gauge(
      `${PREFIX}target_pods_not_serving`,
      'Target pods of this node that are prepared, left or failed; the log says why',
      () => read().podsNotServing,
    )
    .gauge(`${PREFIX}workers`, 'Workers that run (--threads)', () => read().workers)
    .counter(
      `${PREFIX}worker_restarts_total`,
      'Workers that were started again after they died',
      () => read().workerRestarts,
    )
    .gauge(`${PREFIX}queued_bytes`, 'Octets that wait for copies', () => read().queuedBytes);
  return metrics;
}
