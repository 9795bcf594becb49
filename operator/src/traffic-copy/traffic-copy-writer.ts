import {
  CLEANUP_FINALIZER,
  copyContainerName,
  FIELD_MANAGER,
  interceptTokens,
  type TrafficCopyStatus,
  tokenSecretName,
} from '../api/index.js';
import type { CopyContainerSettings } from '../injection/copy-container.js';
import { ephemeralCopyContainer } from '../injection/ephemeral-container.js';
import {
  type KubeClient,
  PODS,
  readTrafficCopy,
  SECRETS,
  TRAFFIC_COPIES,
  type TrafficCopyRecord,
} from '../kube/index.js';
import type { Injection } from './source-plan.js';

/** The writes that a decision about one TrafficCopy can lead to, one call each. */
export class TrafficCopyWriter {
  readonly #client: KubeClient;
  readonly #container: Omit<CopyContainerSettings, 'uid'>;

  /** @param container what copies look like */
  constructor(client: KubeClient, container: Omit<CopyContainerSettings, 'uid'>) {
    this.#client = client;
    this.#container = container;
  }

  /** @returns the TrafficCopy as it stands now. @throws KubeConflictError: it was changed meanwhile. */
  async setFinalizer(trafficCopy: TrafficCopyRecord, isPresent: boolean): Promise<TrafficCopyRecord | undefined> {
    const { namespace, name, resourceVersion } = trafficCopy;
    const others = trafficCopy.finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    const finalizers = isPresent ? [...others, CLEANUP_FINALIZER] : others;
    const body = { metadata: { resourceVersion, finalizers } };
    return readTrafficCopy(await this.#client.patch(TRAFFIC_COPIES, { namespace, name }, body, 'merge'));
  }

  async setStatus(trafficCopy: TrafficCopyRecord, status: TrafficCopyStatus): Promise<TrafficCopyRecord | undefined> {
    const { namespace, name, uid } = trafficCopy;
    // With the UID: not the status of another one that has the name by now.
    const body = { metadata: { name, namespace, uid }, status };
    return readTrafficCopy(
      await this.#client.apply(TRAFFIC_COPIES, { namespace, name }, body, FIELD_MANAGER, 'status'),
    );
  }

  /** The Secret goes with its owner, should nobody be there to delete it. */
  async applySecret({ namespace, name, uid }: TrafficCopyRecord, token: string): Promise<void> {
    const owner = { apiVersion: 'trafficcopy.dev/v1alpha1', kind: 'TrafficCopy', name, uid, controller: true };
    const secret = {
      metadata: {
        name: tokenSecretName(uid),
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'trafficcopy-operator' },
        ownerReferences: [owner],
      },
      type: 'Opaque',
      stringData: { token },
    };
    await this.#client.apply(SECRETS, { namespace, name: tokenSecretName(uid) }, secret, FIELD_MANAGER);
  }

  async deleteSecret({ namespace, uid }: TrafficCopyRecord): Promise<void> {
    await this.#client.delete(SECRETS, { namespace, name: tokenSecretName(uid) });
  }

  /** @returns the container's name */
  async inject({ uid, spec }: TrafficCopyRecord, { pod, generation }: Injection): Promise<string> {
    const tokens = 'problems' in spec ? [] : interceptTokens(spec);
    const container = ephemeralCopyContainer({ ...this.#container, uid, interceptTokens: tokens }, generation);
    // With the pod's UID: not into another pod that has the name by now.
    const body = { metadata: { uid: pod.uid }, spec: { ephemeralContainers: [container] } };
    const { namespace, name } = pod;
    await this.#client.patch(PODS, { namespace, name }, body, 'strategic', 'ephemeralcontainers');
    return copyContainerName(uid, generation);
  }
}
