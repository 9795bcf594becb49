import { SummaryTable } from '@trafficcopy/runtime';
import { lossText } from './loss-text.js';
import { conditionOf, type TrafficCopyView, troubles } from './traffic-copy-view.js';

const WIDTH_MAX = 110;

/** One TrafficCopy, whole. */
export function statusText(view: TrafficCopyView, columns: number): string {
  const { sources, targets, traffic } = view;
  const table = new SummaryTable();
  table.add(`${view.namespace}/${view.name}: ${stateText(view)}`, [
    { label: 'source pods', value: `${sources.copying}/${sources.selected}`, note: sourcesNote(view) },
    ...targets.map((target) => ({ label: `target ${target.name}`, value: `${target.ready}/${target.selected}` })),
    { label: 'requests per second', value: traffic.turnsPerSecond },
    {
      label: 'requests delivered',
      value: traffic.turnsDelivered,
      note: `of ${number(traffic.turnsCaptured)} captured`,
    },
    { label: 'under way', value: traffic.turnsPending },
    { label: 'lost', value: traffic.turnsLost, note: `${traffic.lostPercent} %` },
    { label: 'connections', value: traffic.connections, note: `${number(traffic.sessionsOpen)} copied ones are open` },
  ]);
  table.add(
    'Lost, by reason',
    view.losses.map(({ reason, turns }) => ({ label: reason, value: turns, note: lossText(reason) })),
  );
  const lines = troubles(view).map(({ type, reason, message }) => `${type} (${reason}): ${message}`);
  return [table.render(Math.min(columns, WIDTH_MAX)), ...lines].join('\n');
}

/** One line for each of several. */
export function statusLine(view: TrafficCopyView): readonly string[] {
  const { sources, targets, traffic } = view;
  const ready = targets.reduce((sum, target) => sum + target.ready, 0);
  const selected = targets.reduce((sum, target) => sum + target.selected, 0);
  return [
    view.namespace,
    view.name,
    stateText(view),
    `${sources.copying}/${sources.selected}`,
    `${ready}/${selected}`,
    `${number(traffic.turnsPerSecond)}/s`,
    number(traffic.turnsDelivered),
    `${traffic.lostPercent} %`,
  ];
}

export const STATUS_HEADINGS = ['NAMESPACE', 'NAME', 'STATE', 'SOURCES', 'TARGETS', 'RATE', 'DELIVERED', 'LOST'];

/** Columns of text, aligned. */
export function columnsText(rows: readonly (readonly string[])[]): string {
  const widths = STATUS_HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** In a word what it does. */
export function stateText(view: TrafficCopyView): string {
  if (view.isLeaving) return 'stopping';
  if (view.isSuspended) return 'suspended';
  if (view.observedGeneration === 0) return 'not seen by the operator yet';
  const ready = conditionOf(view, 'Ready');
  if (ready?.reason === 'Completed') return 'completed';
  const copying = conditionOf(view, 'Copying');
  if (copying?.status === 'True')
    return conditionOf(view, 'Degraded')?.status === 'True' ? 'copying, degraded' : 'copying';
  return `not copying (${copying?.reason || ready?.reason || 'Unknown'})`;
}

function sourcesNote(view: TrafficCopyView): string {
  const missing = view.sources.selected - view.sources.injected;
  return missing > 0 ? `${missing} without a copy yet` : '';
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
