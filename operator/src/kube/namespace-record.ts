import { CONSENT_ANNOTATION } from '../api/index.js';
import type { InformerItem } from './informer.js';
import { readKubeObject, textAt } from './kube-object.js';

/** What the operator keeps of a Namespace. */
export interface NamespaceRecord extends InformerItem {
  /** The Pod Security level that is enforced; undefined: the cluster's default. */
  readonly podSecurity: string | undefined;
  /** Namespaces that may copy to its pods; "*": any. */
  readonly consent: readonly string[];
  readonly isTerminating: boolean;
}

const POD_SECURITY_LABEL = 'pod-security.kubernetes.io/enforce';
const CONSENTS_MAX = 256;

export function readNamespace(value: unknown): NamespaceRecord | undefined {
  const metadata = readKubeObject(value)?.metadata;
  if (metadata === undefined) return undefined;
  const consent = textAt(metadata, 'annotations', CONSENT_ANNOTATION) ?? '';
  return {
    name: metadata.name,
    uid: metadata.uid,
    podSecurity: textAt(metadata, 'labels', POD_SECURITY_LABEL),
    consent: consent
      .split(',', CONSENTS_MAX)
      .map((name) => name.trim())
      .filter(Boolean),
    isTerminating: metadata.deletionTimestamp !== undefined,
  };
}
