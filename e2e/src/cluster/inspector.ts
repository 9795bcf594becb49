import { expectCommand } from '@trafficcopy/lab';
import { imageOf } from '../shop/image.js';
import { until } from '../until.js';
import { type Cluster, POD } from './cluster.js';
import type { KubeObject } from './kube-object.js';

const NAMESPACE = 'e2e-inspector';
const READY_MS = 90_000;

/** Everything that an intercept could have left in a pod's network namespace, as text that can be compared. */
const DUMP = `
for tool in iptables ip6tables; do for kind in nft legacy; do
  echo "# $tool-$kind"; $tool-$kind-save 2>&1 | sed -E '/^#/d; s/\\[[0-9]+:[0-9]+\\]//'
done; done
echo '# rules'; ip rule; ip -6 rule
echo '# routes'; ip route show table all; ip -6 route show table all | sed -E 's/expires [0-9]+sec//'
echo '# addresses'; ip -o address | sed -E 's/(valid|preferred)_lft [^ ]+//g'
echo '# queues'; cat /proc/self/net/netfilter/nfnetlink_queue
echo '# sockets'; ss -H -w -a 2>/dev/null; cat /proc/self/net/raw /proc/self/net/raw6 | sed 1d
echo '# sysctls'; cd /proc/sys/net && grep -rH . ipv4/tcp_fwmark_accept ipv4/fwmark_reflect ipv6/fwmark_reflect ipv4/conf ipv6/conf 2>/dev/null | sort
`;

/** Looks into nodes and pods from outside, as root of the node: a privileged pod on every node. */
export class Inspector {
  readonly #cluster: Cluster;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Brings the pods up; they are shared by all test files and stay until `remove`. */
  static async deploy(cluster: Cluster): Promise<Inspector> {
    const privileged = { 'pod-security.kubernetes.io/enforce': 'privileged' };
    await cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: privileged } },
      daemonSet(),
    );
    await until('the inspector is on every node', READY_MS, async () => {
      const { metadata, status } = await cluster.read(
        { apiVersion: 'apps/v1', kind: 'DaemonSet' },
        NAMESPACE,
        'inspector',
      );
      const isSeen = status.observedGeneration === metadata['generation'] && status.desiredNumberScheduled > 0;
      return isSeen && status.numberAvailable === status.desiredNumberScheduled;
    });
    return new Inspector(cluster);
  }

  async remove(): Promise<void> {
    await this.#cluster.remove({ apiVersion: 'v1', kind: 'Namespace' }, undefined, NAMESPACE);
  }

  /** Runs a shell script as root of a node, in its process namespace. */
  async onNode(node: string, script: string): Promise<string> {
    const pods = await this.#cluster.list(POD, NAMESPACE);
    const pod = pods.find((each) => each['spec'].nodeName === node && each.metadata.deletionTimestamp === undefined);
    if (pod === undefined) throw new Error(`no inspector on node ${node}`);
    return expectCommand('kubectl', ['-n', NAMESPACE, 'exec', '-i', pod.metadata.name, '--', 'bash', '-s'], {
      input: script,
    });
  }

  /** Ids of a pod's processes on its node, oldest first; `command`: only those whose command line holds it. */
  async processes(pod: KubeObject, command = ''): Promise<number[]> {
    const uid = pod.metadata.uid ?? '';
    const found = await this.onNode(
      pod['spec'].nodeName,
      `for each in $(grep -lE 'pod(${uid}|${uid.replaceAll('-', '_')})' /proc/[0-9]*/cgroup 2>/dev/null | sort -t/ -nk3); do
        pid=\${each//[^0-9]/}
        tr '\\0' ' ' < /proc/$pid/cmdline 2>/dev/null | grep -qF -- '${command}' && echo $pid
      done; true`,
    );
    return found.split('\n').filter(Boolean).map(Number);
  }

  /** Runs a shell script in the network namespace of a pod. */
  async inPod(pod: KubeObject, script: string): Promise<string> {
    const [pid] = await this.processes(pod);
    if (pid === undefined) throw new Error(`pod ${pod.metadata.name} has no process on ${pod['spec'].nodeName}`);
    return this.onNode(pod['spec'].nodeName, `nsenter --net=/proc/${pid}/ns/net bash -s <<'SCRIPT'\n${script}\nSCRIPT`);
  }

  async dump(pod: KubeObject): Promise<string> {
    return this.inPod(pod, DUMP);
  }

  /** kill -9, from outside. */
  async kill(pod: KubeObject, command: string): Promise<void> {
    const pids = await this.processes(pod, command);
    if (pids.length === 0) throw new Error(`pod ${pod.metadata.name} runs no ${command}`);
    await this.onNode(pod['spec'].nodeName, `kill -9 ${pids.join(' ')}`);
  }
}

function daemonSet(): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'inspector', namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: 'inspector' } },
      template: {
        metadata: { labels: { app: 'inspector' } },
        spec: {
          hostPID: true,
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'inspector',
              image: imageOf('trafficcopy-e2e'),
              imagePullPolicy: 'IfNotPresent',
              command: ['sleep', 'infinity'],
              securityContext: { privileged: true },
            },
          ],
        },
      },
    },
  };
}
