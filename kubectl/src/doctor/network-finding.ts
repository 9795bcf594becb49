import { type Finding, pass, warn } from '@trafficcopy/runtime';

/** Pod networks by a part of the name of the DaemonSet that they run. */
const NETWORKS = [
  ['cilium', 'Cilium'],
  ['calico', 'Calico'],
  ['kindnet', 'kindnet'],
  ['flannel', 'Flannel'],
  ['weave', 'Weave Net'],
  ['antrea', 'Antrea'],
  ['kube-router', 'kube-router'],
  ['aws-node', 'Amazon VPC CNI'],
  ['azure-cni', 'Azure CNI'],
  ['anetd', 'GKE Dataplane V2'],
  ['ovnkube', 'OVN-Kubernetes'],
  ['canal', 'Canal'],
] as const;

/** Tunnel delivery crosses any of them: to the network it is a TLS connection between two pods. */
export function networkFinding(daemonSetNames: readonly string[]): Finding {
  const known = NETWORKS.find(([part]) => daemonSetNames.some((name) => name.includes(part)));
  if (known === undefined) {
    return warn(
      'the pod network is not one that is known here',
      'delivery: Tunnel works with any; keep away from Direct, which sends packets with foreign source addresses',
    );
  }
  return pass(`pod network ${known[1]}: delivery Tunnel works; Direct needs a network without source address checks`);
}
