import { isAddress, isAddressRange } from './address-text.js';
import { asJsonObject, countField, encodeJson, itemsField, parseJson, textField } from './json-payload.js';

/** operator --CONFIG--> intercept: all target pods of its node. It replaces what was said before. */
export interface InterceptSettings {
  readonly kind: 'intercept';
  /** Counts up with every change; repeated in reports once it is in force. */
  readonly revision: number;
  readonly pods: readonly InterceptPodSettings[];
}

export interface InterceptPodSettings {
  /** metadata.uid: leads to the network namespace. */
  readonly uid: string;
  /** For people: namespace/name. */
  readonly name: string;
  /** Text form; packets to others are refused. */
  readonly addresses: readonly string[];
  readonly grants: readonly InterceptGrantSettings[];
}

/** Copies of one TrafficCopy may inject into these ports. */
export interface InterceptGrantSettings {
  /** NAMESPACE/UID of the TrafficCopy: the first two parts of the name in a copy's certificate. */
  readonly owner: string;
  readonly ports: readonly number[];
  /** Client addresses (CIDR) that may be played; empty: any that is not the target's own. */
  readonly clientRanges: readonly string[];
}

/** What settings may hold. The frame's own limit holds beside these: about 3,000 pods with one grant each. */
export const INTERCEPT_SETTINGS_LIMITS = {
  /** More than any node runs; the intercept has a smaller limit of its own, and says so. */
  pods: 16384,
  addresses: 8,
  grants: 64,
  ports: 64,
  clientRanges: 64,
} as const;

const UID_LENGTH_MAX = 64;
/** namespace/name: 63, 1, 253. */
const NAME_LENGTH_MAX = 317;
/** As long as an identity may be. */
const OWNER_LENGTH_MAX = 255;

/** The payload of a CONFIG frame to an intercept. What does not keep the limits is written all the same, and not read. */
export function encodeInterceptSettings(settings: InterceptSettings): Uint8Array {
  return encodeJson({ ...settings });
}

/** Undefined when the payload is none of these settings, or goes beyond a limit. UIDs are only bounded, not checked. */
export function parseInterceptSettings(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): InterceptSettings | undefined {
  const object = parseJson(bytes, offset, length);
  if (object?.['kind'] !== 'intercept') return undefined;
  const revision = countField(object, 'revision', Number.MAX_SAFE_INTEGER);
  const pods = itemsField(object, 'pods', INTERCEPT_SETTINGS_LIMITS.pods, readPod);
  return revision === undefined || pods === undefined ? undefined : { kind: 'intercept', revision, pods };
}

function readPod(item: unknown): InterceptPodSettings | undefined {
  const object = asJsonObject(item);
  const uid = object && textField(object, 'uid', UID_LENGTH_MAX);
  const name = object && textField(object, 'name', NAME_LENGTH_MAX);
  const addresses = object && itemsField(object, 'addresses', INTERCEPT_SETTINGS_LIMITS.addresses, readAddress);
  const grants = object && itemsField(object, 'grants', INTERCEPT_SETTINGS_LIMITS.grants, readGrant);
  return !uid || name === undefined || !addresses || !grants ? undefined : { uid, name, addresses, grants };
}

function readGrant(item: unknown): InterceptGrantSettings | undefined {
  const object = asJsonObject(item);
  const owner = object && textField(object, 'owner', OWNER_LENGTH_MAX);
  const ports = object && itemsField(object, 'ports', INTERCEPT_SETTINGS_LIMITS.ports, readPort);
  const clientRanges = object && itemsField(object, 'clientRanges', INTERCEPT_SETTINGS_LIMITS.clientRanges, readRange);
  return !owner || !ports || !clientRanges ? undefined : { owner, ports, clientRanges };
}

function readAddress(item: unknown): string | undefined {
  return typeof item === 'string' && isAddress(item) ? item : undefined;
}

function readPort(item: unknown): number | undefined {
  return typeof item === 'number' && Number.isInteger(item) && item >= 1 && item <= 65535 ? item : undefined;
}

function readRange(item: unknown): string | undefined {
  return typeof item === 'string' && isAddressRange(item) ? item : undefined;
}
