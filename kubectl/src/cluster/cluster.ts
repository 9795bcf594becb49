/**
 * The cluster that the plugin talks to, as kubectl would: the same configuration files, contexts and credentials. The only
 * importer of the client library.
 */
import {
  ApiException,
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  VersionApi,
} from '@kubernetes/client-node';
import { ClusterError, type ClusterErrorCode } from './cluster-error.js';

const FIELD_MANAGER = 'kubectl-trafficcopy';

/** How kubectl's own flags choose a cluster. */
export interface ClusterChoice {
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly namespace: string | undefined;
}

/** Any object of the API; fields are looked at with care, as other programs wrote them. */
export interface ClusterObject extends KubernetesObject {
  readonly spec?: unknown;
  readonly status?: unknown;
  readonly data?: unknown;
}

export interface Permission {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string | undefined;
}

export class Cluster {
  readonly #config: KubeConfig;
  readonly #objects: KubernetesObjectApi;
  /** The namespace that commands work in. */
  readonly namespace: string;
  /** For messages: the name of the context. */
  readonly context: string;

  private constructor(config: KubeConfig, namespace: string) {
    this.#config = config;
    this.#objects = KubernetesObjectApi.makeApiClient(config);
    this.namespace = namespace;
    this.context = config.getCurrentContext();
  }

  /** @throws ClusterError ERR_CLUSTER_UNREACHABLE: there is no configuration, or it names no such context. */
  static connect(choice: ClusterChoice): Cluster {
    const config = new KubeConfig();
    try {
      if (choice.kubeconfig === undefined) config.loadFromDefault();
      else config.loadFromFile(choice.kubeconfig);
    } catch (cause) {
      const message = `the configuration of kubectl cannot be read: ${(cause as Error).message}`;
      throw new ClusterError('ERR_CLUSTER_UNREACHABLE', message, { cause });
    }
    if (choice.context !== undefined) {
      if (config.getContextObject(choice.context) === null) {
        const known = config.getContexts().map(({ name }) => name);
        const message = `--context: there is no context "${choice.context}"; known: ${known.join(', ') || 'none'}`;
        throw new ClusterError('ERR_CLUSTER_UNREACHABLE', message);
      }
      config.setCurrentContext(choice.context);
    }
    if (config.getCurrentCluster() === null) {
      const advice = 'set KUBECONFIG, or choose a context with --context';
      throw new ClusterError('ERR_CLUSTER_UNREACHABLE', `kubectl has no current cluster; ${advice}`);
    }
    const current = config.getContextObject(config.getCurrentContext());
    return new Cluster(config, choice.namespace ?? current?.namespace ?? 'default');
  }

  /** @throws ClusterError ERR_CLUSTER_NOT_FOUND and others. */
  async read(apiVersion: string, kind: string, name: string, namespace?: string): Promise<ClusterObject> {
    const metadata = namespace === undefined ? { name } : { name, namespace };
    return await this.#call(`read ${kind} ${name}`, () => this.#objects.read({ apiVersion, kind, metadata }));
  }

  /** As {@link read}, undefined when there is no such object. */
  async find(apiVersion: string, kind: string, name: string, namespace?: string): Promise<ClusterObject | undefined> {
    try {
      return await this.read(apiVersion, kind, name, namespace);
    } catch (error) {
      if (error instanceof ClusterError && error.code === 'ERR_CLUSTER_NOT_FOUND') return undefined;
      throw error;
    }
  }

  /** `namespace` undefined: all of them, or none for kinds without. */
  async list(
    apiVersion: string,
    kind: string,
    options: { readonly namespace?: string | undefined; readonly labelSelector?: string | undefined } = {},
  ): Promise<ClusterObject[]> {
    const { namespace, labelSelector } = options;
    const found = await this.#call(`list ${kind}`, () =>
      this.#objects.list(apiVersion, kind, namespace, ...UNSET_4, undefined, labelSelector),
    );
    return found.items;
  }

  /** Creates it. `dryRun`: the API server only checks it. */
  async create(object: ClusterObject, dryRun = false): Promise<ClusterObject> {
    const what = `create ${object.kind} ${object.metadata?.name}`;
    return await this.#call(what, () =>
      this.#objects.create(object, undefined, dryRun ? 'All' : undefined, FIELD_MANAGER),
    );
  }

  /** Returns when the API server has taken it: finalizers may keep the object for a while. */
  async remove(object: ClusterObject): Promise<void> {
    await this.#call(`delete ${object.kind} ${object.metadata?.name}`, () => this.#objects.delete(object));
  }

  async podLog(name: string, namespace: string): Promise<string> {
    const api = this.#config.makeApiClient(CoreV1Api);
    return await this.#call(`read the log of pod ${name}`, () => api.readNamespacedPodLog({ name, namespace }));
  }

  /** Of the API server: "v1.34.4". */
  async version(): Promise<string> {
    const api = this.#config.makeApiClient(VersionApi);
    return (await this.#call('ask for the version', () => api.getCode())).gitVersion;
  }

  /** Whether the user may do this. */
  async may(permission: Permission): Promise<boolean> {
    const api = this.#config.makeApiClient(AuthorizationV1Api);
    const { verb, group, resource, namespace } = permission;
    const [plural = resource, subresource] = resource.split('/');
    const attributes = {
      verb,
      group,
      resource: plural,
      ...(subresource === undefined ? {} : { subresource }),
      ...(namespace === undefined ? {} : { namespace }),
    };
    const body = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: attributes },
    };
    const review = await this.#call('ask for permissions', () => api.createSelfSubjectAccessReview({ body }));
    return review.status?.allowed === true;
  }

  async #call<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw clusterError(what, error, this.context);
    }
  }
}

/** pretty, exact, exportt, fieldSelector come before what we set in the library's list call. */
const UNSET_4 = [undefined, undefined, undefined] as const;

function clusterError(what: string, error: unknown, context: string): ClusterError {
  if (!(error instanceof ApiException)) {
    const text = error instanceof Error ? error.message : String(error);
    const isUnknownKind = /Unrecognized API version and kind/.test(text);
    if (isUnknownKind) return new ClusterError('ERR_CLUSTER_NOT_FOUND', `cannot ${what}: ${text}`, { cause: error });
    const reason = (error as { cause?: { message?: string } }).cause?.message ?? text;
    const message = `cannot ${what}: the API server of context "${context}" did not answer: ${reason}`;
    return new ClusterError('ERR_CLUSTER_UNREACHABLE', message, { cause: error });
  }
  const codes: Readonly<Record<number, ClusterErrorCode>> = {
    401: 'ERR_CLUSTER_FORBIDDEN',
    403: 'ERR_CLUSTER_FORBIDDEN',
    404: 'ERR_CLUSTER_NOT_FOUND',
    409: 'ERR_CLUSTER_CONFLICT',
    422: 'ERR_CLUSTER_INVALID',
    400: 'ERR_CLUSTER_INVALID',
  };
  const message = `cannot ${what}: ${statusMessage(error)}`;
  return new ClusterError(codes[error.code] ?? 'ERR_CLUSTER_FAILED', message, { cause: error });
}

/** The API server's own words. */
function statusMessage(error: ApiException<unknown>): string {
  let body: unknown = error.body;
  if (typeof body === 'string') {
    try {
      body = JSON.parse(body);
    } catch {
      return `${error.code}: ${String(body).slice(0, 500)}`;
    }
  }
  const message = (body as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : `the API server answered ${error.code}`;
}
