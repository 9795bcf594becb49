/** The intercepts: which pods each should serve, and what each says about them. */
import {
  CHANNEL_PORT,
  encodeInterceptSettings,
  encodeUtf8,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  type InterceptPodSettings,
  type InterceptReport,
  parseInterceptReport,
  parseInterceptSettings,
} from '@trafficcopy/core';
import type { ChannelConnection } from '@trafficcopy/runtime';
import { addressOf } from '../identity/index.js';
import { attach, detach, isPresent, type Link, newLink } from './link.js';
import type { InterceptLinkState } from './link-state.js';

/** Room in a frame for what is not the pods. */
const ENVELOPE_BYTES = 256;

interface InterceptLink extends Link<InterceptReport> {
  readonly node: string;
  host: string;
  port: number;
  /** The pods that were set last, as JSON; empty before. */
  podsText: string;
  /** Of them, those that did not fit. */
  leftOut: readonly string[];
  /** Of the settings; 0 before the first. */
  revision: number;
}

export class InterceptLinks {
  readonly #links = new Map<string, InterceptLink>();
  readonly #now: () => number;
  #lastRevision = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get connectedCount(): number {
    let count = 0;
    for (const { connection } of this.#links.values()) if (connection !== undefined) count += 1;
    return count;
  }

  /** Returns the UIDs of pods that could not be told. */
  setSettings(node: string, pods: readonly InterceptPodSettings[]): readonly string[] {
    const link = this.#link(node);
    const podsText = JSON.stringify(pods);
    if (podsText === link.podsText) return link.leftOut;
    const { kept, leftOut } = fitting(pods);
    link.podsText = podsText;
    link.leftOut = leftOut;
    // Begins with the time, so that the revisions of a new leader are beyond those of the one before.
    this.#lastRevision = Math.max(this.#lastRevision + 1, this.#now());
    link.revision = this.#lastRevision;
    link.settings = encodeInterceptSettings({ kind: 'intercept', revision: link.revision, pods: kept });
    tell(link);
    return leftOut;
  }

  clear(): void {
    this.#links.clear();
  }

  attach(node: string, connection: ChannelConnection): void {
    const link = this.#link(node);
    const [listener] = connection.peer.targets;
    attach(link, connection, this.#now());
    link.host = listener?.address ?? addressOf(connection.remote);
    link.port = listener?.port ?? CHANNEL_PORT;
    tell(link);
  }

  detach(node: string, connection: ChannelConnection): boolean {
    const link = this.#links.get(node);
    return link !== undefined && detach(link, connection, this.#now());
  }

  drained(node: string): void {
    const link = this.#links.get(node);
    if (link?.isOwed) tell(link);
  }

  report(
    node: string,
    connection: ChannelConnection,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): 'refused' | 'same' | 'changed' {
    const link = this.#links.get(node);
    const nowMs = this.#now();
    if (link === undefined || link.connection !== connection || !link.budget.take(length, nowMs)) return 'refused';
    const report = parseInterceptReport(bytes, offset, length);
    if (report === undefined) return 'refused';
    link.report = report;
    link.reportedMs = nowMs;
    const signature = JSON.stringify([report.revision, report.pods]);
    if (signature === link.signature) return 'same';
    link.signature = signature;
    return 'changed';
  }

  states(): InterceptLinkState[] {
    const nowMs = this.#now();
    const states: InterceptLinkState[] = [];
    for (const link of this.#links.values()) if (isPresent(link, nowMs)) states.push(stateOf(link, nowMs));
    return states;
  }

  state(node: string): InterceptLinkState | undefined {
    const link = this.#links.get(node);
    const nowMs = this.#now();
    return link !== undefined && isPresent(link, nowMs) ? stateOf(link, nowMs) : undefined;
  }

  /** Forgets nodes that have nothing to do and nobody there. */
  sweep(): void {
    const nowMs = this.#now();
    for (const [node, link] of this.#links) {
      const isAsked = link.podsText !== '' && link.podsText !== '[]';
      if (!isAsked && !isPresent(link, nowMs)) this.#links.delete(node);
    }
  }

  #link(node: string): InterceptLink {
    let link = this.#links.get(node);
    if (link === undefined) {
      const nothing = { host: '', port: 0, podsText: '', leftOut: [], revision: 0 };
      link = { ...newLink<InterceptReport>(), node, ...nothing };
      this.#links.set(node, link);
    }
    return link;
  }
}

function tell(link: InterceptLink): void {
  const { connection, settings } = link;
  if (connection === undefined || settings === undefined) return;
  link.isOwed = !connection.send(FRAME.CONFIG, settings);
}

/** As many of the pods, in their order, as fit in a frame; those that no intercept would read are left out. */
function fitting(pods: readonly InterceptPodSettings[]): { kept: InterceptPodSettings[]; leftOut: string[] } {
  const kept: InterceptPodSettings[] = [];
  const leftOut: string[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const pod of pods) {
    const isReadable = parseInterceptSettings(encodeInterceptSettings({ kind: 'intercept', revision: 0, pods: [pod] }));
    const podBytes = encodeUtf8(JSON.stringify(pod)).length + 1;
    if (isReadable === undefined || bytes + podBytes > FRAME_PAYLOAD_BYTES_MAX) {
      leftOut.push(pod.uid);
      continue;
    }
    bytes += podBytes;
    kept.push(pod);
  }
  return { kept, leftOut };
}

function stateOf(link: InterceptLink, nowMs: number): InterceptLinkState {
  const { node, host, port, sinceMs, report, reportedMs, revision } = link;
  return {
    node,
    host,
    port,
    isConnected: link.connection !== undefined,
    sinceMs,
    report,
    reportAgeMs: report === undefined ? Number.POSITIVE_INFINITY : nowMs - reportedMs,
    isCurrent: report !== undefined && report.revision === revision,
  };
}
