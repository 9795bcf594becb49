/**
 * The demo: a small shop with real load, copied live to its next version, then the account of it. Three hosts in network
 * namespaces; the programs run as a user starts them, the copy with the very command that intercept prints. All figures are
 * taken from outside: the services count, sniffers listen, the kernel says what CPU was used.
 */
import { eventually } from '../deadline.js';
import { Lab } from '../lab.js';
import type { LabProcess } from '../lab-process.js';
import type { LoadReport } from '../load-report.js';
import type { Sniffer } from '../sniffer.js';
import { type CopySummary, TrafficCopy } from '../traffic-copy.js';
import { type Account, type AccountedPart, type Load, tellAccount } from './account.js';
import { compareIds, type IdLedger } from './id-ledger.js';
import { LiveView } from './live-view.js';
import { Stage } from './stage.js';

const ONLINE_PORT = 80;
const TARGET_PORT = 8080;
const KEEP_ALIVE = { connections: 20, rate: 3_000 };
const SHORT = { connections: 8, rate: 400 };
const OFF_MS = 8_000;
const ON_MS = 12_000;
const WARM_UP_MS = 2_000;
const RATE_MAX = (KEEP_ALIVE.rate + SHORT.rate) * 1.15;
const SETTLE_MS = 10_000;
/** Ids of the short connections and of the second phase start so far on. */
const SHORT_IDS = 200_000;
const COPIED_IDS = 400_000;

type Parts = Record<AccountedPart, LabProcess>;

const stage = new Stage(process.stdout);
const number = (value: number): string => Math.round(value).toLocaleString('en-US');

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

async function copyPhase(lab: Lab, services: Pick<Parts, 'online' | 'target'>, off: Load): Promise<Account> {
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
  const on = await new LiveView(stage, parts, RATE_MAX).during(drive(lab, ON_MS, COPIED_IDS));
  await settled(parts);
  const after = names.map((name) => parts[name].cpuMs());
  const perRequestUs = (index: number): number => ((after[index]! - before[index]!) * 1000) / Math.max(1, on.requests);
  stage.note(`${number(on.requests)} requests`);

  const ledger = await ledgerOf(parts);
  const { turns } = (await copy.stop('SIGINT')) as unknown as CopySummary;
  await intercept.stop('SIGINT');
  const [atClient, atTargetDevice] = await Promise.all(sniffers.map((sniffer) => sniffer.stop()));
  const cpuUs = Object.fromEntries(names.map((name, index) => [name, perRequestUs(index)])) as Account['cpuUs'];
  return { off, on, ledger, turns, cpuUs, atClient: atClient ?? 0, atTargetDevice: atTargetDevice ?? 0 };
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
    const off = await new LiveView(stage, { online, target }, RATE_MAX).during(drive(lab, OFF_MS, 0));
    stage.note(
      `${number(off.requests)} requests, ${KEEP_ALIVE.connections} keep-alive connections and ${number(off.short.connections)} short ones`,
    );
    return tellAccount(stage, await copyPhase(lab, { online, target }, off));
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
