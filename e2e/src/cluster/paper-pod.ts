import { type Cluster, POD } from './cluster.js';
import type { KubeObject } from './kube-object.js';

/** A pod that exists as an object only: no scheduler takes it, no kubelet runs it, and its status says that it runs. */
export async function createPaperPod(
  cluster: Cluster,
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  address: string,
): Promise<void> {
  const pod: KubeObject = {
    ...POD,
    metadata: { name, namespace, labels },
    spec: {
      schedulerName: 'nobody',
      automountServiceAccountToken: false,
      containers: [{ name: 'application', image: 'none' }],
    },
  };
  const status = {
    phase: 'Running',
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  };
  await cluster.create(pod);
  await cluster.merge(POD, namespace, name, { status }, '/status');
}
