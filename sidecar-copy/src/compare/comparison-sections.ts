import type { SummaryRow, SummaryTable } from '@trafficcopy/runtime';
import type { ComparisonFigures } from './comparison-figures.js';

/** Why a turn could not be compared, and what helps. */
const REASONS: Readonly<Record<string, readonly [string, string]>> = {
  noRoom: ['no room', 'too many answers at one time; a smaller --compare-bytes makes room'],
  notDelivered: ['not delivered to a target', 'see lost above'],
  onlineIncomplete: [
    "online's answer not captured whole",
    'a larger -B/--capture-buffer helps when the capture dropped packets',
  ],
  targetIncomplete: ["a target's answer not received whole", 'headers of the answer were lost on their way here'],
  onlineSilent: ['not answered by online', 'or its answers are not in the capture'],
  notAligned: ['answers overlap', 'online answered early, or the client pipelines'],
  multiplexed: ['HTTP/2, or upgraded', 'both sides speak at once: nothing is the answer to anything'],
  ownAnswer: ['logins, and what depends on them', 'each server has its own (--credentials)'],
  interrupted: ['under way at the end', ''],
};
/** A line is not broken between a figure and its name or unit. */
const NBSP = '\u00a0';
const REQUESTS_SHOWN = 10;
const FIELDS_SHOWN = 8;

/** Adds what --compare found to the table at the end of a run. */
export function addComparison(table: SummaryTable, figures: ComparisonFigures): void {
  const { turns, equal, different, noise, incomparable, differencesDropped } = figures;
  const rows: SummaryRow[] = [
    { label: 'compared', value: equal + different + noise },
    { label: 'equal', value: equal },
    {
      label: 'different',
      value: different,
      ...(differencesDropped === 0
        ? {}
        : { note: `${differencesDropped} of them beyond --compare-max, not in the file` }),
    },
    { label: 'equal but for noise', value: noise, note: noise === 0 ? '' : fieldsText(figures.noiseFields) },
    { label: 'not comparable', value: turns - equal - different - noise },
  ];
  for (const [reason, value] of Object.entries(incomparable)) {
    const [label, note] = REASONS[reason] ?? [reason, ''];
    rows.push({ label: `  ${label}`, value, note });
  }
  for (const [name, target] of Object.entries(figures.targets)) {
    rows.push({ label: `differs: ${name}`, value: target.turns, note: fieldsText(target.fields) });
  }
  table.add('Answers compared (--compare)', rows);
  table.add(
    'Requests that differ most often',
    figures.requests.slice(0, REQUESTS_SHOWN).map(({ request, turns: value }) => ({ label: request, value })),
  );
  table.add(
    'Requests with which a target was slowest, against online',
    figures.slow.slice(0, REQUESTS_SHOWN).map(({ request, target, onlineUs, targetUs, ratio }) => ({
      label: request,
      value: `${ratio.toFixed(1)} x`,
      note: `${target}:${NBSP}${text(targetUs)}, online:${NBSP}${text(onlineUs)}`,
    })),
  );
}

function fieldsText(fields: Readonly<Record<string, number>>): string {
  const entries = Object.entries(fields);
  const shown = entries.slice(0, FIELDS_SHOWN).map(([name, count]) => `${name}${NBSP}${count}`);
  return entries.length > FIELDS_SHOWN ? `${shown.join(', ')}, …` : shown.join(', ');
}

function text(us: number): string {
  return `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)}${NBSP}ms`;
}
