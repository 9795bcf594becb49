import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { type CopySummary, eventually, type LabProcess, type LoadReport, Nginx } from '../../../src/index.js';
import { CopyLab, type CopyLabOptions, ONLINE_PORT, TARGET_PORT } from './copy-lab.js';

/** Local ports of clients that speak with the target itself. */
const DIRECT_PORTS = { first: 20_000, count: 1_000 };
const directOnly = `(tcp dst portrange ${DIRECT_PORTS.first}-${DIRECT_PORTS.first + DIRECT_PORTS.count - 1})`;

/** The aim on a machine that does nothing else; the load yields to everybody, and nothing depends on its reaching that. */
const REQUESTS_PER_SECOND = 5_000;
const CONNECTIONS = 50;
/** Connections come and go all the time: 25 a second. */
const REQUESTS_PER_CONNECTION = 200;
/** A buffer that bears it when the machine has no time for the copy for some seconds: no fault but the one that is meant. */
const CAPTURE_MEGABYTES = 256;
const DIRECT_REQUESTS_PER_SECOND = 100;
const LOAD_MS_MAX = 170_000;
/** What a copy has to deliver before the fault and after it, as seconds of the rate that is aimed at. */
const SECONDS_BEFORE = 0.6;
const SECONDS_AFTER = 1;
const PROGRESS_TIMEOUT_MS = 60_000;

export interface FaultLabOptions extends Pick<CopyLabOptions, 'delivery' | 'copyFlags' | 'interceptFlags' | 'lab'> {
  /** Of the capture's buffer. */
  readonly captureMegabytes?: number | undefined;
  /** Octets that each request is longer than it has to be. */
  readonly padBytes?: number | undefined;
  readonly requestsPerConnection?: number | undefined;
  /** Added to the environment of copy and intercept. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Why turns may be lost by this fault; default: none is lost. */
  readonly mayLose?: readonly string[] | undefined;
  /** The copy that ends is not the one that began: it cannot account for what the first one did. */
  readonly isCopyReplaced?: boolean | undefined;
}

/**
 * A copy under load with a fault: nginx as online and target, clients at a fixed rate at online, other clients at the target itself,
 * sniffers for leaks, copy and intercept. `FaultLab.run` starts all of it, lets the fault happen, and then expects that
 *
 *   - the clients of online met no error,
 *   - nor did the target's own,
 *   - nothing of the target came to a client of online,
 *   - copying goes on, the ledger's sums hold, what was lost has a reason that the fault explains, and the target's log agrees:
 *     no request twice, those that are delivered are there, and no more than those and the lost ones.
 */
export class FaultLab {
  readonly copyLab: CopyLab;
  readonly #options: FaultLabOptions;
  readonly #servers: { readonly online: Nginx; readonly target: Nginx };
  /** Of the clients of online, and of the target's own. */
  readonly #load: LabProcess;
  readonly #direct: LabProcess;
  readonly #reports: Promise<LoadReport>[];

  private constructor(
    copyLab: CopyLab,
    options: FaultLabOptions,
    servers: { readonly online: Nginx; readonly target: Nginx },
    load: LabProcess,
    direct: LabProcess,
  ) {
    this.copyLab = copyLab;
    this.#options = options;
    this.#servers = servers;
    this.#load = load;
    this.#direct = direct;
    this.#reports = [load, direct].map((generator) => generator.ask<LoadReport>('run', undefined, LOAD_MS_MAX));
    // Where the fault itself fails, that is what is told, and not that the load was ended.
    for (const report of this.#reports) report.catch(() => {});
  }

  static run(
    context: TestContext,
    options: FaultLabOptions,
    fault: (lab: FaultLab) => Promise<void>,
  ): Promise<CopySummary> {
    const { delivery, copyFlags = [], interceptFlags, lab, captureMegabytes = CAPTURE_MEGABYTES } = options;
    const flags = ['-B', String(captureMegabytes), ...copyFlags];
    return CopyLab.with({ delivery, copyFlags: flags, interceptFlags, lab, allowed: directOnly }, async (copyLab) => {
      const faultLab = await FaultLab.#start(copyLab, options);
      await faultLab.copied(SECONDS_BEFORE);
      await fault(faultLab);
      await copyLab.copy.ready();
      await faultLab.copied(SECONDS_AFTER);
      return faultLab.#finish(context);
    });
  }

  static async #start(copyLab: CopyLab, options: FaultLabOptions): Promise<FaultLab> {
    const online = await Nginx.start(copyLab.online, { port: ONLINE_PORT });
    const target = await Nginx.start(copyLab.target, { port: TARGET_PORT });
    await copyLab.listenForLeaks();
    await copyLab.startIntercept({ env: options.env });
    await copyLab.startCopy({ env: options.env });
    const load = await copyLab.client.program('load-generator', loadSettings(copyLab, options));
    const direct = await copyLab.client.program('load-generator', directSettings(copyLab));
    return new FaultLab(copyLab, options, { online, target }, load, direct);
  }

  /** Ends the load, and expects what a fault must leave as it is. */
  async #finish(context: TestContext): Promise<CopySummary> {
    for (const generator of [this.#load, this.#direct]) await generator.ask('stop');
    const [load, direct] = (await Promise.all(this.#reports)) as [LoadReport, LoadReport];
    expectNoErrors(load, 'clients of online');
    expectNoErrors(direct, "the target's own clients");
    const summary = await this.copyLab.finish({ mayStayOpen: this.#mayMissPackets });
    context.diagnostic(describe(load, direct, summary));
    this.#expectBalance(summary);
    const { online, target } = this.#servers;
    this.#expectArrivals(await copiedUris(online), await copiedUris(target), summary);
    return summary;
  }

  /** A copy that misses packets misses ends of connections, too. */
  get #mayMissPackets(): boolean {
    return (this.#options.mayLose ?? []).includes('captureGap');
  }

  get copy(): CopyLab['copy'] {
    return this.copyLab.copy;
  }

  get intercept(): CopyLab['intercept'] {
    return this.copyLab.intercept;
  }

  /** Starts intercept after its end, from the state that it left. */
  async startInterceptAgain(): Promise<void> {
    await this.copyLab.startIntercept({ name: 'intercept-again', stateOf: 'intercept', env: this.#options.env });
  }

  /** Starts a copy after the end of the first, with the certificate that it left. */
  async startCopyAgain(): Promise<void> {
    await this.copyLab.startCopy({ name: 'copy-again', stateOf: 'copy', join: undefined, env: this.#options.env });
  }

  /** Waits until the copy has delivered as many turns more as the rate makes in so many seconds. */
  async copied(seconds: number): Promise<void> {
    const turns = seconds * REQUESTS_PER_SECOND;
    const name = 'trafficcopy_copy_turns_delivered_total';
    const before = await eventually('the copy tells its figures', PROGRESS_TIMEOUT_MS, async () => ({
      delivered: await this.copy.metric(name),
    }));
    await this.copy.waitForMetric(name, before.delivered + turns, PROGRESS_TIMEOUT_MS);
  }

  /** Waits until the clients of online have had as many answers more as the rate makes in so many seconds, whatever the copy does meanwhile. */
  async served(seconds: number): Promise<void> {
    const responses = seconds * REQUESTS_PER_SECOND;
    const answered = async (): Promise<number> => (await this.#load.ask<LoadReport>('progress')).responses;
    const before = await answered();
    await eventually(
      `${responses} answers of online`,
      PROGRESS_TIMEOUT_MS,
      async () => (await answered()) >= before + responses,
    );
  }

  #expectBalance({ turns, engine }: CopySummary): void {
    const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((a, b) => a + b, 0);
    assert.equal(turns.captured, turns.delivered + turns.lost, JSON.stringify(turns));
    assert.equal(turns.pending, 0, JSON.stringify(turns));
    assert.equal(turns.lost, sum(turns.lostByReason));
    assert.equal(sum(engine.terminal), engine.connectionsSeen, `one end for each: ${JSON.stringify(engine.terminal)}`);
    const reasons = Object.keys(turns.lostByReason).filter((reason) => turns.lostByReason[reason]! > 0);
    const unexplained = reasons.filter((reason) => !(this.#options.mayLose ?? []).includes(reason));
    assert.deepEqual(unexplained, [], `lost for other reasons than this fault: ${JSON.stringify(turns.lostByReason)}`);
  }

  #expectArrivals(online: readonly string[], target: readonly string[], { turns }: CopySummary): void {
    const arrived = new Set(target);
    assert.equal(arrived.size, target.length, 'requests arrived twice');
    const asked = new Set(online);
    const invented = target.filter((uri) => !asked.has(uri));
    assert.equal(invented.length, 0, `at the target, and never at online: ${invented.slice(0, 5)}`);
    if (this.#options.isCopyReplaced === true) return;
    assert.ok(arrived.size >= turns.delivered, `${turns.delivered} delivered, ${arrived.size} arrived`);
    assert.ok(arrived.size <= turns.captured, `${turns.captured} captured, ${arrived.size} arrived`);
    if ((this.#options.mayLose ?? []).length === 0) assert.equal(arrived.size, asked.size, 'every request arrived');
  }
}

function loadSettings(copyLab: CopyLab, options: FaultLabOptions): Record<string, string | number> {
  const pad = 'x'.repeat(options.padBytes ?? 0);
  return {
    ...{
      host: copyLab.online.ipv4,
      port: ONLINE_PORT,
      nice: 19,
      path: `/?copied=#&${pad}`,
      'duration-ms': LOAD_MS_MAX,
    },
    ...{ connections: CONNECTIONS, requests: options.requestsPerConnection ?? REQUESTS_PER_CONNECTION },
    rate: REQUESTS_PER_SECOND,
  };
}

function directSettings(copyLab: CopyLab): Record<string, string | number> {
  return {
    ...{ host: copyLab.target.ipv4, port: TARGET_PORT, nice: 19, path: '/?direct=#', 'duration-ms': LOAD_MS_MAX },
    ...{ connections: 4, requests: 10, rate: DIRECT_REQUESTS_PER_SECOND, close: 'reset' },
    ...{ 'client-port-start': DIRECT_PORTS.first, 'client-port-count': DIRECT_PORTS.count },
  };
}

/** The numbered URIs of the clients of online that a server was asked for. */
async function copiedUris(server: Nginx): Promise<string[]> {
  const requests = await server.requests();
  return requests.filter(({ uri }) => uri.includes('?copied=')).map(({ uri }) => uri.split('&')[0]!);
}

function expectNoErrors({ errors, requests, responses }: LoadReport, whose: string): void {
  assert.deepEqual(errors, {}, `errors of ${whose}`);
  assert.equal(responses, requests, `answers for ${whose}`);
}

function describe(load: LoadReport, direct: LoadReport, { turns, engine, capture }: CopySummary): string {
  const lost = Object.entries(turns.lostByReason).filter(([, count]) => count > 0);
  const reasons = lost.length === 0 ? '' : ` (${lost.map(([reason, count]) => `${reason} ${count}`).join(', ')})`;
  return [
    `${Math.round(load.requests / load.seconds)} requests/s at online, ${Math.round(direct.requests / direct.seconds)} at the target`,
    `${turns.captured} turns captured, ${turns.lost} lost${reasons}`,
    `${capture.drops} packets dropped by the capture, ${engine.segmentsRetransmitted} segments sent again`,
  ].join('; ');
}
