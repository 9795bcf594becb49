import { selects } from '@trafficcopy/operator/api';
import { type FlagValues, formatDuration, UsageError } from '@trafficcopy/runtime';
import { stringify } from 'yaml';
import { Cluster, type ClusterObject } from '../cluster/cluster.js';
import { ClusterError } from '../cluster/cluster-error.js';
import type { Output } from '../output.js';
import { waitForCopying } from '../status/copying-wait.js';
import { podSelectorOf } from './pod-selector.js';
import type { START_COMMAND } from './start-flags.js';
import { API_VERSION, KIND, type ManifestTarget, trafficCopyManifest } from './traffic-copy-manifest.js';
import type { WorkloadReference } from './workload-reference.js';

const CONSENT = 'trafficcopy.dev/allow-copies-from';
const NAME_LENGTH_MAX = 63;

/** `kubectl trafficcopy start`. Returns the exit code. */
export async function start(values: FlagValues<typeof START_COMMAND.flags>, output: Output): Promise<number> {
  const { from } = values;
  if (from === undefined) throw new UsageError('--from is missing: expected KIND/NAME, like --from deploy/checkout');
  const cluster = Cluster.connect(values);
  const namespace = from.namespace ?? cluster.namespace;
  const source = await cluster.read(from.apiVersion, from.kind, from.name, namespace);
  const targets = await Promise.all(values.to.map((reference) => readTarget(cluster, reference, namespace)));
  const manifest = trafficCopyManifest({
    name: values.name ?? `${from.name}-copy`.slice(-NAME_LENGTH_MAX).replace(/^[^a-z0-9]+/, ''),
    namespace,
    source: podSelectorOf(source),
    targets: withOwnNames(targets.map(({ target }) => target)),
    ports: values.ports,
    percent: values.percent,
    multiply: values.multiply,
    ramp: values.ramp === undefined ? undefined : formatDuration(values.ramp),
    duration: values.duration === undefined ? undefined : formatDuration(values.duration),
  });
  for (const { object, target } of targets) refuseTargetInSource(source, namespace, object, target);
  for (const note of await consentNotes(cluster, targets, namespace)) output.note(note);
  if (values.dryRun) {
    await createTrafficCopy(cluster, manifest, true);
    output.result(stringify(manifest).trimEnd());
    return 0;
  }
  await createTrafficCopy(cluster, manifest, false);
  const name = manifest.metadata!.name!;
  output.result(`trafficcopy/${name} created in namespace ${namespace}`);
  if (values.noWait) return 0;
  return await waitForCopying(cluster, name, namespace, output);
}

interface ReadTarget {
  readonly object: ClusterObject;
  readonly target: ManifestTarget;
}

async function readTarget(cluster: Cluster, reference: WorkloadReference, ownNamespace: string): Promise<ReadTarget> {
  const namespace = reference.namespace ?? ownNamespace;
  const object = await cluster.read(reference.apiVersion, reference.kind, reference.name, namespace);
  return { object, target: { name: reference.name, namespace, selector: podSelectorOf(object) } };
}

/** Two targets of one name in two namespaces are told apart by a number. */
function withOwnNames(targets: readonly ManifestTarget[]): ManifestTarget[] {
  const seen = new Map<string, number>();
  return targets.map((target) => {
    const count = (seen.get(target.name) ?? 0) + 1;
    seen.set(target.name, count);
    return count === 1 ? target : { ...target, name: `${target.name}-${count}` };
  });
}

/** A source that selects the target's pods would copy the copies. */
function refuseTargetInSource(
  source: ClusterObject,
  sourceNamespace: string,
  target: ClusterObject,
  { name, namespace }: ManifestTarget,
): void {
  if (namespace !== sourceNamespace) return;
  const template = (target.spec as { template?: { metadata?: { labels?: Record<string, string> } } }).template;
  const labels = template?.metadata?.labels;
  if (labels === undefined || !selects(podSelectorOf(source), labels)) return;
  const what = `the selector of ${source.kind} ${source.metadata?.name} also selects the pods of the target ${name}`;
  const advice = 'give the target other labels, or write the TrafficCopy with a narrower source selector';
  throw new ClusterError('ERR_CLUSTER_INVALID', `${what}: they would be source and target at once; ${advice}`);
}

/** What the owner of a foreign target namespace has to do. */
async function consentNotes(cluster: Cluster, targets: readonly ReadTarget[], namespace: string): Promise<string[]> {
  const foreign = new Set(targets.map(({ target }) => target.namespace!).filter((name) => name !== namespace));
  const notes: string[] = [];
  for (const name of foreign) {
    const object = await cluster.find('v1', 'Namespace', name).catch(() => undefined);
    const allowed = object?.metadata?.annotations?.[CONSENT]?.split(',').map((item) => item.trim()) ?? [];
    if (object === undefined || allowed.includes('*') || allowed.includes(namespace)) continue;
    notes.push(
      `namespace ${name} has not agreed yet; its owner does so with: kubectl annotate namespace ${name} ${CONSENT}=${[...allowed.filter((item) => item !== ''), namespace].join(',')} --overwrite`,
    );
  }
  return notes;
}

async function createTrafficCopy(cluster: Cluster, manifest: ClusterObject, dryRun: boolean): Promise<void> {
  try {
    await cluster.create(manifest, dryRun);
  } catch (error) {
    const isUnknown = error instanceof ClusterError && error.code === 'ERR_CLUSTER_NOT_FOUND';
    if (isUnknown && /Unrecognized API version|the server could not find/.test(error.message)) {
      const message = `this cluster does not know ${KIND} (${API_VERSION}): install the chart first, see docs/kubernetes.md`;
      throw new ClusterError('ERR_CLUSTER_NOT_FOUND', message, { cause: error });
    }
    if (error instanceof ClusterError && error.code === 'ERR_CLUSTER_CONFLICT') {
      const { name, namespace } = manifest.metadata!;
      const advice = `choose another with --name, or stop it: kubectl trafficcopy stop ${name} -n ${namespace}`;
      throw new ClusterError(error.code, `trafficcopy/${name} exists already; ${advice}`, { cause: error });
    }
    throw error;
  }
}
