/**
 * The mappings that are in force. New settings replace the old ones as a whole; what was there before and still is keeps its
 * state, and with it its sessions. What is there no more is marked as gone: whoever holds on to it lets go of it then.
 */
import { assert } from '../assert.js';
import {
  ENDPOINTS_MAX,
  type EndpointConfig,
  type MappingConfig,
  TARGETS_MAX,
  type TargetConfig,
} from '../engine-config.js';
import { formatIpAddress, type IpAddress, ipAddressesEqual } from '../wire/ip-address.js';
import { EndpointState } from './endpoint-state.js';
import { MappingState } from './mapping-state.js';
import type { TargetMeter } from './target-meter.js';
import { TargetState } from './target-state.js';

/** The port table has 16 bits for an address and port of a target. */
const PORT_KEYS_MAX = 65_536;

interface PortKey {
  readonly key: number;
  users: number;
}

export class MappingTable {
  mappings: readonly MappingState[] = [];
  /** Counts the settings. */
  revision = 0;
  readonly #portKeys = new Map<string, PortKey>();
  readonly #freePortKeys: number[] = [];
  readonly #meterFor: ((target: string) => TargetMeter | undefined) | undefined;

  constructor(meterFor?: (target: string) => TargetMeter | undefined) {
    this.#meterFor = meterFor;
  }

  /** Puts `configs` in force. */
  replace(configs: readonly MappingConfig[]): void {
    this.revision += 1;
    const before = new Map(this.mappings.map((mapping) => [keyOfState(mapping), mapping]));
    const gone: EndpointState[] = [];
    this.mappings = configs.map((config) => {
      const key = keyOf(config);
      const { onlineAddress, onlinePort, ipVersion } = config;
      const mapping = before.get(key) ?? new MappingState(onlineAddress, onlinePort, ipVersion);
      before.delete(key);
      this.#replaceTargets(mapping, config, gone);
      return mapping;
    });
    for (const mapping of before.values()) {
      mapping.isGone = true;
      for (const target of mapping.targets) this.#leave(target, gone);
    }
    // Keys are free only now: nothing new in these settings has got one that a session still uses.
    for (const endpoint of gone) this.#releasePortKey(textOf(endpoint));
  }

  /** The key of an endpoint in the port table; -1: there is none with this address and port. */
  portKeyOf(address: IpAddress, port: number): number {
    return this.#portKeys.get(textOf({ address, port }))?.key ?? -1;
  }

  #replaceTargets(mapping: MappingState, { targets, ipVersion }: MappingConfig, gone: EndpointState[]): void {
    assert(targets.length <= TARGETS_MAX, `a mapping has ${TARGETS_MAX} targets at most`);
    const before = new Map(mapping.targets.map((target) => [target.name, target]));
    mapping.targets = targets.map((config) => {
      const target =
        before.get(config.name) ?? new TargetState(config.name, this.revision, this.#meterFor?.(config.name));
      before.delete(config.name);
      target.closesAfterAnswer = config.closesAfterAnswer;
      this.#replaceEndpoints(target, config, ipVersion === 4 ? 4 : 16, gone);
      return target;
    });
    for (const target of before.values()) this.#leave(target, gone);
  }

  #replaceEndpoints(target: TargetState, config: TargetConfig, addressBytes: number, gone: EndpointState[]): void {
    const configs = config.endpoints;
    assert(configs.length <= ENDPOINTS_MAX, `a target has ${ENDPOINTS_MAX} endpoints at most`);
    assert(
      configs.every(({ address }) => address.length === addressBytes),
      'endpoints are of the IP version of their mapping',
    );
    const before = target.endpoints;
    target.endpoints = configs.map(
      (one) =>
        before.find((endpoint) => isSame(endpoint, one)) ?? new EndpointState(one, this.#takePortKey(textOf(one))),
    );
    for (const endpoint of before) {
      if (!target.endpoints.includes(endpoint)) this.#leaveEndpoint(endpoint, gone);
    }
  }

  #leave(target: TargetState, gone: EndpointState[]): void {
    target.isGone = true;
    for (const endpoint of target.endpoints) this.#leaveEndpoint(endpoint, gone);
    target.endpoints = [];
  }

  #leaveEndpoint(endpoint: EndpointState, gone: EndpointState[]): void {
    endpoint.isGone = true;
    gone.push(endpoint);
  }

  #takePortKey(text: string): number {
    const known = this.#portKeys.get(text);
    if (known !== undefined) {
      known.users += 1;
      return known.key;
    }
    const key = this.#freePortKeys.pop() ?? this.#portKeys.size;
    assert(key < PORT_KEYS_MAX, `there are ${PORT_KEYS_MAX} endpoints at most`);
    this.#portKeys.set(text, { key, users: 1 });
    return key;
  }

  #releasePortKey(text: string): void {
    const known = this.#portKeys.get(text)!;
    known.users -= 1;
    if (known.users > 0) return;
    this.#portKeys.delete(text);
    this.#freePortKeys.push(known.key);
  }
}

function keyOf({ onlineAddress, onlinePort, ipVersion }: MappingConfig): string {
  return keyText(onlineAddress, onlinePort, ipVersion);
}

function keyOfState({ onlineAddress, onlinePort, addressBytes }: MappingState): string {
  return keyText(onlineAddress, onlinePort, addressBytes === 4 ? 4 : 6);
}

function keyText(address: Uint8Array | undefined, port: number, ipVersion: 4 | 6): string {
  return `${address === undefined ? '*' : formatIpAddress(address)} ${port} ${ipVersion}`;
}

function textOf({ address, port }: Pick<EndpointConfig, 'address' | 'port'>): string {
  return `${formatIpAddress(address)} ${port}`;
}

function isSame(endpoint: EndpointState, { lane, address, port }: EndpointConfig): boolean {
  return (
    endpoint.lane === lane &&
    endpoint.port === port &&
    endpoint.address.length === address.length &&
    ipAddressesEqual(endpoint.address, 0, address, 0, address.length)
  );
}
