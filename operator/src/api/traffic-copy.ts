import type { LabelSelector } from './label-selector.js';
import type { TrafficCopyStatus } from './traffic-copy-status.js';

/** The resource as people write it. Defaults are the schema's, in crds/. */
export interface TrafficCopy {
  readonly apiVersion: 'trafficcopy.dev/v1alpha1';
  readonly kind: 'TrafficCopy';
  readonly metadata: TrafficCopyMetadata;
  readonly spec: TrafficCopySpec;
  readonly status?: TrafficCopyStatus;
}

export interface TrafficCopyMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string | undefined;
  readonly finalizers?: readonly string[] | undefined;
}

export interface TrafficCopySpec {
  readonly source: { readonly selector: LabelSelector };
  readonly targets: readonly TargetSpec[];
  readonly sample?: SampleSpec;
  readonly multiply?: number;
  readonly ramp?: string;
  readonly clientAddress?: { readonly mode?: 'Preserve' | 'Range'; readonly cidrs?: readonly string[] };
  readonly capture?: 'Auto' | 'Wire' | 'Loopback';
  readonly delivery?: 'Tunnel' | 'Direct';
  readonly injection?: 'Auto' | 'Ephemeral' | 'Sidecar';
  readonly credentialsSecret?: { readonly name: string; readonly key?: string };
  readonly suspend?: boolean;
  readonly duration?: string;
  readonly schedule?: { readonly start?: string; readonly end?: string };
  readonly limits?: {
    readonly sessions?: number;
    readonly memory?: string | number;
    readonly bandwidth?: string | number;
    readonly cpu?: string | number;
    readonly processMemory?: string | number;
  };
}

export interface TargetSpec {
  readonly name: string;
  readonly namespace?: string;
  readonly selector?: LabelSelector;
  readonly address?: string;
  readonly intercept?: string;
  readonly interceptTokenSecret?: { readonly name: string; readonly key?: string };
  readonly ports: readonly { readonly source: number; readonly target?: number }[];
}

export interface SampleSpec {
  readonly percent?: number;
  readonly fraction?: { readonly numerator: number; readonly denominator?: number };
  readonly by?: 'Connection' | 'Client';
  readonly seed?: number;
}
