import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.js';
import type { Output } from '../output.js';
import { API_VERSION, KIND } from '../start/traffic-copy-manifest.js';
import { stateText } from './status-text.js';
import { conditionOf, trafficCopyView, troubles } from './traffic-copy-view.js';

const POLL_MS = 500;
const WAIT_MS_MAX = 60_000;

/** Waits until copies run, and says why not when that takes long. Returns the exit code. */
export async function waitForCopying(
  cluster: Cluster,
  name: string,
  namespace: string,
  output: Output,
): Promise<number> {
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const view = trafficCopyView(await cluster.read(API_VERSION, KIND, name, namespace));
    const isSeen = view.observedGeneration >= view.generation;
    if (isSeen && conditionOf(view, 'Copying')?.status === 'True') {
      output.endProgress();
      const { copying, selected } = view.sources;
      output.result(
        `copying from ${copying} of ${selected} pods; watch it: kubectl trafficcopy status ${name} -n ${namespace}`,
      );
      return 0;
    }
    if (performance.now() > deadlineMs) {
      output.endProgress();
      for (const { type, reason, message } of troubles(view)) output.note(`${type} (${reason}): ${message}`);
      if (!isSeen) output.note('the operator has not looked at it: is it running? kubectl trafficcopy doctor');
      output.note(`it does not copy yet after ${WAIT_MS_MAX / 1000} s; the TrafficCopy stays and goes on trying`);
      return 1;
    }
    output.progress([
      'waiting for copies',
      stateText(view),
      `sources ${view.sources.copying}/${view.sources.selected}`,
    ]);
    await sleep(POLL_MS);
  }
}
