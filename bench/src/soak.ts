/**
 * `scripts/soak.sh [MINUTES]`: keep-alive and short connections at full rate, in turn, copied end to end in a lab, for as long as you say. Fails when
 * copy or intercept grows, or when anything is lost.
 *
 * A load that is faster than its replay fills queues: memory that is used, not lost. So the load runs only where a processor is idle, which makes it
 * as fast as the copying bears; each round ends when all is delivered, and memory is compared between ends of rounds.
 */
import { type CopySummary, Lab, Nginx, readProcessMemory, runWrk, TrafficCopy, type WrkResult } from '@trafficcopy/lab';
import { type MemoryGrowth, memoryGrowth } from './memory-growth.js';

const MINUTES_DEFAULT = 10;
const PORT = 80;
const TARGET_PORT = 8080;
const CONNECTIONS = 20;
const ROUND_SECONDS = 10;
/** Client, servers and both programs share the machine: the capture buffer bears that the copy waits for its turn for seconds. */
const CAPTURE_BUFFER_MB = 256;
/** How much more the last quarter of the rounds may take than the second. */
const GROWTH_MIB_MAX = 8;
const SETTLE_TIMEOUT_MS = 600_000;
/** A copy gives back what a burst took within some seconds after nothing waits any more. */
const GIVE_BACK_MS = 15_000;

type Programs = Readonly<Record<'copy' | 'intercept', TrafficCopy>>;
type Memory = Readonly<Record<'copy' | 'intercept', number[]>>;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function minutesOf([text = String(MINUTES_DEFAULT)]: readonly string[]): number {
  const minutes = Number(text);
  if (minutes >= 1 && minutes <= 10_000) return minutes;
  process.stderr.write(`soak: ${text}: expected a number of minutes from 1 on\nusage: scripts/soak.sh [MINUTES]\n`);
  process.exit(2);
}

async function start(lab: Lab): Promise<Programs> {
  await Nginx.start(lab.online, { port: PORT, isLogged: false, connectionsMax: 16_384 });
  await Nginx.start(lab.target, { port: TARGET_PORT, isLogged: false, connectionsMax: 16_384 });
  const intercept = await TrafficCopy.intercept(lab.target);
  const copy = await TrafficCopy.copy(lab.online, {
    map: `${PORT}-${lab.target.ipv4}:${TARGET_PORT}`,
    join: await intercept.joinToken(),
    flags: ['-B', String(CAPTURE_BUFFER_MB)],
  });
  return { copy, intercept };
}

/** Both kinds of load, one after the other, until all of it is delivered. */
async function runRound(lab: Lab, { copy }: Programs): Promise<WrkResult[]> {
  const loads: WrkResult[] = [];
  for (const isClosing of [false, true]) {
    const url = `http://${lab.online.ipv4}:${PORT}/`;
    loads.push(
      await runWrk(lab.client, { url, connections: CONNECTIONS, seconds: ROUND_SECONDS, isIdle: true, isClosing }),
    );
    await copy.quiet(SETTLE_TIMEOUT_MS);
    await copy.idle(SETTLE_TIMEOUT_MS);
  }
  return loads;
}

function takeMemory(programs: Programs, memory: Memory): void {
  for (const name of ['copy', 'intercept'] as const) {
    const { rssBytes = Number.NaN } = readProcessMemory(programs[name].process.pid) ?? {};
    memory[name].push(rssBytes / 2 ** 20);
  }
}

async function soak(lab: Lab, minutes: number): Promise<boolean> {
  const programs = await start(lab);
  const memory: Memory = { copy: [], intercept: [] };
  const endMs = performance.now() + minutes * 60_000;
  let clientErrors = 0;
  for (let round = 1; performance.now() < endMs; round += 1) {
    const loads = await runRound(lab, programs);
    await new Promise((resolve) => setTimeout(resolve, GIVE_BACK_MS));
    takeMemory(programs, memory);
    clientErrors += loads.reduce((sum, { errors }) => sum + errors, 0);
    const [keepAlive, short] = loads.map(({ requestsPerSecond }) => Math.round(requestsPerSecond));
    const [copy, intercept] = [memory.copy, memory.intercept].map((list) => list.at(-1)!.toFixed(1));
    say(
      `round ${round}: ${keepAlive}/s keep-alive, ${short}/s short; RSS copy ${copy} MiB, intercept ${intercept} MiB`,
    );
  }
  const summary = (await programs.copy.stop()) as unknown as CopySummary;
  await programs.intercept.stop();
  return judge(summary, memory, clientErrors);
}

function judge({ turns, engine, capture }: CopySummary, memory: Memory, clientErrors: number): boolean {
  say(
    `turns: captured ${turns.captured}, delivered ${turns.delivered}, lost ${turns.lost}, of ${engine.connectionsSeen} connections`,
  );
  say(`capture drops ${capture.drops}, errors of clients ${clientErrors}`);
  const isWhole = turns.delivered === turns.captured && turns.lost === 0 && capture.drops === 0 && clientErrors === 0;
  const grown = Object.entries(memory).filter(([name, list]) => !isFlat(name, memoryGrowth(list)));
  if (!isWhole) say(`soak: something was lost: ${JSON.stringify(turns.lostByReason)}`);
  for (const [name] of grown) say(`soak: ${name} grew by more than ${GROWTH_MIB_MAX} MiB`);
  return isWhole && grown.length === 0;
}

function isFlat(name: string, { beginMib, endMib, maxMib }: MemoryGrowth): boolean {
  say(
    `${name}: RSS ${beginMib.toFixed(1)} MiB in the second quarter, ${endMib.toFixed(1)} in the last, ${maxMib.toFixed(1)} at most`,
  );
  return endMib - beginMib <= GROWTH_MIB_MAX;
}

const minutes = minutesOf(process.argv.slice(2));
process.exitCode = (await Lab.with({}, (lab) => soak(lab, minutes))) ? 0 : 1;
