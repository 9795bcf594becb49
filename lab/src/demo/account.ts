import type { LoadReport } from '../load-report.js';
import type { CopySummary } from '../traffic-copy.js';
import type { IdLedger } from './id-ledger.js';
import type { Stage } from './stage.js';
import { textTable } from './text-table.js';

export type AccountedPart = 'online' | 'target' | 'copy' | 'intercept';

/** One phase of load from both generators. */
export interface Load {
  readonly requests: number;
  readonly errors: number;
  readonly keepAlive: LoadReport;
  readonly short: LoadReport;
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US');
const milliseconds = (us: number): string => `${(us / 1000).toFixed(2)} ms`;

/** What the second phase gave, against the first one. */
export interface Account {
  readonly off: Load;
  readonly on: Load;
  readonly ledger: IdLedger;
  /** The copy's own account. */
  readonly turns: CopySummary['turns'];
  readonly cpuUs: Readonly<Record<AccountedPart, number>>;
  readonly atClient: number;
  readonly atTargetDevice: number;
}

/** Shows the account; true when nothing was lost, came twice, or came where it should not. */
export function tellAccount(
  stage: Stage,
  { off, on, ledger, turns, cpuUs, atClient, atTargetDevice }: Account,
): boolean {
  const good = (isGood: boolean, text: string): string => stage.style(isGood ? 'green' : 'red', text);
  stage.step('The account');
  stage.say();
  stage.table(
    textTable(
      ['requests of the second phase', 'at online', 'at the target', 'lost', 'arrived twice'],
      [
        [
          'numbered, counted by both services',
          number(ledger.online),
          number(ledger.target),
          good(ledger.lost === 0, number(ledger.lost)),
          good(ledger.twice === 0, number(ledger.twice)),
        ],
      ],
    ),
  );
  stage.say();
  const latency = (name: string, pick: (load: Load) => LoadReport): string[] => [
    name,
    milliseconds(pick(off).latencyUs.p50),
    milliseconds(pick(on).latencyUs.p50),
    milliseconds(pick(off).latencyUs.p99),
    milliseconds(pick(on).latencyUs.p99),
  ];
  stage.table(
    textTable(
      ['what the clients notice', 'p50 off', 'p50 copying', 'p99 off', 'p99 copying'],
      [
        latency('keep-alive connections', (load) => load.keepAlive),
        latency('a connection per request', (load) => load.short),
      ],
    ),
  );
  stage.say();
  const cpu = (part: AccountedPart): string => `${cpuUs[part].toFixed(1)} us`;
  stage.table(
    textTable(
      ['CPU per request', 'online service', 'target service', 'copy', 'intercept'],
      [['user and system time', cpu('online'), cpu('target'), cpu('copy'), cpu('intercept')]],
    ),
  );
  stage.say();
  stage.table(
    textTable(
      ['packets that should not be there', 'seen'],
      [
        ['from the target, at the client', good(atClient === 0, number(atClient))],
        ["answers to copies, on the target's outer interface", good(atTargetDevice === 0, number(atTargetDevice))],
      ],
    ),
  );
  stage.say();
  const problems = [];
  if (ledger.online === 0) problems.push('no requests were made');
  if (ledger.lost > 0) problems.push(`${number(ledger.lost)} requests were lost`);
  if (ledger.twice > 0) problems.push(`${number(ledger.twice)} requests arrived twice`);
  if (turns.lost > 0) problems.push(`the copy itself says that ${number(turns.lost)} were lost`);
  if (atClient + atTargetDevice > 0) problems.push(`${number(atClient + atTargetDevice)} packets leaked`);
  if (off.errors + on.errors > 0) problems.push(`clients met ${off.errors + on.errors} errors`);
  const isGood = problems.length === 0;
  stage.say(
    good(isGood, isGood ? '✔ nothing was lost, nothing came twice, nothing leaked' : `✘ ${problems.join(', ')}`),
  );
  return isGood;
}
