/** What injection looks at in a pod, read from an object that is not to be trusted. */
export interface PodManifest {
  readonly labels: { readonly [key: string]: string };
  readonly annotations: { readonly [key: string]: string };
  readonly isHostNetwork: boolean;
  readonly isWindows: boolean;
  /** Resources of the pod as a whole: containers must fit into them. */
  readonly hasPodResources: boolean;
  readonly containers: readonly ContainerManifest[];
  /** Undefined: the pod has no such list. */
  readonly initContainers: readonly ContainerManifest[] | undefined;
  /** Names; undefined: the pod has no such list. */
  readonly volumes: readonly string[] | undefined;
}

export interface ContainerManifest {
  readonly name: string;
  readonly requests: { readonly [resource: string]: string };
  readonly limits: { readonly [resource: string]: string };
}

type Fields = { readonly [key: string]: unknown };

/** @returns undefined when it is no pod. */
export function readPodManifest(value: unknown): PodManifest | undefined {
  const pod = fields(value);
  const spec = fields(pod?.['spec']);
  if (pod === undefined || spec === undefined || !Array.isArray(spec['containers'])) return undefined;
  const metadata = fields(pod['metadata']) ?? {};
  return {
    labels: strings(metadata['labels']),
    annotations: strings(metadata['annotations']),
    isHostNetwork: spec['hostNetwork'] === true,
    isWindows: isWindows(spec),
    hasPodResources: Object.keys(fields(spec['resources']) ?? {}).length > 0,
    containers: containers(spec['containers']) ?? [],
    initContainers: containers(spec['initContainers']),
    volumes: list(spec['volumes'])?.map(nameOf),
  };
}

function isWindows(spec: Fields): boolean {
  const selector = strings(spec['nodeSelector']);
  return fields(spec['os'])?.['name'] === 'windows' || selector['kubernetes.io/os'] === 'windows';
}

function containers(value: unknown): ContainerManifest[] | undefined {
  return list(value)?.map((container) => {
    const resources = fields(fields(container)?.['resources']) ?? {};
    return { name: nameOf(container), requests: strings(resources['requests']), limits: strings(resources['limits']) };
  });
}

function nameOf(value: unknown): string {
  const name = fields(value)?.['name'];
  return typeof name === 'string' ? name : '';
}

function list(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

function fields(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function strings(value: unknown): { readonly [key: string]: string } {
  return Object.fromEntries(
    Object.entries(fields(value) ?? {}).flatMap(([key, entry]) =>
      typeof entry === 'string' || typeof entry === 'number' ? [[key, String(entry)]] : [],
    ),
  );
}
