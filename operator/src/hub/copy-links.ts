/** The copies: what each should do, and what each says. */
import {
  type CopyReport,
  type CopySettings,
  encodeCopySettings,
  encodeStop,
  FRAME,
  FRAME_PAYLOAD_BYTES_MAX,
  parseCopyReport,
  parseCopySettings,
} from '@trafficcopy/core';
import type { ChannelConnection } from '@trafficcopy/runtime';
import type { CopyIdentity } from '../identity/index.js';
import { attach, detach, isPresent, type Link, newLink } from './link.js';
import type { CopyLinkState } from './link-state.js';
import type { Traffic } from './traffic.js';
import { TrafficSum } from './traffic-sum.js';

interface CopyLink extends Link<CopyReport> {
  readonly group: CopyGroup;
  readonly podUid: string;
  /** What `settings` is the payload of. */
  source: CopySettings | undefined;
  /** STOP to this one; the message. */
  stop: string | undefined;
}

/** The copies of one TrafficCopy. */
interface CopyGroup {
  readonly uid: string;
  namespace: string;
  readonly links: Map<string, CopyLink>;
  readonly sum: TrafficSum;
  /** STOP to all of them; the message. */
  stop: string | undefined;
}

export class CopyLinks {
  readonly #groups = new Map<string, CopyGroup>();
  /** Payloads of settings objects that were given before; null: beyond the limits. */
  readonly #payloads = new WeakMap<CopySettings, Uint8Array | null>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get connectedCount(): number {
    let count = 0;
    for (const { links } of this.#groups.values()) {
      for (const { connection } of links.values()) if (connection !== undefined) count += 1;
    }
    return count;
  }

  /** Copies that are remembered: connected, or asked for something, or gone not long ago. */
  get size(): number {
    let size = 0;
    for (const { links } of this.#groups.values()) size += links.size;
    return size;
  }

  /** False: the settings are beyond the limits, and nothing has changed. */
  setSettings(podUid: string, uid: string, settings: CopySettings | undefined): boolean {
    if (settings === undefined) {
      this.#forgetPod(podUid, uid);
      return true;
    }
    const payload = this.#encode(settings);
    if (payload === null) return false;
    const link = this.#link(uid, podUid);
    const wasStopped = stopOf(link) !== undefined;
    link.stop = undefined;
    link.group.stop = undefined;
    if (!wasStopped && isSamePayload(payload, link.settings)) return true;
    link.settings = payload;
    link.source = settings;
    tell(link, this.#now());
    return true;
  }

  stopAll(uid: string, message: string): void {
    const group = this.#group(uid);
    if (group.stop === message) return;
    group.stop = message;
    for (const link of group.links.values()) tell(link, this.#now());
  }

  stop(podUid: string, uid: string, message: string): void {
    const link = this.#link(uid, podUid);
    if (link.stop === message) return;
    link.stop = message;
    tell(link, this.#now());
  }

  /** The channels that are still there are closed: whoever comes back is told to stop. */
  forget(uid: string): void {
    const group = this.#groups.get(uid);
    this.#groups.delete(uid);
    for (const { connection } of group?.links.values() ?? []) {
      connection?.send(FRAME.STOP, encodeStop({ message: group?.stop ?? 'the TrafficCopy is gone' }));
      connection?.close('the TrafficCopy is gone');
    }
  }

  /** Everything, channels aside: they are told where to go by the caller. */
  clear(): void {
    this.#groups.clear();
  }

  attach(identity: CopyIdentity, connection: ChannelConnection): void {
    const group = this.#group(identity.trafficCopyUid);
    group.namespace = identity.namespace;
    const link = this.#link(identity.trafficCopyUid, identity.podUid);
    endOther(link.connection, connection);
    attach(link, connection, this.#now());
    tell(link, this.#now());
  }

  detach(identity: CopyIdentity, connection: ChannelConnection): boolean {
    const link = this.#groups.get(identity.trafficCopyUid)?.links.get(identity.podUid);
    return link !== undefined && detach(link, connection, this.#now());
  }

  /** The queue of the channel has room again. */
  drained(identity: CopyIdentity): void {
    const link = this.#groups.get(identity.trafficCopyUid)?.links.get(identity.podUid);
    if (link?.isOwed) tell(link, this.#now());
  }

  /** A report: `refused` was not read, `changed` says something that somebody may act on. */
  report(
    identity: CopyIdentity,
    connection: ChannelConnection,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): 'refused' | 'same' | 'changed' {
    const group = this.#groups.get(identity.trafficCopyUid);
    const link = group?.links.get(identity.podUid);
    const nowMs = this.#now();
    if (link === undefined || link.connection !== connection || !link.budget.take(length, nowMs)) return 'refused';
    const report = parseCopyReport(bytes, offset, length);
    if (report === undefined) return 'refused';
    link.report = report;
    link.reportedMs = nowMs;
    group!.sum.add(identity.podUid, instanceOf(connection), report, nowMs);
    const signature = signatureOf(report);
    if (signature === link.signature) return 'same';
    link.signature = signature;
    return 'changed';
  }

  states(uid: string | undefined): CopyLinkState[] {
    const group = uid === undefined ? undefined : this.#groups.get(uid);
    const groups = uid === undefined ? this.#groups.values() : group === undefined ? [] : [group];
    const nowMs = this.#now();
    const states: CopyLinkState[] = [];
    for (const each of groups) {
      for (const link of each.links.values()) if (isPresent(link, nowMs)) states.push(stateOf(each, link, nowMs));
    }
    return states;
  }

  state(podUid: string, uid: string): CopyLinkState | undefined {
    const group = this.#groups.get(uid);
    const link = group?.links.get(podUid);
    const nowMs = this.#now();
    return group && link && isPresent(link, nowMs) ? stateOf(group, link, nowMs) : undefined;
  }

  traffic(uid: string): Traffic {
    return (this.#groups.get(uid)?.sum ?? new TrafficSum()).read(this.#now());
  }

  /**
   * Forgets links that nobody needs, so that pods which come and go leave nothing behind.
   * @param exists whether there is a TrafficCopy of this UID.
   */
  sweep(exists: (uid: string) => boolean): void {
    const nowMs = this.#now();
    for (const { uid, links, sum } of this.#groups.values()) {
      sum.sweep(nowMs);
      for (const [podUid, link] of links) {
        const isAsked = exists(uid) && (link.settings !== undefined || link.stop !== undefined);
        if (!isAsked && !isPresent(link, nowMs)) links.delete(podUid);
      }
      if (links.size === 0 && !exists(uid)) this.#groups.delete(uid);
    }
  }

  #forgetPod(podUid: string, uid: string): void {
    const link = this.#groups.get(uid)?.links.get(podUid);
    if (link === undefined) return;
    link.settings = undefined;
    link.source = undefined;
    link.stop = undefined;
  }

  #encode(settings: CopySettings): Uint8Array | null {
    const known = this.#payloads.get(settings);
    if (known !== undefined) return known;
    const payload = encodeCopySettings(settings);
    // What a copy would not read is not sent: it would go on with the old, and nobody would know why.
    const isGood = payload.length <= FRAME_PAYLOAD_BYTES_MAX && parseCopySettings(payload) !== undefined;
    this.#payloads.set(settings, isGood ? payload : null);
    return isGood ? payload : null;
  }

  #group(uid: string): CopyGroup {
    let group = this.#groups.get(uid);
    if (group === undefined) {
      group = { uid, namespace: '', links: new Map(), sum: new TrafficSum(), stop: undefined };
      this.#groups.set(uid, group);
    }
    return group;
  }

  #link(uid: string, podUid: string): CopyLink {
    const group = this.#group(uid);
    let link = group.links.get(podUid);
    if (link === undefined) {
      link = { ...newLink<CopyReport>(), group, podUid, source: undefined, stop: undefined };
      group.links.set(podUid, link);
    }
    return link;
  }
}

function stopOf(link: CopyLink): string | undefined {
  return link.stop ?? link.group.stop;
}

/** What the copy should hear now, if it is there. */
function tell(link: CopyLink, nowMs: number): void {
  const { connection, settings, source } = link;
  const stop = stopOf(link);
  if (connection === undefined) return;
  if (stop !== undefined) link.isOwed = !connection.send(FRAME.STOP, encodeStop({ message: stop }));
  else if (settings !== undefined) link.isOwed = !connection.send(FRAME.CONFIG, stamped(settings, source, nowMs));
}

/** How much of a ramp has passed a copy can know only by our clock. */
function stamped(payload: Uint8Array, source: CopySettings | undefined, nowMs: number): Uint8Array {
  if (source?.ramp?.beganAtMs === undefined) return payload;
  return encodeCopySettings({ ...source, sentAtMs: nowMs });
}

/** Two copies in one pod would copy everything twice. The newer container is there to replace the other one. */
function endOther(before: ChannelConnection | undefined, now: ChannelConnection): void {
  if (before === undefined || instanceOf(before) === instanceOf(now)) return;
  before.send(FRAME.STOP, encodeStop({ message: 'a newer copy has taken its place in the pod' }));
}

function isSamePayload(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return a === b || (b !== undefined && Buffer.compare(a, b) === 0);
}

/** `instance:…` among the capabilities names the process. */
function instanceOf(connection: ChannelConnection): string | undefined {
  return connection.peer.capabilities.find((name) => name.startsWith('instance:'));
}

/** All of a report but its figures. */
function signatureOf(report: CopyReport): string {
  const { generation, state, endpoints, encrypted, problems } = report;
  return JSON.stringify([generation, state, endpoints, Object.keys(encrypted), problems]);
}

function stateOf(group: CopyGroup, link: CopyLink, nowMs: number): CopyLinkState {
  const { podUid, remote, sinceMs, report, reportedMs } = link;
  return {
    namespace: group.namespace,
    trafficCopyUid: group.uid,
    podUid,
    isConnected: link.connection !== undefined,
    remote,
    sinceMs,
    report,
    reportAgeMs: report === undefined ? Number.POSITIVE_INFINITY : nowMs - reportedMs,
  };
}
