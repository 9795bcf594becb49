/**
 * Asks a node's kernel whether it can do what intercept needs, by doing it: a pod of intercept's image with NET_ADMIN tries each
 * rule in its own network namespace, which ends with it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Finding, fail, pass, warn } from '@trafficcopy/runtime';
import type { Cluster, ClusterObject } from '../cluster/cluster.js';

const WAIT_MS_MAX = 60_000;
const POLL_MS = 500;

/** Each line: name, and the command that must succeed. Rules are tried with whichever iptables works, as intercept does. */
const SCRIPT = `
try() { name=$1; shift; if "$@" >/dev/null 2>/tmp/why; then echo "ok $name"; else echo "no $name: $(tail -n 1 /tmp/why)"; fi; }
tables=iptables-nft
$tables -w -t mangle -L OUTPUT >/dev/null 2>&1 || tables=iptables-legacy
echo "tables $tables"
try "NFQUEUE target" $tables -w -t mangle -A OUTPUT -p tcp -m mark --mark 0x8ed0 -j NFQUEUE --queue-num 3792
try "mark target" $tables -w -t mangle -A PREROUTING -p tcp -m mark --mark 0x18ed0 -j MARK --set-mark 0x8ed0
try "TCP option match" $tables -w -t mangle -A PREROUTING -p tcp --tcp-option 253 -j MARK --set-mark 0x8ed0
try "sysctl tcp_fwmark_accept" test -e /proc/sys/net/ipv4/tcp_fwmark_accept
try "sysctl fwmark_reflect" test -e /proc/sys/net/ipv4/fwmark_reflect
try "netfilter queue" test -e /proc/self/net/netfilter/nfnetlink_queue
`;

export interface ProbePlan {
  readonly namespace: string;
  readonly image: string;
  readonly imagePullPolicy: string;
  readonly imagePullSecrets: readonly { readonly name?: string }[];
}

/** Findings for one node. */
export async function probeNode(cluster: Cluster, plan: ProbePlan, node: string): Promise<Finding[]> {
  const name = `trafficcopy-doctor-${Date.now().toString(36)}-${node.replaceAll(/[^a-z0-9]/g, '').slice(-20)}`;
  const pod = probePod(plan, name, node);
  await cluster.create(pod);
  try {
    const phase = await waitForEnd(cluster, name, plan.namespace);
    if (phase !== 'Succeeded') {
      const what = `node ${node}: the probe did not run (${phase})`;
      return [warn(what, `kubectl describe pod -n ${plan.namespace} ${name}, while doctor runs, says why`)];
    }
    return probeFindings(node, await cluster.podLog(name, plan.namespace));
  } finally {
    await cluster.remove(pod);
  }
}

/** What the probe's output means. */
export function probeFindings(node: string, log: string): Finding[] {
  const lines = log.split('\n').map((line) => line.trim());
  const missing = lines.flatMap((line) => /^no (.+?): ?(.*)$/.exec(line) ?? []).length > 0;
  const succeeded = lines.filter((line) => line.startsWith('ok ')).length;
  if (!missing && succeeded > 0) {
    const tables = lines.find((line) => line.startsWith('tables '))?.slice(7) ?? 'iptables';
    return [pass(`node ${node}: its kernel can queue, mark and match what intercept needs (${tables})`)];
  }
  if (succeeded === 0) return [warn(`node ${node}: the probe said nothing`, 'try again')];
  return lines.flatMap((line) => {
    const match = /^no (.+?): ?(.*)$/.exec(line);
    if (match === null) return [];
    const fix =
      'load the module on the node (nfnetlink_queue, xt_NFQUEUE, xt_mark, xt_tcpudp) or use a kernel that has it';
    return [fail(`node ${node}: no ${match[1]}${match[2] === '' ? '' : ` (${match[2]})`}`, fix)];
  });
}

function probePod(plan: ProbePlan, name: string, node: string): ClusterObject {
  const { namespace, image, imagePullPolicy, imagePullSecrets } = plan;
  const metadata = {
    name,
    namespace,
    labels: { 'app.kubernetes.io/name': 'trafficcopy', 'app.kubernetes.io/component': 'doctor' },
  };
  const container = {
    name: 'probe',
    image,
    imagePullPolicy,
    command: ['sh', '-c', SCRIPT],
    securityContext: {
      runAsUser: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    volumeMounts: [
      { name: 'run', mountPath: '/run' },
      { name: 'run', mountPath: '/tmp' },
    ],
  };
  const spec = {
    nodeName: node,
    restartPolicy: 'Never',
    activeDeadlineSeconds: 60,
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    tolerations: [{ operator: 'Exists' }],
    imagePullSecrets,
    containers: [container],
    volumes: [{ name: 'run', emptyDir: { medium: 'Memory' } }],
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec };
}

async function waitForEnd(cluster: Cluster, name: string, namespace: string): Promise<string> {
  const deadlineMs = performance.now() + WAIT_MS_MAX;
  for (;;) {
    const pod = await cluster.read('v1', 'Pod', name, namespace);
    const phase = (pod.status as { phase?: string } | undefined)?.phase ?? 'Unknown';
    if (phase === 'Succeeded' || phase === 'Failed') return phase;
    if (performance.now() > deadlineMs) return phase;
    await sleep(POLL_MS);
  }
}
