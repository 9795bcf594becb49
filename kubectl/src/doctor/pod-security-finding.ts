import { type Finding, pass, warn } from '@trafficcopy/runtime';

const ENFORCE = 'pod-security.kubernetes.io/enforce';

/** Whether Pod Security lets containers with NET_RAW into a namespace. */
export function podSecurityFinding(namespace: string, labels: Readonly<Record<string, string>>, what: string): Finding {
  const level = labels[ENFORCE] ?? 'privileged';
  if (level === 'privileged')
    return pass(`namespace ${namespace} allows ${what} (Pod Security: ${labels[ENFORCE] ?? 'none'})`);
  return warn(
    `namespace ${namespace} enforces Pod Security "${level}", which refuses ${what}`,
    `kubectl label namespace ${namespace} ${ENFORCE}=privileged --overwrite`,
  );
}
