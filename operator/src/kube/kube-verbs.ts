/** A right that the operator needs. `resource` names a subresource with a slash, as in RBAC rules. */
export interface KubeVerb {
  readonly apiGroup: string;
  readonly resource: string;
  readonly verb: KubeVerbName;
  /** `own`: in the operator's namespace only. */
  readonly scope: 'cluster' | 'own';
  /** Only objects of these names. (Creating cannot be limited so.) */
  readonly names?: readonly string[];
  readonly purpose: string;
}

export type KubeVerbName = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

function verbs(
  scope: 'cluster' | 'own',
  apiGroup: string,
  resource: string,
  names: readonly KubeVerbName[],
  purpose: string,
  objects?: readonly string[],
): KubeVerb[] {
  return names.map((verb) => ({
    apiGroup,
    resource,
    verb,
    scope,
    ...(objects === undefined || verb === 'create' ? {} : { names: objects }),
    purpose,
  }));
}

/** The chart's default for Secrets that TrafficCopies may name; owners of others let the operator read them by Roles of their own. */
export const CREDENTIALS_SECRET = 'trafficcopy-logins';

/**
 * Every right that the operator uses: the client refuses any other, and the chart's roles are compared with this table.
 */
export const KUBE_VERBS: readonly KubeVerb[] = [
  ...verbs('cluster', 'trafficcopy.dev', 'trafficcopies', ['list', 'watch'], 'to know what to copy'),
  ...verbs('cluster', 'trafficcopy.dev', 'trafficcopies', ['patch'], 'its finalizer'),
  ...verbs('cluster', 'trafficcopy.dev', 'trafficcopies/status', ['patch'], 'conditions and figures'),
  ...verbs('cluster', '', 'pods', ['list', 'watch'], 'to find sources and targets'),
  ...verbs('cluster', '', 'pods/ephemeralcontainers', ['patch'], 'copies in running pods'),
  ...verbs('cluster', '', 'namespaces', ['list', 'watch'], 'consent and Pod Security levels'),
  ...verbs('cluster', '', 'nodes', ['list', 'watch'], 'to know which nodes hold an intercept'),
  ...verbs('cluster', '', 'nodes', ['patch'], 'the label that brings the intercept there'),
  ...verbs('cluster', '', 'resourcequotas', ['list', 'watch'], 'a sidecar must not keep pods from being created'),
  ...verbs('cluster', '', 'limitranges', ['list', 'watch'], 'a sidecar must not keep pods from being created'),
  ...verbs('cluster', '', 'secrets', ['create', 'patch', 'delete'], 'the token of each TrafficCopy, in its namespace'),
  ...verbs('cluster', '', 'secrets', ['get'], 'logins at targets, where a TrafficCopy names them', [
    CREDENTIALS_SECRET,
  ]),
  ...verbs('cluster', '', 'events', ['create', 'patch'], 'events on TrafficCopies and pods'),
  ...verbs('cluster', 'authentication.k8s.io', 'tokenreviews', ['create'], 'to know an intercept that joins'),
  ...verbs(
    'cluster',
    'admissionregistration.k8s.io',
    'mutatingwebhookconfigurations',
    ['create', 'patch', 'delete'],
    'copies in new pods',
    ['trafficcopy'],
  ),
  ...verbs('own', '', 'secrets', ['get', 'create'], 'the authority', ['trafficcopy-authority']),
  ...verbs('own', '', 'configmaps', ['create', 'patch'], 'the authority’s certificate', ['trafficcopy-authority']),
  ...verbs('own', 'coordination.k8s.io', 'leases', ['get', 'create', 'update'], 'one replica leads', [
    'trafficcopy-operator',
  ]),
];

/** What removing the chart needs, in its hook: see runUninstall. */
export const UNINSTALL_VERBS: readonly KubeVerb[] = [
  ...verbs('cluster', 'trafficcopy.dev', 'trafficcopies', ['list', 'delete'], 'to end every copy in order'),
];

/** Whether `table` names the call. */
export function isGranted(table: readonly KubeVerb[], apiGroup: string, resource: string, verb: KubeVerbName): boolean {
  return table.some((one) => one.apiGroup === apiGroup && one.resource === resource && one.verb === verb);
}
