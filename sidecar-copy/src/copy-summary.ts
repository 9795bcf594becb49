import type { DatagramCounters } from '@trafficcopy/core';
import { type SummaryRow, SummaryTable } from '@trafficcopy/runtime';
import { addComparison } from './compare/comparison-sections.js';
import { type CopyFigures, captureDrops, cpuUsPerTurn, datagramsLost, turnsLost } from './copy-figures.js';
import type { OfflineFigures } from './offline/offline-figures.js';
import type { LoadFigures } from './report/load-report.js';
import { loadRows } from './report/load-rows.js';

/** What a turn's loss means, and what helps. */
export const LOSS_NOTES: Readonly<Record<string, string>> = {
  captureGap: 'bytes were never captured; a larger -B/--capture-buffer helps when the capture dropped packets',
  targetRefused: 'nothing listens at the target',
  targetReset: 'the target closed or reset connections',
  noResponse: 'the target did not answer within -t/--timeout',
  shed: 'a limit was reached: --max-sessions, --max-connections or --max-held',
  overBudget: 'the program was far beyond --max-cpu or -m/--max-memory',
  channelLost: 'no channel to intercept, or intercept does not serve the target',
  targetUnavailable: 'the target had no place to go to: none of its pods was ready',
  withdrawn: 'their port or target was taken out of the settings',
  suspended: 'copying was suspended',
  encrypted: 'the connection carries TLS, which no target could decrypt',
  loginRefused: 'the target did not let users in, or --credentials does not have them; the log says whom and why',
  stateUnknown: 'they need what only the online server knows, like a statement prepared before the copy began',
  interrupted: 'the program, or the worker that had them, ended before they were delivered',
};

/** The same of a datagram's copy. */
export const DATAGRAM_LOSS_NOTES: Readonly<Record<string, string>> = {
  fragmented: 'they came in IP fragments, which are not put together',
  cutShort: 'the capture holds a part of them only (a short snap length)',
  tooLarge: 'larger than a packet to a target may be',
  shed: 'the way to intercept was full, or no port was free: give -c more addresses',
  overBudget: 'the program was beyond --max-cpu or -m/--max-memory',
  suspended: 'copying was suspended',
  targetUnavailable: 'their port or target was taken out of the settings',
  channelLost: 'the channel to intercept was down, or lost while they were on their way',
  refused: 'intercept does not serve the target, or does not take that address (--udp-clients)',
  failed: "the target's kernel did not take them; intercept's table says why",
  interrupted: 'the program, or the worker that had them, ended before they were heard of',
};

export const TERMINAL_LABELS: Readonly<Record<string, string>> = {
  copied: 'copied to their end',
  sampledOut: 'not chosen (-r), not due yet (-g)',
  overBudget: 'left out for the safety budget',
  midStreamSkipped: 'ended before they could be joined',
  captureGap: 'not captured completely',
  targetRefused: 'refused by the target',
  targetReset: 'closed or reset by the target',
  noResponse: 'not answered by the target',
  shed: 'given up at a limit',
  channelLost: 'without a channel',
  targetUnavailable: 'without a place to go to',
  withdrawn: 'taken out of the settings',
  suspended: 'ended by a suspension',
  encrypted: 'encrypted (TLS), not copied',
  loginRefused: 'not let in by the target',
  stateUnknown: 'in need of what only online knows',
  interrupted: 'running at the end, of the program or their worker',
};

/** The table at the end of a run; with `load` where targets were measured. */
export function copySummaryTable(figures: CopyFigures, load?: LoadFigures): SummaryTable {
  const { engine } = figures;
  const table = new SummaryTable();
  if (figures.udp === true) addDatagrams(table, engine.datagrams);
  else addTurns(table, figures);
  for (const target of load?.targets ?? []) table.add(`Target ${target.name}`, loadRows(target));
  if (figures.offline !== undefined) table.add('Capture files', fileRows(figures.offline));
  table.add('Packets', [
    { label: 'captured', value: engine.packetsCaptured },
    ...present(
      {
        label: 'dropped by the capture buffer',
        value: captureDrops(figures),
        note: 'the copy was too slow for a moment: a larger -B/--capture-buffer helps',
      },
      { label: 'captured, not understood', value: engine.packetsMalformed },
    ),
    { label: 'sent', value: engine.packetsSent },
    ...present({ label: 'of them sent again', value: engine.segmentsRetransmitted }),
    ...present({ label: 'before their timer (loss probes)', value: engine.lossProbes }),
    ...(figures.udp === true ? [] : [{ label: 'answers received', value: engine.responsesReceived }]),
  ]);
  if (figures.comparison !== undefined) addComparison(table, figures.comparison);
  for (const lane of figures.lanes) table.add(`Channel to ${lane.name}`, laneRows(lane));
  const perWhat = figures.udp === true ? 'CPU time per copy' : 'CPU time per request';
  table.add('Cost', [
    { label: 'ran for', value: `${(figures.elapsedMs / 1000).toFixed(1)} s` },
    { label: 'CPU time', value: `${((figures.cpuUserUs + figures.cpuSystemUs) / 1e6).toFixed(2)} s` },
    ...(cpuUsPerTurn(figures) === 0 ? [] : [{ label: perWhat, value: `${cpuUsPerTurn(figures).toFixed(1)} us` }]),
    { label: 'memory', value: `${Math.round(figures.rssBytes / (1024 * 1024))} MiB` },
    ...present({ label: 'workers started again', value: figures.workerRestarts, note: 'the log says why they died' }),
  ]);
  return table;
}

/** Datagrams of clients, and their copies: one for each target and -n. */
function addDatagrams(table: SummaryTable, datagrams: DatagramCounters): void {
  const { captured, copies, notChosen, delivered, unreachable, lost } = datagrams;
  const reasons = Object.entries(lost);
  table.add('Datagrams', [
    { label: 'captured', value: captured },
    ...present({ label: 'copies not chosen (-r), not due yet (-g)', value: notChosen }),
    { label: 'copies made', value: copies },
    { label: 'delivered to targets', value: delivered },
    ...present({ label: '  where nobody listened', value: unreachable, note: "the target's port is closed (ICMP)" }),
    { label: 'lost', value: reasons.reduce((sum, [, value]) => sum + value, 0) },
    ...reasons.flatMap(([reason, value]) =>
      present({ label: `  ${reason}`, value, note: DATAGRAM_LOSS_NOTES[reason] ?? '' }),
    ),
  ]);
}

function addTurns(table: SummaryTable, figures: CopyFigures): void {
  const { engine } = figures;
  table.add('Requests (turns)', [
    { label: 'captured', value: engine.turnsCaptured },
    { label: 'delivered to targets', value: engine.turnsDelivered },
    { label: 'lost', value: turnsLost(engine) },
    ...lossRows(figures),
    ...present({ label: 'before the copy began', value: engine.turnsBeforeJoin }),
  ]);
  table.add('Sessions', [
    { label: 'connections seen', value: engine.connectionsSeen },
    { label: 'sessions started', value: engine.sessionsStarted },
    ...present({ label: 'continued on a fresh connection', value: engine.sessionsResumed }),
    ...Object.entries(engine.terminal).flatMap(([state, value]) =>
      present({ label: TERMINAL_LABELS[state] ?? state, value }),
    ),
  ]);
}

function lossRows({ engine }: CopyFigures): SummaryRow[] {
  return Object.entries(engine.turnsLost).flatMap(([reason, value]) =>
    present({ label: `  ${reason}`, value, note: LOSS_NOTES[reason] ?? '' }),
  );
}

function fileRows(offline: OfflineFigures): SummaryRow[] {
  const done = offline.doneFraction;
  return [
    { label: 'frames read', value: offline.frames },
    ...present(
      { label: 'not sent to a port of -x, or left out by -F', value: offline.notWanted },
      { label: 'outside --from and --until', value: offline.outsideTime },
      { label: 'without an IP packet', value: offline.notIp },
      { label: 'too large for a packet', value: offline.oversized },
      { label: 'captured in part', value: offline.cut, note: 'requests in them are lost as captureGap' },
      { label: 'files that end early', value: offline.filesCutShort, note: 'the log says why' },
      {
        label: 'pauses cut out (-I)',
        value: offline.skippedMs === 0 ? 0 : `${(offline.skippedMs / 1000).toFixed(1)} s`,
      },
    ),
    ...(offline.runs === 1 ? [] : [{ label: 'run', value: `${offline.run} of ${offline.runs}` }]),
    ...(done === undefined || done === 1 ? [] : [{ label: 'replayed', value: `${Math.floor(done * 100)} %` }]),
  ];
}

function laneRows({ isUp, counters, sink, framesDropped }: CopyFigures['lanes'][number]): SummaryRow[] {
  const neverUp = counters.connects === 0 ? 'intercept was never reached' : undefined;
  return [
    { label: 'packets handed over', value: sink.packets, ...(neverUp === undefined ? {} : { note: neverUp }) },
    ...present(
      { label: 'times lost', value: counters.losses, note: isUp ? 'it came back' : '' },
      {
        label: 'packets not taken, queue full',
        value: sink.packetsRefused,
        note: 'intercept or the way to it is slow',
      },
      { label: 'packets not sent, channel down', value: sink.packetsWithoutChannel },
      { label: 'packets refused by the kernel', value: sink.packetsFailed },
      { label: 'frames dropped', value: framesDropped },
      { label: 'times congested', value: counters.congestions },
    ),
  ];
}

/** The rows that have something to say. */
function present(...rows: readonly SummaryRow[]): SummaryRow[] {
  return rows.filter((row) => row.value !== 0);
}

/** The JSON of `--summary`: the figures, and the sums that a script would have to form. Fields are only ever added. */
export function copySummaryJson(figures: CopyFigures, reason: string, load?: LoadFigures): Record<string, unknown> {
  const { engine } = figures;
  return {
    program: 'copy',
    endReason: reason,
    elapsedMs: Math.round(figures.elapsedMs),
    turns: {
      captured: engine.turnsCaptured,
      delivered: engine.turnsDelivered,
      answered: engine.turnsAnswered,
      pending: engine.turnsPending,
      lost: turnsLost(engine),
      lostByReason: engine.turnsLost,
      beforeJoin: engine.turnsBeforeJoin,
    },
    ...(figures.udp === true
      ? { datagrams: { ...engine.datagrams, lost: datagramsLost(engine), lostByReason: engine.datagrams.lost } }
      : {}),
    engine,
    ...(load === undefined ? {} : { load }),
    capture: { drops: captureDrops(figures), sources: figures.sources },
    lanes: figures.lanes,
    budget: figures.budget,
    ...(figures.offline === undefined ? {} : { offline: figures.offline }),
    ...(figures.comparison === undefined ? {} : { comparison: figures.comparison }),
    cpu: { userUs: figures.cpuUserUs, systemUs: figures.cpuSystemUs, usPerTurn: cpuUsPerTurn(figures) },
    rssBytes: figures.rssBytes,
    workers: figures.workers,
    workerRestarts: figures.workerRestarts,
  };
}
