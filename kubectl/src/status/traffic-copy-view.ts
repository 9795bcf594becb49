/** What the plugin shows of a TrafficCopy: read with care, as any version of the operator may have written it. */
import type { TrafficStatus } from '@trafficcopy/operator/api';
import type { ClusterObject } from '../cluster/cluster.js';

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export interface TrafficCopyView {
  readonly name: string;
  readonly namespace: string;
  readonly generation: number;
  readonly observedGeneration: number;
  readonly isSuspended: boolean;
  readonly isLeaving: boolean;
  readonly sources: { readonly selected: number; readonly injected: number; readonly copying: number };
  readonly targets: readonly { readonly name: string; readonly selected: number; readonly ready: number }[];
  readonly traffic: TrafficStatus;
  readonly losses: readonly { readonly reason: string; readonly turns: number }[];
  readonly conditions: readonly ConditionView[];
}

export function trafficCopyView(object: ClusterObject): TrafficCopyView {
  const { metadata } = object;
  const spec = fields(object.spec);
  const status = fields(object.status);
  const sources = fields(status['sources']);
  return {
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? '',
    generation: metadata?.generation ?? 0,
    observedGeneration: count(status['observedGeneration']),
    isSuspended: spec['suspend'] === true,
    isLeaving: metadata?.deletionTimestamp !== undefined,
    sources: {
      selected: count(sources['selected']),
      injected: count(sources['injected']),
      copying: count(sources['copying']),
    },
    targets: list(status['targets']).map((target) => ({
      name: text(target['name']),
      selected: count(target['selected']),
      ready: count(target['ready']),
    })),
    traffic: trafficStatus(fields(status['traffic'])),
    losses: list(status['losses']).map((loss) => ({ reason: text(loss['reason']), turns: count(loss['turns']) })),
    conditions: list(status['conditions']).map((condition) => ({
      type: text(condition['type']),
      status: text(condition['status']),
      reason: text(condition['reason']),
      message: text(condition['message']),
    })),
  };
}

/** The condition of a type, when it was judged for the resource as it is now. */
export function conditionOf(view: TrafficCopyView, type: string): ConditionView | undefined {
  return view.conditions.find((condition) => condition.type === type);
}

/** What a person should read: conditions that do not hold, or hold and are bad. */
export function troubles(view: TrafficCopyView): ConditionView[] {
  return view.conditions.filter(({ type, status }) => (type === 'Degraded' ? status === 'True' : status !== 'True'));
}

function trafficStatus(traffic: Fields): TrafficStatus {
  return {
    connections: count(traffic['connections']),
    sessionsOpen: count(traffic['sessionsOpen']),
    turnsCaptured: count(traffic['turnsCaptured']),
    turnsDelivered: count(traffic['turnsDelivered']),
    turnsPending: count(traffic['turnsPending']),
    turnsLost: count(traffic['turnsLost']),
    turnsPerSecond: count(traffic['turnsPerSecond']),
    lostPercent: text(traffic['lostPercent']) || '0',
  };
}

type Fields = { readonly [key: string]: unknown };

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields) : [];
}

function count(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
