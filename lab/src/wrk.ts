import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './lab-error.js';
import type { LabHost } from './lab-host.js';

export interface WrkOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** A connection for each request. */
  readonly isClosing?: boolean | undefined;
  /** Give every request its own URI ("…?THREAD-COUNT"), so that single requests can be told apart in logs. */
  readonly isNumbered?: boolean | undefined;
  /**
   * Leave the processors to everybody else first. wrk waits for answers, so its load becomes what the lab can bear, however few
   * processors there are; otherwise it takes time from what it is put on.
   */
  readonly isYielding?: boolean | undefined;
  /** Runs only where a processor is idle (SCHED_IDLE): more than yielding, for a lab that is itself not to be in the way. */
  readonly isIdle?: boolean | undefined;
}

export interface WrkResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly latencyUs: { readonly p50: number; readonly p90: number; readonly p99: number };
  /** Socket errors and answers other than 2xx and 3xx. */
  readonly errors: number;
}

let serial = 0;

/** Drives load with wrk: at full speed, and cheap enough that what is measured is not the generator. */
export async function runWrk(host: LabHost, options: WrkOptions): Promise<WrkResult> {
  serial += 1;
  const script = join(host.directory, `wrk-${serial}.lua`);
  writeFileSync(script, luaScript(options));
  const output = await host.expect(
    options.isIdle === true ? 'chrt' : 'nice',
    [
      ...(options.isIdle === true ? ['--idle', '0', 'wrk'] : ['-n', options.isYielding === true ? '19' : '0', 'wrk']),
      '-t1',
      `-c${options.connections}`,
      `-d${options.seconds}s`,
      '--timeout',
      '30s',
      '--latency',
      '-s',
      script,
      options.url,
    ],
    { timeoutMs: (options.seconds + 60) * 1000 },
  );
  const number = (pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);
  const requests = number(/(\d+) requests in /);
  if (Number.isNaN(requests)) throw new LabError('ERR_LAB_COMMAND', `wrk said something unexpected:\n${output}`);
  const socketErrors = [...output.matchAll(/(?:connect|read|write|timeout) (\d+)/g)].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
  const statusErrors = number(/Non-2xx or 3xx responses: (\d+)/);
  return {
    requests,
    requestsPerSecond: number(/Requests\/sec: +([\d.]+)/),
    latencyUs: { p50: durationUs(output, '50'), p90: durationUs(output, '90'), p99: durationUs(output, '99') },
    errors: socketErrors + (Number.isNaN(statusErrors) ? 0 : statusErrors),
  };
}

function luaScript({ isClosing, isNumbered }: WrkOptions): string {
  const lines = isClosing === true ? ['wrk.headers["Connection"] = "close"'] : [];
  if (isNumbered === true) {
    lines.push('local count = 0');
    lines.push('request = function() count = count + 1; return wrk.format(nil, wrk.path .. "?" .. count) end');
  }
  return `${lines.join('\n')}\n`;
}

function durationUs(output: string, percentile: string): number {
  const match = new RegExp(`^ +${percentile}% +([\\d.]+)(us|ms|s|m)$`, 'm').exec(output);
  const unitUs = { us: 1, ms: 1000, s: 1_000_000, m: 60_000_000 }[match?.[2] ?? ''];
  return unitUs === undefined ? Number.NaN : Number(match?.[1]) * unitUs;
}
