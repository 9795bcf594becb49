import { ChannelError, ProgramLog, StartError, StatusLine, StopRequest } from '@trafficcopy/runtime';
import type { OperatorConfig } from './config.js';
import { KubeClient, KubeConnection, UNINSTALL_VERBS } from './kube/index.js';
import { Operator } from './operator.js';
import { removeTrafficCopies } from './uninstall.js';

/**
 * `trafficcopy operator`: runs until a signal. With --uninstall it removes every TrafficCopy and ends.
 *
 * @returns the exit code
 * @throws StartError: it could not start
 */
export async function runOperator(config: OperatorConfig): Promise<number> {
  const statusLine = new StatusLine();
  const log = new ProgramLog({ program: 'operator', config, statusLine });
  try {
    return config.uninstallTimeoutMs === undefined
      ? await serve(config, log)
      : await uninstall(config.uninstallTimeoutMs, log);
  } catch (error) {
    if (error instanceof ChannelError) throw new StartError('ERR_START_CHANNEL', error.message, { cause: error });
    throw error;
  } finally {
    statusLine.close();
    await log.close();
  }
}

async function serve(config: OperatorConfig, { logger }: ProgramLog): Promise<number> {
  const stopRequest = new StopRequest({ durationMs: undefined, hasLogFile: config.logFile !== undefined });
  const stop = new AbortController();
  void stopRequest.requested.then(() => stop.abort());
  const operator = new Operator(config, logger, await KubeConnection.fromEnvironment());
  try {
    await operator.start(stop.signal);
    const reason = await stopRequest.requested;
    logger.info({ reason }, 'ending');
  } finally {
    await operator.stop();
    stopRequest.close();
  }
  return 0;
}

async function uninstall(timeoutMs: number, { logger }: ProgramLog): Promise<number> {
  const client = await KubeClient.fromEnvironment({ verbs: UNINSTALL_VERBS });
  const left = await removeTrafficCopies(client, timeoutMs, (text) => logger.info(text));
  client.connection.close();
  for (const { namespace, name } of left) {
    logger.error(
      `TrafficCopy ${namespace}/${name} is still there: is the operator running? kubectl -n ${namespace} describe tcopy ${name}`,
    );
  }
  return left.length === 0 ? 0 : 1;
}
