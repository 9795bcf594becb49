/**
 * The demo: a small shop with real load, copied live to its next version, then the account of it. Three hosts in network
 * namespaces; the programs run as a user starts them, the copy with the very command that intercept prints. All figures are
 * taken from outside: the services count, sniffers listen, the kernel says what CPU was used.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../deadline.js';
import { Lab } from '../lab.js';
import type { LabProcess } from '../lab-process.js';
import type { LoadReport } from '../load-report.js';
import type { Sniffer } from '../sniffer.js';
import { TrafficCopy } from '../traffic-copy.js';
import { compareIds, type IdLedger } from './id-ledger.js';
import { Stage } from './stage.js';
import { textTable } from './text-table.js';

const ONLINE_PORT = 80;
const TARGET_PORT = 8080;
const KEEP_ALIVE = { connections: 20, rate: 3_000 };
const SHORT = { connections: 8, rate: 400 };
const OFF_MS = 8_000;
const ON_MS = 12_000;
const WARM_UP_MS = 2_000;
const LIVE_MS = 500;
const SETTLE_MS = 10_000;
/** Ids of the short connections and of the second phase start so far on. */
const SHORT_IDS = 200_000;
const COPIED_IDS = 400_000;

interface Totals {
  readonly requests: number;
}

interface Load {
  readonly requests: number;
  readonly errors: number;
  readonly keepAlive: LoadReport;
  readonly short: LoadReport;
}

interface Parts {
  readonly online: LabProcess;
  readonly target: LabProcess;
  readonly copy: LabProcess;
  readonly intercept: LabProcess;
}

const stage = new Stage(process.stdout);
const number = (value: number): string => Math.round(value).toLocaleString('en-US');
const milliseconds = (us: number): string => `${(us / 1000).toFixed(2)} ms`;
const requestsOf = async (service: LabProcess): Promise<number> => (await service.ask<Totals>('totals')).requests;

/** One phase of load from two generators: connections that stay, and a connection for each request. */
async function drive(lab: Lab, durationMs: number, idStart: number): Promise<Load> {
  const shared = { host: lab.online.ipv4, port: ONLINE_PORT, 'duration-ms': durationMs };
  const [keepAlive, short] = await Promise.all([
    lab.client.program('load-generator', { ...shared, ...KEEP_ALIVE, 'id-start': idStart }),
    lab.client.program('load-generator', { ...shared, ...SHORT, requests: 1, 'id-start': idStart + SHORT_IDS }),
  ]);
  const [stayed, renewed] = await Promise.all([keepAlive.ask<LoadReport>('run'), short.ask<LoadReport>('run')]);
  await Promise.all([keepAlive.stop(), short.stop()]);
  const errors = [stayed, renewed]
    .flatMap((report) => Object.values(report.errors))
    .reduce((sum, count) => sum + count, 0);
  return { requests: stayed.requests + renewed.requests, errors, keepAlive: stayed, short: renewed };
}

/** Shows what both services count while the load runs. */
async function watch(parts: Parts, load: Promise<Load>): Promise<Load> {
  let isRunning = true;
  const done = load.finally(() => {
    isRunning = false;
  });
  const start = { online: await requestsOf(parts.online), target: await requestsOf(parts.target) };
  let [online, target, atMs] = [start.online, start.target, performance.now()];
  let cpuMs = { copy: parts.copy.cpuMs(), intercept: parts.intercept.cpuMs() };
  while (isRunning) {
    await Promise.race([delay(LIVE_MS), done.catch(() => {})]);
    const [onlineNow, targetNow, nowMs] = [
      await requestsOf(parts.online),
      await requestsOf(parts.target),
      performance.now(),
    ];
    const cpuNowMs = { copy: parts.copy.cpuMs(), intercept: parts.intercept.cpuMs() };
    const perSecond = 1000 / Math.max(1, nowMs - atMs);
    const share = (from: number, to: number): string => `${((to - from) * perSecond * 0.1).toFixed(0).padStart(3)} %`;
    stage.live(
      [
        `online ${number((onlineNow - online) * perSecond).padStart(6)}/s`,
        `target ${number((targetNow - target) * perSecond).padStart(6)}/s`,
        `copied ${number(targetNow - start.target).padStart(7)} of ${number(onlineNow - start.online).padStart(7)}`,
        `CPU copy ${share(cpuMs.copy, cpuNowMs.copy)} intercept ${share(cpuMs.intercept, cpuNowMs.intercept)}`,
      ].join('  '),
    );
    [online, target, atMs, cpuMs] = [onlineNow, targetNow, nowMs, cpuNowMs];
  }
  return done;
}

/** The words of the command that intercept printed, for this lab: its online port, and the checkout's own program. */
async function printedCommand(intercept: TrafficCopy, target: string): Promise<string[]> {
  const words = await intercept.joinCommand();
  const at = words.findIndex((word) => word === '-x' || word === '--map');
  if (at >= 0) words[at + 1] = `${ONLINE_PORT}-${target}:${TARGET_PORT}`;
  return words;
}

async function ledgerOf(parts: Parts): Promise<IdLedger> {
  const [online, target] = await Promise.all([parts.online.ask<string>('ids'), parts.target.ask<string>('ids')]);
  return compareIds(Buffer.from(online, 'base64'), Buffer.from(target, 'base64'), COPIED_IDS);
}

function picture(lab: Lab): void {
  stage.say(stage.style(['bold', 'cyan'], 'TrafficCopy: live traffic of a small shop, copied to its next version'));
  stage.say();
  stage.say(`  client ${lab.client.ipv4} ───▶ online ${lab.online.ipv4}:${ONLINE_PORT}     the shop, version 1`);
  stage.say(`                            │ copy`);
  stage.say(`                            ▼ TLS 1.3 with client certificates, port 36524`);
  stage.say(`                          target ${lab.target.ipv4}:${TARGET_PORT}   version 2: its answers go nowhere`);
}

interface Outcome {
  readonly off: Load;
  readonly on: Load;
  readonly ledger: IdLedger;
  readonly cpuUs: Readonly<Record<keyof Parts, number>>;
  readonly atClient: number;
  readonly atTargetDevice: number;
}

function conclude({ off, on, ledger, cpuUs, atClient, atTargetDevice }: Outcome): boolean {
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
  const cpu = (part: keyof Parts): string => `${cpuUs[part].toFixed(1)} us`;
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
  if (atClient + atTargetDevice > 0) problems.push(`${number(atClient + atTargetDevice)} packets leaked`);
  if (off.errors + on.errors > 0) problems.push(`clients met ${off.errors + on.errors} errors`);
  const isGood = problems.length === 0;
  stage.say(
    good(isGood, isGood ? '✔ nothing was lost, nothing came twice, nothing leaked' : `✘ ${problems.join(', ')}`),
  );
  return isGood;
}

async function copyPhase(lab: Lab, services: Pick<Parts, 'online' | 'target'>, off: Load): Promise<Outcome> {
  stage.step('Intercept starts beside the target, and prints the command for the copy');
  const sniffers: [Sniffer, Sniffer] = await Promise.all([
    lab.client.sniff(`src host ${lab.target.ipv4}`),
    lab.target.sniff(`tcp src port ${TARGET_PORT}`),
  ]);
  const intercept = await TrafficCopy.intercept(lab.target, {
    flags: ['--target', `${lab.target.ipv4}:${TARGET_PORT}`],
  });
  const words = await printedCommand(intercept, lab.target.ipv4);
  const delivery = process.env['DEMO_DELIVERY'] ?? 'tunnel';
  words.push('--delivery', delivery);
  stage.note(stage.style('yellow', `$ ${words.join(' ')}`));
  const copy = await TrafficCopy.copyAs(lab.online, words.slice(words.indexOf('copy') + 1));
  const parts: Parts = { ...services, copy: copy.process, intercept: intercept.process };

  stage.step(`Copying: the same load for ${ON_MS / 1000} s`);
  const names = ['online', 'target', 'copy', 'intercept'] as const;
  const before = names.map((name) => parts[name].cpuMs());
  const on = await watch(parts, drive(lab, ON_MS, COPIED_IDS));
  await settled(parts);
  const after = names.map((name) => parts[name].cpuMs());
  const perRequestUs = (index: number): number => ((after[index]! - before[index]!) * 1000) / Math.max(1, on.requests);
  stage.note(`${number(on.requests)} requests`);

  const ledger = await ledgerOf(parts);
  await copy.stop('SIGINT');
  await intercept.stop('SIGINT');
  const [atClient, atTargetDevice] = await Promise.all(sniffers.map((sniffer) => sniffer.stop()));
  const cpuUs = Object.fromEntries(names.map((name, index) => [name, perRequestUs(index)])) as Outcome['cpuUs'];
  return { off, on, ledger, cpuUs, atClient: atClient ?? 0, atTargetDevice: atTargetDevice ?? 0 };
}

/** Waits until the target has what online had, at most a few seconds: what is missing then is lost. */
async function settled(parts: Parts): Promise<void> {
  const isLevel = async (): Promise<boolean> => {
    const { lost } = await ledgerOf(parts);
    return lost === 0;
  };
  await eventually('the target has every request', SETTLE_MS, isLevel).catch(() => {});
}

async function demo(): Promise<boolean> {
  return Lab.with({}, async (lab) => {
    picture(lab);
    const [online, target] = await Promise.all([
      lab.online.program('http-service', { port: ONLINE_PORT, version: 1 }),
      lab.target.program('http-service', { port: TARGET_PORT, version: 2 }),
    ]);
    stage.step(`Without copying: ${number(KEEP_ALIVE.rate + SHORT.rate)} requests a second for ${OFF_MS / 1000} s`);
    await drive(lab, WARM_UP_MS, 0);
    const off = await drive(lab, OFF_MS, 0);
    stage.note(
      `${number(off.requests)} requests, ${KEEP_ALIVE.connections} keep-alive connections and ${number(off.short.connections)} short ones`,
    );
    return conclude(await copyPhase(lab, { online, target }, off));
  });
}

try {
  process.exitCode = (await demo()) ? 0 : 1;
} catch (error) {
  stage.say();
  stage.say(
    stage.style('red', `✘ the demo could not be finished: ${error instanceof Error ? error.message : String(error)}`),
  );
  process.exitCode = 1;
}
