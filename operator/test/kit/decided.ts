/** How tests look at a decision. */
import assert from 'node:assert/strict';
import type { Condition, ConditionType } from '../../src/api/index.js';
import type { Decision } from '../../src/traffic-copy/decision.js';
import { type Case, copyContainer, copyLink, pod } from './observed.js';

/** What nodes are told; it was decided anew. */
export function nodesOf({ nodes }: Pick<Decision, 'nodes'>): Exclude<Decision['nodes'], 'asBefore'> {
  assert.notEqual(nodes, 'asBefore');
  return nodes as Exclude<Decision['nodes'], 'asBefore'>;
}

export function sizeOf(decision: Decision): number {
  return nodesOf(decision).size;
}

/** A source pod with a copy at work. */
export const COPIED: Case = { sources: [pod('a', { copies: [copyContainer(1)] })], copies: [copyLink('uid-a')] };

export function condition(decision: Decision, type: ConditionType): Condition {
  const found = decision.status?.conditions?.find((one) => one.type === type);
  assert.ok(found, `no condition ${type}`);
  return found;
}

export function expect(decision: Decision, type: ConditionType, status: string, reason: string, message = /./): void {
  const found = condition(decision, type);
  assert.deepEqual([found.status, found.reason], [status, reason], found.message);
  assert.match(found.message, message);
}
