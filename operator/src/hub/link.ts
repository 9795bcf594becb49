import type { ChannelConnection } from '@trafficcopy/runtime';
import { ReportBudget } from './report-budget.js';

/** How long a link without a channel is remembered. */
export const LINK_RETENTION_MS = 60_000;

/** One peer over all its channels. `Report` is what it sends. */
export interface Link<Report> {
  connection: ChannelConnection | undefined;
  /** Of the last channel; empty when there was none yet. */
  remote: string;
  /** When the channel came up, or went; 0 when there was none yet. */
  sinceMs: number;
  report: Report | undefined;
  reportedMs: number;
  /** What of the last report a controller may want to act on. */
  signature: string;
  budget: ReportBudget;
  /** The payload of CONFIG, the whole of it; undefined: nothing to say. */
  settings: Uint8Array | undefined;
  /** The channel's queue was full: it is to be told again. */
  isOwed: boolean;
}

export function newLink<Report>(): Link<Report> {
  return {
    connection: undefined,
    remote: '',
    sinceMs: 0,
    report: undefined,
    reportedMs: 0,
    signature: '',
    budget: new ReportBudget(0),
    settings: undefined,
    isOwed: false,
  };
}

/** A new channel; the one before, if it is still there, is closed: of two processes the newer is the right one. */
export function attach<Report>(link: Link<Report>, connection: ChannelConnection, nowMs: number): void {
  const before = link.connection;
  link.connection = connection;
  link.remote = connection.remote;
  link.sinceMs = nowMs;
  link.signature = '';
  link.budget = new ReportBudget(nowMs);
  link.isOwed = false;
  before?.close('another channel of the same identity has come');
}

/** False when the channel was not the link's present one. */
export function detach<Report>(link: Link<Report>, connection: ChannelConnection, nowMs: number): boolean {
  if (link.connection !== connection) return false;
  link.connection = undefined;
  link.sinceMs = nowMs;
  return true;
}

/** There is a channel, or there was one not long ago. */
export function isPresent<Report>(link: Link<Report>, nowMs: number): boolean {
  return link.connection !== undefined || (link.sinceMs > 0 && nowMs - link.sinceMs < LINK_RETENTION_MS);
}
