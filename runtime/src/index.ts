/**
 * What both programs share on Node: command line, errors, logs, metrics, terminal, recording, the channel's transport and
 * identity. Imports `core`; knows nothing of capture and injection.
 */
export * from './channel/index.js';
export * from './cli/command-builder.js';
export * from './cli/command-specification.js';
export { type ConfigText, type ConfigTexts, readSecretFile } from './cli/config/config-file.js';
export * from './cli/config/config-key.js';
export type * from './cli/config/config-node.js';
export * from './cli/flag.js';
export * from './cli/program-flags.js';
export * from './cli/values/address-range-value.js';
export * from './cli/values/choice-value.js';
export * from './cli/values/duration-value.js';
export * from './cli/values/integer-value.js';
export * from './cli/values/ip-address-value.js';
export * from './cli/values/megabytes-value.js';
export * from './cli/values/percent-value.js';
export * from './cli/values/socket-address-value.js';
export * from './cli/values/text-value.js';
export * from './cli/values/value-problem.js';
export * from './cli/values/value-type.js';
export * from './doctor/channel-finding.js';
export * from './doctor/finding.js';
export * from './doctor/firewall-findings.js';
export * from './doctor/host-access.js';
export * from './doctor/host-findings.js';
export * from './errors/start-error.js';
export * from './errors/traffic-copy-error.js';
export * from './errors/usage-error.js';
export * from './identity/index.js';
export * from './log/log-line.js';
export * from './log/program-log.js';
export * from './metrics/metrics-server.js';
export * from './process/pid-file.js';
export * from './process/quiet-memory.js';
export * from './process/stop-request.js';
export * from './process/version.js';
export * from './record/pcapng-recorder.js';
export * from './terminal/status-line.js';
export * from './terminal/summary-file.js';
export * from './terminal/summary-table.js';
export * from './terminal/unwritten-files.js';
export * from './terminal/whole-file.js';
export * from './workers/process-link.js';
export * from './workers/transferred-error.js';
export * from './workers/worker-pool.js';
export * from './workers/worker-process.js';
