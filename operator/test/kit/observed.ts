/** Builders of what decisions look at: each gives a plain case, and takes what differs. */
import type { CopyReport, InterceptPodReport } from '@trafficcopy/core';
import { CLEANUP_FINALIZER, type TrafficCopyStatus } from '../../src/api/index.js';
import type { CopyLinkState, InterceptLinkState, Traffic } from '../../src/hub/index.js';
import {
  type CopyContainerRecord,
  type NamespaceRecord,
  type PodRecord,
  readTrafficCopy,
  type TrafficCopyRecord,
} from '../../src/kube/index.js';
import { EMPTY_MEMORY, type Observation, type ObservedTarget } from '../../src/traffic-copy/observation.js';
import { COPY_REPORT } from './copy-report.js';
import { INTERCEPT_REPORT } from './intercept-report.js';

export const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
export const COPY_IMAGE = 'copy:1';
export const UID = 'aaaaaaaa-1111-4222-8333-444444444444';

export const SPEC = {
  source: { selector: { matchLabels: { app: 'checkout' } } },
  targets: [
    {
      name: 'canary',
      selector: { matchLabels: { app: 'canary' } },
      ports: [{ source: 8080, target: 9090 }],
    },
  ],
};

export function trafficCopy(
  spec: object = {},
  rest: Partial<TrafficCopyRecord> & { status?: TrafficCopyStatus } = {},
): TrafficCopyRecord {
  const record = readTrafficCopy({
    metadata: {
      name: 'shadow',
      namespace: 'shop',
      uid: UID,
      generation: 3,
      resourceVersion: '100',
      finalizers: [CLEANUP_FINALIZER],
    },
    spec: { ...SPEC, ...spec },
  });
  return { ...record!, ...rest };
}

export function pod(name: string, rest: Partial<PodRecord> = {}): PodRecord {
  return {
    namespace: 'shop',
    name,
    uid: `uid-${name}`,
    labels: { app: 'checkout' },
    annotations: {},
    nodeName: 'node-1',
    phase: 'Running',
    isReady: true,
    isTerminating: false,
    isHostNetwork: false,
    isWindows: false,
    mesh: undefined,
    addresses: [`10.0.0.${name.length}`],
    copies: [],
    ...rest,
  };
}

export function copyContainer(n: number, rest: Partial<CopyContainerRecord> = {}): CopyContainerRecord {
  return {
    name: `trafficcopy-${UID.slice(0, 8)}-${n}`,
    image: COPY_IMAGE,
    kind: n === 0 ? 'sidecar' : 'ephemeral',
    state: 'running',
    reason: '',
    message: '',
    exitCode: 0,
    finishedAtMs: 0,
    tokenVariables: [],
    ...rest,
  };
}

export function crashed(n: number, agoMs: number, exitCode = 137): CopyContainerRecord {
  const finishedAtMs = NOW_MS - agoMs;
  return copyContainer(n, { state: 'terminated', reason: 'Error', exitCode, finishedAtMs });
}

export function copyReport(rest: Partial<CopyReport> = {}): CopyReport {
  return {
    ...COPY_REPORT,
    generation: 3,
    connectionsSeen: 10,
    sessionsOpen: 1,
    sessionsStarted: 10,
    turnsCaptured: 100,
    turnsDelivered: 98,
    turnsAnswered: 98,
    turnsPending: 1,
    turnsLost: { targetReset: 1 },
    bytesSent: 1000,
    endpoints: [{ endpoint: '10.0.1.1:9090', isUp: true }],
    ...rest,
  };
}

export function copyLink(podUid: string, rest: Partial<CopyLinkState> = {}): CopyLinkState {
  return {
    namespace: 'shop',
    trafficCopyUid: UID,
    podUid,
    isConnected: true,
    remote: '10.0.0.1:40000',
    sinceMs: NOW_MS - 10_000,
    report: copyReport(),
    reportAgeMs: 500,
    ...rest,
  };
}

export function intercept(
  node: string,
  pods: Readonly<Record<string, InterceptPodReport['state']>>,
  rest: Partial<InterceptLinkState> = {},
): InterceptLinkState {
  return {
    node,
    host: `${node}.intercept`,
    port: 36524,
    isConnected: true,
    isCurrent: true,
    sinceMs: NOW_MS - 10_000,
    report: {
      ...INTERCEPT_REPORT,
      revision: 1,
      pods: Object.entries(pods).map(([uid, state]) => ({
        uid,
        state,
        message: state === 'failed' ? 'no iptables' : '',
      })),
    },
    reportAgeMs: 500,
    ...rest,
  };
}

export const NO_TRAFFIC: Traffic = {
  connections: 0,
  sessionsOpen: 0,
  sessionsStarted: 0,
  turnsCaptured: 0,
  turnsDelivered: 0,
  turnsAnswered: 0,
  turnsPending: 0,
  turnsLost: 0,
  turnsPerSecond: 0,
  lostPercent: '0',
  losses: [],
  bytesSent: 0,
  captureDrops: 0,
};

export function namespace(name: string, rest: Partial<NamespaceRecord> = {}): NamespaceRecord {
  return { name, uid: `uid-${name}`, podSecurity: undefined, consent: [], isTerminating: false, ...rest };
}

export interface Case {
  readonly trafficCopy?: TrafficCopyRecord;
  readonly sources?: readonly PodRecord[];
  /** Pods of the first target. */
  readonly targets?: readonly PodRecord[];
  readonly intercepts?: readonly InterceptLinkState[];
  readonly copies?: readonly CopyLinkState[];
  readonly rest?: Partial<Observation>;
}

/** One running source pod without a copy, one target pod that is served, a leader that has led for long. */
export function observe(given: Case = {}): Observation {
  const record = given.trafficCopy ?? trafficCopy();
  const sources = given.sources ?? [pod('a')];
  const targets = given.targets ?? [targetPod('t')];
  const served = Object.fromEntries(targets.map(({ uid }) => [uid, 'serving' as const]));
  const intercepts = given.intercepts ?? [intercept('node-2', served)];
  return {
    trafficCopy: record,
    nowMs: NOW_MS,
    leadingMs: 600_000,
    namespace: namespace('shop'),
    limits: [],
    pods: sources.map((one) => ({ pod: one, isSelected: one.labels['app'] === 'checkout' })),
    targets: observedTargets(record, targets),
    intercepts: new Map(intercepts.map((one) => [one.node, one])),
    copies: new Map((given.copies ?? []).map((one) => [one.podUid, one])),
    traffic: NO_TRAFFIC,
    copyImage: COPY_IMAGE,
    memory: EMPTY_MEMORY,
    ...given.rest,
  };
}

export function targetPod(name: string, rest: Partial<PodRecord> = {}): PodRecord {
  return pod(name, { labels: { app: 'canary' }, nodeName: 'node-2', addresses: ['10.0.1.1'], ...rest });
}

function observedTargets({ spec }: TrafficCopyRecord, pods: readonly PodRecord[]): ObservedTarget[] {
  if ('problems' in spec) return [];
  return spec.targets.map((target, index) => {
    const namespaceName = target.place.kind === 'pods' ? (target.place.namespace ?? 'shop') : '';
    return { target, namespaceName, namespace: namespace(namespaceName), pods: index === 0 ? pods : [] };
  });
}
