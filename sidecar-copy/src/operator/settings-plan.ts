import {
  type AddressRange,
  type CopyEndpointSettings,
  type CopySettings,
  type CopyTargetSettings,
  type EndpointConfig,
  formatIpAddress,
  type IpAddress,
  type MappingConfig,
  parseIpAddress,
  type TargetConfig,
} from '@trafficcopy/core';
import { type CopyPlan, type LanePlan, laneKey, type RampPlan, targetOf } from '../copy-plan.js';

import { LOGIN_PAYLOAD_BYTES } from '../logins/engine-protocols.js';
import type { PortLogins } from '../logins/port-logins.js';

/** Each is a TLS connection. When all are replaced at once the engine has room for the new ones beside the old. */
const LANES_MAX = 256;

/**
 * The client addresses on the loopback leg where the settings name none: all clients are 127.0.0.x there, which no target could answer. These are
 * nobody's (RFC 2544, RFC 5180: for tests of devices).
 */
const LOOPBACK_CLIENT_RANGES = ['198.18.0.0/15', '2001:2::/48'];

/** What an operator's settings come to on this host. */
export interface SettingsPlan {
  readonly plan: CopyPlan;
  /** What of the settings cannot be done here, for people. */
  readonly problems: readonly string[];
}

/**
 * The plan for settings, which were read and checked by the codec. Pure. Each endpoint has a lane of its own, so that its
 * intercept binds the channel to one target pod. `receivedMs` is when they came, on the clock of the copy; `logins` is what their credentials say.
 */
export function settingsPlan(
  settings: CopySettings,
  localAddresses: readonly IpAddress[],
  receivedMs: number,
  logins: readonly PortLogins[] = [],
): SettingsPlan {
  return new Planner(settings, localAddresses, receivedMs, logins).result();
}

class Planner {
  private readonly settings: CopySettings;
  private readonly receivedMs: number;
  private readonly logins: readonly PortLogins[];
  /** Endpoints, as text, whose answers are looked into. */
  private readonly heard: ReadonlySet<string>;
  private readonly own: ReadonlySet<string>;
  private readonly lanes = new Map<string, { readonly index: number; readonly plan: LanePlan }>();
  private readonly problems = new Set<string>();
  private readonly ports = new Set<number>();
  private lanesTooMany = 0;

  constructor(
    settings: CopySettings,
    localAddresses: readonly IpAddress[],
    receivedMs: number,
    logins: readonly PortLogins[],
  ) {
    this.settings = settings;
    this.receivedMs = receivedMs;
    const ports = new Set(settings.mappings.map(({ onlinePort }) => onlinePort));
    this.logins = logins.filter(({ port }) => ports.has(port));
    this.heard = heardEndpoints(settings, this.logins);
    this.own = new Set(localAddresses.map((address) => formatIpAddress(address)));
  }

  result(): SettingsPlan {
    const { settings } = this;
    const mappings = settings.mappings.flatMap(({ onlinePort, targets }) => this.mappings(onlinePort, targets));
    const plan: CopyPlan = {
      mappings,
      lanes: [...this.lanes.values()].map((lane) => lane.plan),
      copies: settings.copies,
      sample: settings.sample,
      ramp: this.ramp(),
      clientAddresses: this.clientAddresses(),
      logins: this.logins,
      isSuspended: settings.state === 'suspended',
      bytesPerSecondMax: settings.limits.bytesPerSecondMax,
      budget: {
        cpuPercentMax: settings.limits.cpuPercentMax ?? 0,
        memoryBytesMax: settings.limits.processBytesMax ?? 0,
      },
      leg: settings.capture,
      interfaces: [],
      filter: undefined,
    };
    if (this.lanesTooMany > 0) {
      this.problems.add(
        `${this.lanesTooMany} target pods are beyond the ${LANES_MAX} that one copy can reach; let the selector choose fewer`,
      );
    }
    return { plan, problems: [...this.problems] };
  }

  /** How much of it has passed is told by the operator's clock; this pod's may be another. */
  private ramp(): RampPlan | undefined {
    const { ramp, sentAtMs } = this.settings;
    if (ramp === undefined) return undefined;
    const { durationMs, beganAtMs } = ramp;
    if (beganAtMs === undefined || sentAtMs === undefined) return { durationMs };
    return { durationMs, beganMs: this.receivedMs - Math.max(0, sentAtMs - beganAtMs) };
  }

  private clientAddresses(): AddressRange[] {
    const ranges = this.settings.clientRanges.map(rangeOf);
    if (this.settings.capture !== 'loopback') return ranges;
    const missing = LOOPBACK_CLIENT_RANGES.map(rangeOf).filter(({ address }) =>
      ranges.every((range) => range.address.length !== address.length),
    );
    return [...ranges, ...missing];
  }

  /** One mapping for each IP version that a target has an endpoint of; IPv4 also where there is none at all. */
  private mappings(onlinePort: number, targets: readonly CopyTargetSettings[]): MappingConfig[] {
    if (!this.isFirst(this.ports, onlinePort, `port ${onlinePort} is mapped twice`)) return [];
    const names = new Set<string>();
    const planned = targets
      .filter(({ name }) => this.isFirst(names, name, `port ${onlinePort} has two targets with the name ${name}`))
      .map(({ name, endpoints }) => ({ name, endpoints: this.endpoints(endpoints) }));
    const hasIpv6 = planned.some(({ endpoints }) => endpoints.some(({ address }) => address.length === 16));
    const hasIpv4 = planned.some(({ endpoints }) => endpoints.some(({ address }) => address.length === 4));
    const versions: (4 | 6)[] = hasIpv6 ? (hasIpv4 ? [4, 6] : [6]) : [4];
    if (planned.length === 0) return [];
    return versions.map((ipVersion) => ({
      onlinePort,
      ipVersion,
      targets: planned.map(
        ({ name, endpoints }): TargetConfig => ({
          name,
          endpoints: endpoints.filter(({ address }) => (address.length === 4) === (ipVersion === 4)),
        }),
      ),
    }));
  }

  private isFirst<T>(known: Set<T>, item: T, problem: string): boolean {
    if (known.has(item)) this.problems.add(`${problem}: the first counts`);
    const isNew = !known.has(item);
    known.add(item);
    return isNew;
  }

  private endpoints(endpoints: readonly CopyEndpointSettings[]): EndpointConfig[] {
    const lanes = new Set<number>();
    return endpoints.flatMap((endpoint) => {
      const address = parseIpAddress(endpoint.address)!;
      if (this.own.has(formatIpAddress(address))) {
        this.problems.add(
          `this pod is a target of itself (${endpoint.address}): it is left out; let the selectors differ`,
        );
        return [];
      }
      const lane = this.laneOf(endpoint, address);
      if (lane === undefined || lanes.has(lane)) return [];
      lanes.add(lane);
      return [{ lane, address, port: endpoint.port }];
    });
  }

  private laneOf(endpoint: CopyEndpointSettings, address: IpAddress): number | undefined {
    const { interceptHost: host, interceptPort, port, tokenVariable } = endpoint;
    const targets = [targetOf(address, port)];
    const plan: LanePlan = {
      host,
      port: interceptPort,
      targets,
      ...(tokenVariable === undefined ? {} : { tokenVariable }),
      ...(this.heard.has(endpointText(endpoint)) ? { responsePayloadBytes: LOGIN_PAYLOAD_BYTES } : {}),
    };
    const key = laneKey(plan);
    const known = this.lanes.get(key);
    if (known !== undefined) return known.index;
    const index = this.lanes.size;
    if (index === LANES_MAX) {
      this.lanesTooMany += 1;
      return undefined;
    }
    this.lanes.set(key, { index, plan });
    return index;
  }
}

/** One endpoint may stand for several ports: its one lane returns what any of them needs. */
function heardEndpoints({ mappings }: CopySettings, logins: readonly PortLogins[]): ReadonlySet<string> {
  const ports = new Set(logins.map(({ port }) => port));
  const targets = mappings.filter(({ onlinePort }) => ports.has(onlinePort)).flatMap((mapping) => mapping.targets);
  return new Set(targets.flatMap(({ endpoints }) => endpoints.map(endpointText)));
}

function endpointText({ address, port, interceptHost, interceptPort }: CopyEndpointSettings): string {
  return `${address} ${port} ${interceptHost} ${interceptPort}`;
}

/** The codec has checked the text. */
function rangeOf(text: string): AddressRange {
  const [addressText = '', prefixText = ''] = text.split('/');
  const address = Uint8Array.from(parseIpAddress(addressText)!);
  const prefixBits = Number(prefixText);
  for (let bit = prefixBits; bit < address.length * 8; bit += 1) address[bit >> 3]! &= ~(0x80 >> (bit & 7));
  return { address, prefixBits };
}
