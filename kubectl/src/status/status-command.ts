import { setTimeout as sleep } from 'node:timers/promises';
import type { FlagValues } from '@trafficcopy/runtime';
import { Cluster } from '../cluster/cluster.js';
import type { Output } from '../output.js';
import { API_VERSION, KIND } from '../start/traffic-copy-manifest.js';
import type { STATUS_COMMAND } from './status-flags.js';
import { columnsText, STATUS_HEADINGS, statusLine, statusText } from './status-text.js';
import { type TrafficCopyView, trafficCopyView } from './traffic-copy-view.js';

const INTERVAL_MS = 1000;
/** To the upper left corner, and nothing below (ECMA-48 CUP, ED). */
const REDRAW = '\x1b[H\x1b[J';
const CLEAR = '\x1b[2J';

/** `kubectl trafficcopy status [NAME]`. Returns the exit code. */
export async function status(
  name: string | undefined,
  values: FlagValues<typeof STATUS_COMMAND.flags>,
  output: Output,
): Promise<number> {
  const cluster = Cluster.connect(values);
  const look = (): Promise<string> => statusOf(cluster, name, values.allNamespaces, output.columns);
  if (!values.watch) {
    output.result(await look());
    return 0;
  }
  if (output.isTerminal) output.result(CLEAR);
  for (;;) {
    const text = await look();
    output.result(output.isTerminal ? `${REDRAW}${text}` : text);
    await sleep(INTERVAL_MS);
  }
}

async function statusOf(
  cluster: Cluster,
  name: string | undefined,
  allNamespaces: boolean,
  columns: number,
): Promise<string> {
  const { namespace } = cluster;
  if (name !== undefined) {
    return statusText(trafficCopyView(await cluster.read(API_VERSION, KIND, name, namespace)), columns);
  }
  const found = await cluster.list(API_VERSION, KIND, { namespace: allNamespaces ? undefined : namespace });
  const views = found.map(trafficCopyView).sort(byName);
  if (views.length === 0) {
    return `no TrafficCopies ${allNamespaces ? 'in this cluster' : `in namespace ${namespace}; -A looks everywhere`}`;
  }
  if (views.length === 1) return statusText(views[0]!, columns);
  return columnsText([STATUS_HEADINGS, ...views.map(statusLine)]);
}

function byName(a: TrafficCopyView, b: TrafficCopyView): number {
  return a.namespace.localeCompare(b.namespace) || a.name.localeCompare(b.name);
}
