import { COPY_SETTINGS_LIMITS, type CopyMappingSettings, type CopySettings } from '@trafficcopy/core';
import type { CheckedSpec } from '../api/index.js';
import type { PodRecord } from '../kube/index.js';
import { credentialsProblem } from './credentials-state.js';
import { type LifePhase, timeOf } from './life-phase.js';
import type { Observation } from './observation.js';
import type { SourcePlan } from './source-plan.js';
import { endpointsOf, type TargetPlan } from './target-plan.js';

/** Reserved for tests of networks (RFC 2544, RFC 6890): played clients of a pod's loopback, which have no addresses of their own. */
const LOOPBACK_RANGES: readonly string[] = ['198.18.0.0/15'];

/** What the copy in each source pod should do, by UID of the pod. Pods with the same settings have the same object. */
export function copySettingsPlan(
  observation: Observation,
  spec: CheckedSpec,
  phase: LifePhase,
  sources: SourcePlan,
  targets: TargetPlan,
): ReadonlyMap<string, CopySettings> {
  const plan = new Map<string, CopySettings>();
  // Copies go on as they are until it is known who logs in.
  if (!targets.isKnown || observation.credentials?.kind === 'unread') return plan;
  const made = new Map<CopySettings['capture'], CopySettings>();
  for (const { pod, isSelected } of observation.pods) {
    // A pod that is on its way out finishes what it began.
    if (!isSelected || !(pod.isTerminating || sources.selected.includes(pod))) continue;
    const capture = captureOf(spec, pod);
    const settings = made.get(capture) ?? settingsFor(observation, spec, phase, targets, capture);
    made.set(capture, settings);
    plan.set(pod.uid, settings);
  }
  return plan;
}

function captureOf(spec: CheckedSpec, pod: PodRecord): CopySettings['capture'] {
  const isLoopback = spec.capture === 'Loopback' || (spec.capture === 'Auto' && pod.mesh !== undefined);
  return isLoopback ? 'loopback' : 'wire';
}

function settingsFor(
  observation: Observation,
  spec: CheckedSpec,
  phase: LifePhase,
  targets: TargetPlan,
  capture: CopySettings['capture'],
): CopySettings {
  const { trafficCopy, credentials } = observation;
  const isRunning = phase.kind === 'active' && credentialsProblem(observation) === undefined;
  const isLoopback = capture === 'loopback' && spec.clientRanges.length === 0;
  return {
    kind: 'copy',
    generation: trafficCopy.generation,
    state: isRunning ? 'running' : 'suspended',
    delivery: spec.delivery,
    capture,
    ...(credentials?.kind === 'known' ? { credentials: credentials.text } : {}),
    mappings: mappings(targets),
    ...rampSettings(trafficCopy.status.rampStartTime, spec.rampMs, phase),
    sample: { fraction: spec.sampleFraction, by: spec.sampleBy, seed: spec.sampleSeed },
    copies: spec.multiply,
    clientRanges: isLoopback ? LOOPBACK_RANGES : spec.clientRanges,
    limits: {
      sessionsMax: spec.sessionsMax,
      heldBytesMax: spec.heldBytesMax,
      bytesPerSecondMax: spec.bytesPerSecondMax,
      ...(spec.cpuPercentMax === undefined ? {} : { cpuPercentMax: spec.cpuPercentMax }),
      ...(spec.processBytesMax === undefined ? {} : { processBytesMax: spec.processBytesMax }),
    },
  };
}

/** One clock for all copies: a new pod is where the others are. */
function rampSettings(
  startTime: string | undefined,
  durationMs: number | undefined,
  phase: LifePhase,
): Pick<CopySettings, 'ramp'> {
  if (durationMs === undefined) return {};
  const beganAtMs = phase.kind === 'active' ? timeOf(startTime) : undefined;
  return { ramp: { durationMs, ...(beganAtMs === undefined ? {} : { beganAtMs }) } };
}

function mappings({ targets }: TargetPlan): CopyMappingSettings[] {
  const ports = [...new Set(targets.flatMap(({ target }) => target.ports.map(({ source }) => source)))];
  const listsMax = Math.max(1, ports.length * targets.length);
  const endpointsMax = Math.min(
    COPY_SETTINGS_LIMITS.endpoints,
    Math.floor(COPY_SETTINGS_LIMITS.endpointsInAll / listsMax),
  );
  return ports
    .sort((one, other) => one - other)
    .map((onlinePort) => ({
      onlinePort,
      targets: targets
        .filter(({ target }) => target.ports.some(({ source }) => source === onlinePort))
        .map((state) => ({
          name: state.target.name,
          endpoints: sorted(endpointsOf(state, onlinePort)).slice(0, endpointsMax),
        })),
    }));
}

/** The order of pods in a cache says nothing: without one of its own a list would seem to change. */
function sorted<Endpoint extends { readonly address: string }>(endpoints: Endpoint[]): Endpoint[] {
  return endpoints.sort((one, other) => (one.address < other.address ? -1 : 1));
}
