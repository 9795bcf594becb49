import { type Finding, type FlagValues, fail, findingText, pass, warn } from '@trafficcopy/runtime';
import { Cluster, type ClusterObject } from '../cluster/cluster.js';
import { ClusterError } from '../cluster/cluster-error.js';
import type { Output } from '../output.js';
import type { DOCTOR_COMMAND } from './doctor-flags.js';
import { type Installation, installation } from './installation-findings.js';
import { networkFinding } from './network-finding.js';
import { podSecurityFinding } from './pod-security-finding.js';
import { probeNode } from './queue-probe.js';
import { nodeFinding, versionFinding } from './version-findings.js';

const NODES_PROBED_MAX = 20;

/** `kubectl trafficcopy doctor`. Returns 1 when something keeps the cluster from copying. */
export async function doctor(values: FlagValues<typeof DOCTOR_COMMAND.flags>, output: Output): Promise<number> {
  const cluster = Cluster.connect(values);
  let failures = 0;
  const say = (findings: readonly Finding[]): void => {
    output.endProgress();
    for (const finding of findings) {
      if (finding.verdict === 'fail') failures += 1;
      output.result(findingText(finding));
    }
  };
  say([versionFinding(await cluster.version())]);
  let installed: Installation | undefined;
  say(
    await guarded('the installation', async () => {
      installed = await installation(cluster);
      return installed.findings;
    }),
  );
  say(await guarded('the namespaces', () => namespaceFindings(cluster, installed?.namespace)));
  say(await guarded('your permissions', () => permissionFindings(cluster)));
  say(await guarded('the pod network', () => networkFindings(cluster)));
  let nodes: ClusterObject[] = [];
  say(
    await guarded('the nodes', async () => {
      nodes = await cluster.list('v1', 'Node');
      return nodes.map(nodeFindingOf);
    }),
  );
  const probe = installed?.probe;
  if (!values.noProbe && probe !== undefined) {
    const linux = nodes.filter((node) => labelOf(node, 'kubernetes.io/os') !== 'windows');
    for (const { metadata } of linux.slice(0, NODES_PROBED_MAX)) {
      const name = metadata?.name ?? '';
      output.progress([`trying the kernel of node ${name}`]);
      say(await guarded(`the kernel of node ${name}`, () => probeNode(cluster, probe, name)));
    }
    const left = linux.length - NODES_PROBED_MAX;
    if (left > 0) say([warn(`${left} more nodes were not tried`, 'nodes of one image behave alike')]);
  }
  output.result(
    failures === 0 ? 'nothing keeps this cluster from copying' : `${failures} of these keep it from copying`,
  );
  return failures === 0 ? 0 : 1;
}

/** What the user may not look at is said, and the rest goes on. */
async function guarded(what: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code === 'ERR_CLUSTER_UNREACHABLE') throw error;
    return [warn(`${what} could not be looked at: ${error.message}`, 'ask somebody who may, or go on without')];
  }
}

async function namespaceFindings(cluster: Cluster, operatorNamespace: string | undefined): Promise<Finding[]> {
  const findings: Finding[] = [];
  const own = await cluster.find('v1', 'Namespace', cluster.namespace);
  if (own === undefined) {
    const fix = 'choose one with -n';
    findings.push(fail(`namespace ${cluster.namespace} does not exist`, fix));
  } else {
    findings.push(podSecurityFinding(cluster.namespace, own.metadata?.labels ?? {}, 'copies (they need NET_RAW)'));
    const quotas = await cluster.list('v1', 'ResourceQuota', { namespace: cluster.namespace });
    if (quotas.length > 0) {
      const text = `namespace ${cluster.namespace} has a ResourceQuota: new pods get their copy after they started, not before`;
      findings.push(warn(text, 'nothing to do; the first requests of a new pod are not copied'));
    }
  }
  const operators =
    operatorNamespace === undefined ? undefined : await cluster.find('v1', 'Namespace', operatorNamespace);
  if (operators !== undefined) {
    const what = 'intercept (it needs SYS_ADMIN, SYS_PTRACE, NET_ADMIN, NET_RAW)';
    findings.push(podSecurityFinding(operatorNamespace!, operators.metadata?.labels ?? {}, what));
  }
  return findings;
}

async function permissionFindings(cluster: Cluster): Promise<Finding[]> {
  const { namespace } = cluster;
  const permission = { group: 'trafficcopy.dev', resource: 'trafficcopies', namespace };
  const denied: string[] = [];
  for (const verb of ['create', 'get', 'list', 'delete']) {
    if (!(await cluster.may({ ...permission, verb }))) denied.push(verb);
  }
  if (denied.length === 0) return [pass(`you may create and delete TrafficCopies in namespace ${namespace}`)];
  const fix = `kubectl create rolebinding --clusterrole=trafficcopy-edit …: the chart makes the role`;
  return [warn(`you may not ${denied.join(', ')} TrafficCopies in namespace ${namespace}`, fix)];
}

async function networkFindings(cluster: Cluster): Promise<Finding[]> {
  const daemonSets = await cluster.list('apps/v1', 'DaemonSet');
  return [networkFinding(daemonSets.map(({ metadata }) => metadata?.name ?? ''))];
}

function nodeFindingOf(node: ClusterObject): Finding {
  const info = (node.status as { nodeInfo?: Record<string, string> } | undefined)?.nodeInfo ?? {};
  return nodeFinding({
    name: node.metadata?.name ?? '',
    kernelVersion: info['kernelVersion'] ?? '',
    operatingSystem: info['operatingSystem'] ?? '',
    architecture: info['architecture'] ?? '',
  });
}

function labelOf(node: ClusterObject, key: string): string | undefined {
  return node.metadata?.labels?.[key];
}
