import type { CopyReport, InterceptReport } from '@trafficcopy/core';

/** What the hub knows of one copy: of one TrafficCopy in one pod. */
export interface CopyLinkState {
  /** Namespace of the TrafficCopy and of the pod. */
  readonly namespace: string;
  readonly trafficCopyUid: string;
  readonly podUid: string;
  /** False: its channel is gone, and it is kept here for a while as it may come back. */
  readonly isConnected: boolean;
  /** `10.1.2.3:40000`; of the last channel. */
  readonly remote: string;
  /** ms since the epoch: when the channel came up, or when it went. */
  readonly sinceMs: number;
  /** The last report of the present process, or of the last one; undefined before the first. */
  readonly report: CopyReport | undefined;
  /** Infinity before the first report. */
  readonly reportAgeMs: number;
}

/** What the hub knows of the intercept of one node. */
export interface InterceptLinkState {
  readonly node: string;
  /** Where copies should connect to. */
  readonly host: string;
  readonly port: number;
  /** False: its channel is gone, and it is kept here for a while: it goes on serving what it served. */
  readonly isConnected: boolean;
  readonly sinceMs: number;
  readonly report: InterceptReport | undefined;
  readonly reportAgeMs: number;
  /** The report is one on the settings that were set last: what it calls serving knows every grant. */
  readonly isCurrent: boolean;
}

/** Something that a controller may want to look at again. */
export type HubChange =
  | { readonly kind: 'copy'; readonly namespace: string; readonly trafficCopyUid: string; readonly podUid: string }
  | { readonly kind: 'intercept'; readonly node: string };
