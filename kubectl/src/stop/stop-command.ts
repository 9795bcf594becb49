import { setTimeout as sleep } from 'node:timers/promises';
import { type FlagValues, UsageError } from '@trafficcopy/runtime';
import { Cluster } from '../cluster/cluster.js';
import type { Output } from '../output.js';
import { API_VERSION, KIND } from '../start/traffic-copy-manifest.js';
import { trafficCopyView, troubles } from '../status/traffic-copy-view.js';
import type { STOP_COMMAND } from './stop-flags.js';

const POLL_MS = 300;
const WAIT_MS_MAX = 60_000;

/** `kubectl trafficcopy stop NAME`. Returns the exit code. */
export async function stop(
  name: string | undefined,
  values: FlagValues<typeof STOP_COMMAND.flags>,
  output: Output,
): Promise<number> {
  if (name === undefined) throw new UsageError('a name is missing: expected the name of a TrafficCopy');
  const cluster = Cluster.connect(values);
  const { namespace } = cluster;
  const last = trafficCopyView(await cluster.read(API_VERSION, KIND, name, namespace));
  await cluster.remove({ apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace } });
  if (!values.noWait && !(await waitGone(cluster, name, namespace, output))) return 1;
  const { turnsDelivered, turnsLost } = last.traffic;
  const figures = `${turnsDelivered.toLocaleString('en-US')} requests delivered, ${turnsLost.toLocaleString('en-US')} lost`;
  output.result(`trafficcopy/${name} ${values.noWait ? 'is being removed' : 'is gone'} (${figures})`);
  return 0;
}

async function waitGone(cluster: Cluster, name: string, namespace: string, output: Output): Promise<boolean> {
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const object = await cluster.find(API_VERSION, KIND, name, namespace);
    if (object === undefined) {
      output.endProgress();
      return true;
    }
    if (performance.now() > deadlineMs) {
      output.endProgress();
      for (const { type, reason, message } of troubles(trafficCopyView(object))) {
        output.note(`${type} (${reason}): ${message}`);
      }
      output.note(`not cleaned up after ${WAIT_MS_MAX / 1000} s: is the operator running? kubectl trafficcopy doctor`);
      return false;
    }
    output.progress(['waiting until everything is cleaned up']);
    await sleep(POLL_MS);
  }
}
