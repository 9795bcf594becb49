import { INTERCEPT_NODE_LABEL } from '../api/index.js';
import type { InformerItem } from './informer.js';
import { readKubeObject, textAt } from './kube-object.js';
import { isConditionTrue } from './pod-record.js';

/** What the operator keeps of a Node. */
export interface NodeRecord extends InformerItem {
  /** It has the label that brings the intercept. */
  readonly isLabelled: boolean;
  readonly isReady: boolean;
}

export function readNode(value: unknown): NodeRecord | undefined {
  const metadata = readKubeObject(value)?.metadata;
  if (metadata === undefined) return undefined;
  return {
    name: metadata.name,
    uid: metadata.uid,
    isLabelled: textAt(metadata, 'labels', INTERCEPT_NODE_LABEL) !== undefined,
    isReady: isConditionTrue(value, 'Ready'),
  };
}
