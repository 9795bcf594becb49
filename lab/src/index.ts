/**
 * Labs: hosts in network namespaces on one switch, shared by the demo, the tests and the benchmark.
 *
 * Everything that a lab owns is named after the process that made it, so that it can be removed by whoever comes next when
 * that process was killed. Children are known by their pid and stopped by it. Nothing waits for time to pass: a lab waits
 * for lines, for listeners, for answers of its own programs, and each wait has a deadline and says what did not happen.
 *
 * The lab knows the programs under test by their command only (`bin/trafficcopy`), as a user does.
 */

export { LabBrowser, type PageOptions } from './browser.js';
export { type CapturedStream, capturedStreams } from './captured-streams.js';
export { type CommandOptions, type CommandResult, expectCommand, runCommand } from './command.js';
export { eventually } from './deadline.js';
export { Lab, type LabOptions } from './lab.js';
export { LabError, type LabErrorCode } from './lab-error.js';
export { LabHost } from './lab-host.js';
export { LabProcess, type ProcessEnd, type ProcessOptions } from './lab-process.js';
export type { LoadReport } from './load-report.js';
export { type ProcessCpu, readProcessCpu } from './process-cpu.js';
export { readProcessMemory } from './process-memory.js';
export { reapDeadLabs } from './reaper.js';
export { type ReportView, viewReport } from './report-plots.js';
export { Dnsmasq, type DnsQuery } from './servers/dnsmasq.js';
export { Mariadb } from './servers/mariadb.js';
export { Nghttpd } from './servers/nghttpd.js';
export { Nginx, type NginxOptions, type NginxRequest } from './servers/nginx.js';
export { Postgresql } from './servers/postgresql.js';
export { Redis } from './servers/redis.js';
export { Unbound } from './servers/unbound.js';
export { Sniffer, type SnifferOptions } from './sniffer.js';
export type { StreamRecord } from './stream-record.js';
export {
  type CopyOptions,
  type CopySummary,
  type InterceptOptions,
  type Summary,
  TRAFFIC_COPY,
  TrafficCopy,
} from './traffic-copy.js';
export { runWrk, type WrkOptions, type WrkResult } from './wrk.js';
