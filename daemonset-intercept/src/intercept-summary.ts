import { type SummaryRow, SummaryTable } from '@trafficcopy/runtime';
import { type InterceptFigures, responsesLost } from './intercept-figures.js';
import { QUEUE_DROP_ADVICE } from './queue-alarm.js';

const REFUSAL_NOTES: Readonly<Record<string, string>> = {
  malformed: 'frames that a copy should not send: are both of the same version?',
  badPacket: 'no whole, plain TCP packets or UDP datagrams',
  notSyn: 'connections that do not begin with a SYN',
  targetUnknown: 'for an address or port that is not served here: see --target and the mapping of the copy',
  sourceRefused:
    'from an address of the target itself: give the copy other client addresses (-c), or allow them (--allow-source); of datagrams from none of --udp-clients',
  flowUnknown: 'of connections that intercept does not know',
  flowTaken: 'another copy uses that client address and port; the copies chose other ports',
  flowTableFull: 'too many connections at one time',
  datagramsOff: 'UDP datagrams: they are taken with --udp-clients only',
};

/** The table at the end of a run. */
export function interceptSummaryTable(figures: InterceptFigures): SummaryTable {
  const { counters, queue } = figures;
  const table = new SummaryTable();
  table.add('Packets to the target', [
    { label: 'received by the channel', value: counters.packetsReceived },
    { label: 'of them injected (Tunnel)', value: counters.packetsInjected },
    ...present({ label: 'of those UDP datagrams', value: counters.datagramsInjected }),
    ...present({ label: 'refused by the kernel', value: counters.packetsFailed, note: errorsText(figures) }),
    ...Object.entries(counters.recordsRefused).flatMap(([reason, value]) =>
      present({ label: `refused: ${reason}`, value, note: REFUSAL_NOTES[reason] ?? '' }),
    ),
  ]);
  table.add('Responses of the target', [
    { label: 'of connections, taken and dropped', value: counters.responses },
    ...present({ label: 'to datagrams, taken and dropped', value: counters.datagramAnswers }),
    { label: 'headers returned to copies', value: counters.responsesReturned },
    ...present(
      { label: 'lost: queue full', value: queue.queueDropped, note: QUEUE_DROP_ADVICE.queueDropped },
      { label: 'lost: netlink buffer full', value: queue.userDropped, note: QUEUE_DROP_ADVICE.userDropped },
      { label: 'lost: channel full', value: counters.responsesNotReturned, note: 'a copy or the way to it is slow' },
      { label: 'of unknown connections', value: counters.responsesUnknown },
      {
        label: 'to datagrams: port unreachable',
        value: counters.datagramsUnreachable,
        note: 'the target does not listen; the log names it',
      },
      { label: 'to datagrams: other ICMP', value: counters.datagramIcmp },
      { label: 'not understood', value: counters.responsesMalformed },
    ),
  ]);
  table.add('Connections at the target', [
    { label: 'opened', value: counters.flowsOpened },
    { label: 'ended by copies', value: counters.flowsReleased },
    ...present(
      { label: 'taken up after a reconnection', value: counters.flowsResumed },
      { label: 'reset, their copy was gone', value: counters.flowsReset },
      { label: 'forgotten when idle', value: counters.flowsIdle },
      { label: 'registered by C tcpcopies', value: counters.registrations },
      { label: 'of those forgotten to make room', value: counters.flowsEvicted },
    ),
  ]);
  table.add('Channel', [
    { label: 'connections of copies', value: figures.connections },
    ...present({ label: 'peers refused', value: figures.peersRefused }),
  ]);
  table.add('Cost', [
    { label: 'ran for', value: `${(figures.elapsedMs / 1000).toFixed(1)} s` },
    { label: 'CPU time', value: `${((figures.cpuUserUs + figures.cpuSystemUs) / 1e6).toFixed(2)} s` },
    { label: 'memory', value: `${Math.round(figures.rssBytes / (1024 * 1024))} MiB` },
    ...present({ label: 'workers started again', value: figures.workerRestarts, note: 'the log says why they died' }),
  ]);
  return table;
}

function errorsText({ sendErrors }: InterceptFigures): string {
  return Object.entries(sendErrors)
    .map(([name, count]) => `${name} ${count.toLocaleString('en-US')}`)
    .join(', ');
}

/** The rows that have something to say. */
function present(...rows: readonly SummaryRow[]): SummaryRow[] {
  return rows.filter((row) => row.value !== 0);
}

/** The JSON of `--summary`. Fields are only ever added. */
export function interceptSummaryJson(figures: InterceptFigures, reason: string): Record<string, unknown> {
  return {
    program: 'intercept',
    endReason: reason,
    elapsedMs: Math.round(figures.elapsedMs),
    counters: figures.counters,
    queue: figures.queue,
    lost: Object.fromEntries(responsesLost(figures)),
    sendErrors: figures.sendErrors,
    flows: figures.flows,
    copies: figures.copies,
    connections: figures.connections,
    peersRefused: figures.peersRefused,
    cpu: { userUs: figures.cpuUserUs, systemUs: figures.cpuSystemUs },
    rssBytes: figures.rssBytes,
    workers: figures.workers,
    workerRestarts: figures.workerRestarts,
  };
}
