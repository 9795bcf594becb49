import type { CopySettings, InterceptPodSettings } from '@trafficcopy/core';
import type { CopyLinkState, HubChange, InterceptLinkState } from './link-state.js';
import type { Traffic } from './traffic.js';

/**
 * What the controller asks of the hub. All of it is remembered, nothing waits: settings go out now where there is a channel, and with the
 * next channel where there is none.
 */
export interface TrafficHub {
  /**
   * Serve: every TrafficCopy that exists must be registered before (see JoinPolicy), since a copy of an unknown one is told
   * to stop.
   */
  lead(): void;
  /** Send every channel to the leader; with undefined nobody knows it, and clients are asked to try again. Forgets links and sums. */
  follow(leaderHost: string | undefined): void;
  /** ms since {@link lead}; 0 while following. Copies and intercepts need up to 30 s to come back to a new leader. */
  readonly leadingMs: number;

  /**
   * What the copy of this TrafficCopy in this pod should do; undefined: the pod is gone, forget what was said. Sends only what differs from
   * what was sent, and takes back a stop; give the same object for all pods with the same settings. False: beyond the limits of a frame
   * (COPY_SETTINGS_LIMITS), and what was said before stays.
   */
  setCopySettings(podUid: string, trafficCopyUid: string, settings: CopySettings | undefined): boolean;
  /** STOP to all copies of it, and to each that connects from now on, until one of them gets settings. */
  stopCopies(trafficCopyUid: string, message: string): void;
  /** STOP to one, and whenever it connects, until it gets settings. */
  stopCopy(podUid: string, trafficCopyUid: string, message: string): void;
  /** The TrafficCopy is gone: settings, sums and stops are forgotten. Copies that connect later are told to stop. */
  forgetCopies(trafficCopyUid: string): void;
  /**
   * All target pods of the node. The revision is counted here. Returns the UIDs of pods at the end of the list that
   * do not fit in a frame: nobody serves them.
   */
  setInterceptSettings(node: string, pods: readonly InterceptPodSettings[]): readonly string[];

  /** Of one TrafficCopy, or all. Those that are gone for a minute are not among them any more. */
  copies(trafficCopyUid?: string): readonly CopyLinkState[];
  copy(podUid: string, trafficCopyUid: string): CopyLinkState | undefined;
  intercepts(): readonly InterceptLinkState[];
  intercept(node: string): InterceptLinkState | undefined;
  traffic(trafficCopyUid: string): Traffic;

  /**
   * A channel came or went, or a report changed in more than figures (state, generation or revision in force, endpoints, encrypted ports,
   * problems, pods). Called within the event; enqueue and return. Returns how to end it.
   */
  onChange(listener: (change: HubChange) => void): () => void;
}
