import { type Finding, fail, pass, warn } from '@trafficcopy/runtime';
import type { Cluster, ClusterObject } from '../cluster/cluster.js';
import { API_VERSION } from '../start/traffic-copy-manifest.js';
import type { ProbePlan } from './queue-probe.js';

const CRD = 'trafficcopies.trafficcopy.dev';
const INSTALL = 'helm install trafficcopy charts/trafficcopy -n trafficcopy-system, see docs/kubernetes.md';
const OPERATOR = 'app.kubernetes.io/name=trafficcopy,app.kubernetes.io/component=operator';
const INTERCEPT = 'app.kubernetes.io/name=trafficcopy,app.kubernetes.io/component=intercept';

/** What is installed, and whether it runs. */
export interface Installation {
  readonly findings: readonly Finding[];
  /** Undefined when there is no intercept to take the image of. */
  readonly probe: ProbePlan | undefined;
  /** Namespace of the operator, when one was found. */
  readonly namespace: string | undefined;
}

export async function installation(cluster: Cluster): Promise<Installation> {
  const findings = [crdFinding(await cluster.find('apiextensions.k8s.io/v1', 'CustomResourceDefinition', CRD))];
  const operators = await cluster.list('apps/v1', 'Deployment', { labelSelector: OPERATOR });
  findings.push(operatorFinding(operators));
  const intercepts = await cluster.list('apps/v1', 'DaemonSet', { labelSelector: INTERCEPT });
  findings.push(interceptFinding(intercepts));
  return { findings, probe: probePlan(intercepts[0]), namespace: operators[0]?.metadata?.namespace };
}

function crdFinding(crd: ClusterObject | undefined): Finding {
  if (crd === undefined) return fail('the TrafficCopy resource is not installed', INSTALL);
  const { versions = [] } = (crd.spec ?? {}) as { versions?: { name: string; served: boolean }[] };
  const wanted = API_VERSION.split('/')[1];
  if (versions.some(({ name, served }) => name === wanted && served))
    return pass(`TrafficCopy ${API_VERSION} is served`);
  return fail(
    `TrafficCopy is installed, but not in version ${wanted}`,
    'upgrade the chart and this plugin to one version',
  );
}

function operatorFinding(deployments: readonly ClusterObject[]): Finding {
  const [deployment] = deployments;
  if (deployment === undefined) return fail('there is no operator', INSTALL);
  const { name, namespace } = deployment.metadata!;
  if (deployments.length > 1) {
    const places = deployments.map(({ metadata }) => metadata?.namespace).join(', ');
    return fail(
      `${deployments.length} operators are installed (${places})`,
      'keep one: two would undo each other’s work',
    );
  }
  const { replicas = 0 } = (deployment.spec ?? {}) as { replicas?: number };
  const { readyReplicas = 0 } = (deployment.status ?? {}) as { readyReplicas?: number };
  const what = `operator: ${readyReplicas} of ${replicas} replicas are ready in namespace ${namespace}`;
  if (readyReplicas === 0) return fail(what, `kubectl describe deployment -n ${namespace} ${name}`);
  return readyReplicas < replicas ? warn(what, `kubectl describe deployment -n ${namespace} ${name}`) : pass(what);
}

function interceptFinding(daemonSets: readonly ClusterObject[]): Finding {
  const [daemonSet] = daemonSets;
  if (daemonSet === undefined) return fail('there is no intercept', INSTALL);
  const { name, namespace } = daemonSet.metadata!;
  const status = (daemonSet.status ?? {}) as { desiredNumberScheduled?: number; numberReady?: number };
  const { desiredNumberScheduled: wanted = 0, numberReady: ready = 0 } = status;
  if (wanted === 0) return pass('intercept: installed; it runs on nodes of target pods, of which there are none now');
  const what = `intercept: ready on ${ready} of ${wanted} nodes`;
  return ready < wanted ? fail(what, `kubectl describe daemonset -n ${namespace} ${name}`) : pass(what);
}

function probePlan(daemonSet: ClusterObject | undefined): ProbePlan | undefined {
  interface PodTemplate {
    readonly spec?: {
      readonly containers?: readonly { readonly image?: string; readonly imagePullPolicy?: string }[];
      readonly imagePullSecrets?: readonly { readonly name?: string }[];
    };
  }
  const { template } = (daemonSet?.spec ?? {}) as { template?: PodTemplate };
  const container = template?.spec?.containers?.[0];
  if (daemonSet === undefined || container?.image === undefined) return undefined;
  return {
    namespace: daemonSet.metadata!.namespace!,
    image: container.image,
    imagePullPolicy: container.imagePullPolicy ?? 'IfNotPresent',
    imagePullSecrets: template?.spec?.imagePullSecrets ?? [],
  };
}
