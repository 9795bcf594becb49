/**
 * Tests on a real cluster. They see the product as its user does: the chart, the resource, kubectl; and production as its user does:
 * numbered requests that are answered, and a network in which nothing strange appears.
 *
 * All files share one cluster and one installation and run one after the other; each has a namespace of its own, and leaves the
 * installation as it found it. Nothing waits for time to pass: `until` waits for a state, and its deadline is what the
 * product promises.
 */

export { Cluster, DEPLOYMENT, NODE, POD, TRAFFIC_COPY } from './cluster/cluster.js';
export { ClusterError } from './cluster/cluster-error.js';
export { inParallel } from './cluster/in-parallel.js';
export { Inspector } from './cluster/inspector.js';
export type { KubeObject } from './cluster/kube-object.js';
export { createPaperPod } from './cluster/paper-pod.js';
export { PodTunnel } from './cluster/pod-tunnel.js';
export { TestNamespace } from './cluster/test-namespace.js';
export { Installation, SYSTEM_NAMESPACE } from './product/installation.js';
export { type Condition, type Traffic, TrafficCopyResource } from './product/traffic-copy-resource.js';
export { imageOf } from './shop/image.js';
export { LoadPod } from './shop/load-pod.js';
export { RequestAccount } from './shop/request-account.js';
export { ShopService } from './shop/shop-service.js';
export { FRESH_ID_START, Stage } from './stage.js';
export { until } from './until.js';
