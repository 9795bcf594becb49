import { Counter, Gauge, type Registry } from 'prom-client';
import type { JoinPolicy } from '../identity/index.js';
import type { Hub } from './hub.js';
import type { Traffic } from './traffic.js';

/** Figures of a TrafficCopy that are told one by one: name of the metric, help, and where it is. */
const TRAFFIC_TOTALS = [
  ['trafficcopy_connections_total', 'Connections seen at the sources', 'connections'],
  ['trafficcopy_sessions_started_total', 'Sessions begun towards targets', 'sessionsStarted'],
  ['trafficcopy_turns_captured_total', 'Turns (requests) of all sessions', 'turnsCaptured'],
  ['trafficcopy_turns_delivered_total', 'Turns that a target took', 'turnsDelivered'],
  ['trafficcopy_turns_answered_total', 'Turns that a target answered', 'turnsAnswered'],
  ['trafficcopy_sent_bytes_total', 'Octets sent towards targets', 'bytesSent'],
  ['trafficcopy_capture_drops_total', 'Packets that the capture could not take', 'captureDrops'],
] as const satisfies readonly (readonly [string, string, keyof Traffic])[];

const TRAFFIC_GAUGES = [
  ['trafficcopy_sessions_open', 'Sessions open towards targets', 'sessionsOpen'],
  ['trafficcopy_turns_pending', 'Turns that wait to be delivered', 'turnsPending'],
  ['trafficcopy_turns_per_second', 'Turns delivered in a second, over the last five', 'turnsPerSecond'],
] as const satisfies readonly (readonly [string, string, keyof Traffic])[];

const LABELS = ['namespace', 'trafficcopy'];

/** Values are read when they are asked for. */
export function addHubMetrics(registry: Registry, hub: Hub, policy: JoinPolicy): void {
  const registers = [registry];
  const each = (take: (labels: { namespace: string; trafficcopy: string }, traffic: Traffic) => void): void => {
    for (const { namespace, name, uid } of policy.trafficCopies()) {
      take({ namespace, trafficcopy: name }, hub.traffic(uid));
    }
  };
  for (const [name, help, key] of TRAFFIC_TOTALS) {
    const collect = function (this: Counter): void {
      this.reset();
      if (hub.leadingMs > 0) each((labels, traffic) => this.inc(labels, traffic[key]));
    };
    new Counter({ name, help, labelNames: LABELS, registers, collect });
  }
  for (const [name, help, key] of TRAFFIC_GAUGES) {
    const collect = function (this: Gauge): void {
      this.reset();
      if (hub.leadingMs > 0) each((labels, traffic) => this.set(labels, traffic[key]));
    };
    new Gauge({ name, help, labelNames: LABELS, registers, collect });
  }
  const collectLosses = function (this: Counter): void {
    this.reset();
    if (hub.leadingMs === 0) return;
    each((labels, { losses }) => {
      for (const { reason, turns } of losses) this.inc({ ...labels, reason }, turns);
    });
  };
  const help = 'Turns that no target took';
  const labelNames = [...LABELS, 'reason'];
  new Counter({ name: 'trafficcopy_turns_lost_total', help, labelNames, registers, collect: collectLosses });
  addOwnMetrics(registry, hub);
}

function addOwnMetrics(registry: Registry, hub: Hub): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const collect = function (this: Gauge): void {
      this.set(read());
    };
    new Gauge({ name, help, registers: [registry], collect });
  };
  const counter = (name: string, help: string, read: () => number): void => {
    const collect = function (this: Counter): void {
      this.reset();
      this.inc(read());
    };
    new Counter({ name, help, registers: [registry], collect });
  };
  gauge('trafficcopy_hub_copies_connected', 'Copies with a channel', () => hub.copiesConnected);
  gauge('trafficcopy_hub_copies_known', 'Copies that are remembered, connected or not', () => hub.copiesKnown);
  gauge('trafficcopy_hub_intercepts_connected', 'Intercepts with a channel', () => hub.interceptsConnected);
  gauge('trafficcopy_hub_leading', '1 on the replica that leads', () => (hub.leadingMs > 0 ? 1 : 0));
  counter('trafficcopy_hub_joins_total', 'Certificates given to newcomers', () => hub.counters.joins);
  counter('trafficcopy_hub_refusals_total', 'Sockets that were not let in', () => hub.refusals);
  counter('trafficcopy_hub_redirects_total', 'Channels sent to the leader', () => hub.counters.redirects);
  counter('trafficcopy_hub_reports_total', 'Reports read', () => hub.counters.reports);
  const refused = 'Reports that were not read: damaged, or too many';
  counter('trafficcopy_hub_reports_refused_total', refused, () => hub.counters.reportsRefused);
}
