import { isAddress, isAddressRange } from './address-text.js';
import { DELIVERIES, type Delivery } from './hello.js';
import {
  asJsonObject,
  choiceField,
  countField,
  encodeJson,
  itemsField,
  type JsonObject,
  numberField,
  parseJson,
  portField,
  textField,
} from './json-payload.js';

/**
 * operator --CONFIG--> copy: everything that the copy should do now. It replaces what was said before; what goes on is not
 * disturbed (sessions stay where their endpoint stays).
 */
export interface CopySettings {
  readonly kind: 'copy';
  /** Generation of the TrafficCopy; the copy repeats it in its reports once it is in force. */
  readonly generation: number;
  readonly state: 'running' | 'suspended';
  readonly delivery: Delivery;
  /** `wire`: what arrives at the pod; `loopback`: the leg between a proxy in the pod and the application. */
  readonly capture: 'wire' | 'loopback';
  readonly mappings: readonly CopyMappingSettings[];
  readonly sample: CopySampleSettings;
  /** Undefined: all of it is copied at once. */
  readonly ramp?: CopyRampSettings | undefined;
  /** When the frame was sent, ms on the clock that `ramp.beganAtMs` is of. */
  readonly sentAtMs?: number | undefined;
  /** Sessions for each connection and target, 1 or more. */
  readonly copies: number;
  /** Ranges (CIDR) that replace the clients' addresses; empty: they are kept. */
  readonly clientRanges: readonly string[];
  readonly limits: CopyLimitSettings;
  /**
   * Who logs in at the targets: what the file of --credentials says (docs/protocols.md), as text. Secret. Undefined: sessions say what the clients said.
   */
  readonly credentials?: string | undefined;
}

export interface CopyMappingSettings {
  readonly onlinePort: number;
  /** 1 to 8; each gets every connection. */
  readonly targets: readonly CopyTargetSettings[];
}

export interface CopyTargetSettings {
  /** As in the TrafficCopy. */
  readonly name: string;
  /** A session goes to one of them. Empty: nowhere to go at the moment; its sessions are counted as `targetUnavailable`. */
  readonly endpoints: readonly CopyEndpointSettings[];
}

export interface CopyEndpointSettings {
  /** Text form of the target pod's address. */
  readonly address: string;
  readonly port: number;
  /** Where the intercept that serves it listens. */
  readonly interceptHost: string;
  readonly interceptPort: number;
  /**
   * The variable of the copy's environment with the token to join this intercept by, which is an authority of its own.
   * Undefined: it accepts the certificate that the operator gave.
   */
  readonly tokenVariable?: string | undefined;
}

/** Every {@link CopyEndpointSettings.tokenVariable} begins so: settings make a copy show nothing else of its environment to anybody. */
export const INTERCEPT_TOKEN_PREFIX = 'TRAFFICCOPY_INTERCEPT_TOKEN_';
const TOKEN_VARIABLE_PATTERN = new RegExp(`^${INTERCEPT_TOKEN_PREFIX}[A-Z0-9_]{1,64}$`);

export interface CopySampleSettings {
  /** 0 to 1. */
  readonly fraction: number;
  readonly by: 'connection' | 'client';
  readonly seed: number;
}

/** Load that is raised evenly from nothing to all that is asked for. */
export interface CopyRampSettings {
  /** 1 or more. */
  readonly durationMs: number;
  /** When it began, for all copies of the TrafficCopy; undefined: it begins with the copying. */
  readonly beganAtMs?: number | undefined;
}

export interface CopyLimitSettings {
  readonly sessionsMax: number;
  /** Octets of client streams that wait for targets. */
  readonly heldBytesMax: number;
  /** Octets towards the targets in a second; 0: no limit. */
  readonly bytesPerSecondMax: number;
  /** What the copy may use before it copies less, percent of one core; undefined: no limit. */
  readonly cpuPercentMax?: number | undefined;
  /** The same for its memory (RSS), octets. */
  readonly processBytesMax?: number | undefined;
}

/** What settings may hold. The frame's own limit holds beside these. */
export const COPY_SETTINGS_LIMITS = {
  mappings: 64,
  targets: 8,
  /** Of one target. */
  endpoints: 256,
  /** Of all targets of all mappings: so many fit in a frame. */
  endpointsInAll: 4096,
  clientRanges: 64,
  copies: 1000,
  /** UTF-16 units of the credentials. */
  credentials: 65_536,
} as const;

const NAME_LENGTH_MAX = 253;
const SEED_MAX = 0xffffffff;

/** The payload of a CONFIG frame to a copy. What does not keep the limits is written all the same, and not read. */
export function encodeCopySettings(settings: CopySettings): Uint8Array {
  return encodeJson({ ...settings });
}

/** Undefined when the payload is none of these settings, or goes beyond a limit. */
export function parseCopySettings(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): CopySettings | undefined {
  const object = parseJson(bytes, offset, length);
  if (object?.['kind'] !== 'copy') return undefined;
  const generation = countField(object, 'generation', Number.MAX_SAFE_INTEGER);
  const state = choiceField(object, 'state', ['running', 'suspended'] as const);
  const delivery = choiceField(object, 'delivery', DELIVERIES);
  const capture = choiceField(object, 'capture', ['wire', 'loopback'] as const);
  const mappings = itemsField(object, 'mappings', COPY_SETTINGS_LIMITS.mappings, readMapping);
  const sample = readSample(asJsonObject(object['sample']));
  const ramp = optional(object, 'ramp', (value) => readRamp(asJsonObject(value)));
  const sentAtMs = optional(object, 'sentAtMs', () => countField(object, 'sentAtMs', Number.MAX_SAFE_INTEGER));
  const copies = countField(object, 'copies', COPY_SETTINGS_LIMITS.copies);
  const clientRanges = itemsField(object, 'clientRanges', COPY_SETTINGS_LIMITS.clientRanges, readRange);
  const limits = readLimits(asJsonObject(object['limits']));
  if (generation === undefined || !state || !delivery || !capture || !mappings) return undefined;
  if (!sample || !copies || !clientRanges || !limits || !isWithinFrame(mappings)) return undefined;
  const credentials = optional(object, 'credentials', readCredentials);
  if (ramp === undefined || sentAtMs === undefined || credentials === undefined) return undefined;
  const settings = { generation, state, delivery, capture, mappings, sample, copies, clientRanges, limits };
  return { kind: 'copy', ...settings, ...ramp, ...sentAtMs, ...credentials };
}

/** A field that an operator may leave out, as an object to spread: empty where it is not there, undefined where it cannot be read. */
function optional<Key extends string, Value>(
  object: JsonObject,
  key: Key,
  read: (value: unknown) => Value | undefined,
): { readonly [K in Key]?: Value } | undefined {
  if (object[key] === undefined) return {};
  const value = read(object[key]);
  return value === undefined ? undefined : ({ [key]: value } as { readonly [K in Key]?: Value });
}

/** Passwords may hold anything that UTF-8 can, and that is no half of a surrogate pair. */
function readCredentials(value: unknown): string | undefined {
  const isText = typeof value === 'string' && value.length <= COPY_SETTINGS_LIMITS.credentials;
  return isText && !/\p{Cs}/u.test(value) ? value : undefined;
}

function readRamp(object: JsonObject | undefined): CopyRampSettings | undefined {
  const durationMs = object && countField(object, 'durationMs', Number.MAX_SAFE_INTEGER);
  const beganAtMs =
    object && optional(object, 'beganAtMs', () => countField(object, 'beganAtMs', Number.MAX_SAFE_INTEGER));
  return durationMs && beganAtMs ? { durationMs, ...beganAtMs } : undefined;
}

function isWithinFrame(mappings: readonly CopyMappingSettings[]): boolean {
  let endpoints = 0;
  for (const { targets } of mappings) for (const target of targets) endpoints += target.endpoints.length;
  return endpoints <= COPY_SETTINGS_LIMITS.endpointsInAll;
}

function readMapping(item: unknown): CopyMappingSettings | undefined {
  const object = asJsonObject(item);
  const onlinePort = object && portField(object, 'onlinePort');
  const targets = object && itemsField(object, 'targets', COPY_SETTINGS_LIMITS.targets, readTarget);
  return onlinePort === undefined || targets === undefined ? undefined : { onlinePort, targets };
}

function readTarget(item: unknown): CopyTargetSettings | undefined {
  const object = asJsonObject(item);
  const name = object && textField(object, 'name', NAME_LENGTH_MAX);
  const endpoints = object && itemsField(object, 'endpoints', COPY_SETTINGS_LIMITS.endpoints, readEndpoint);
  return name === undefined || endpoints === undefined ? undefined : { name, endpoints };
}

function readEndpoint(item: unknown): CopyEndpointSettings | undefined {
  const object = asJsonObject(item);
  const address = object && textField(object, 'address', NAME_LENGTH_MAX);
  const port = object && portField(object, 'port');
  const interceptHost = object && textField(object, 'interceptHost', NAME_LENGTH_MAX);
  const interceptPort = object && portField(object, 'interceptPort');
  if (address === undefined || !isAddress(address) || !port || !interceptHost || !interceptPort) return undefined;
  const endpoint = { address, port, interceptHost, interceptPort };
  if (object['tokenVariable'] === undefined) return endpoint;
  const tokenVariable = textField(object, 'tokenVariable', NAME_LENGTH_MAX);
  if (tokenVariable === undefined || !TOKEN_VARIABLE_PATTERN.test(tokenVariable)) return undefined;
  return { ...endpoint, tokenVariable };
}

function readRange(item: unknown): string | undefined {
  return typeof item === 'string' && isAddressRange(item) ? item : undefined;
}

function readSample(object: JsonObject | undefined): CopySampleSettings | undefined {
  const fraction = object && numberField(object, 'fraction', 1);
  const by = object && choiceField(object, 'by', ['connection', 'client'] as const);
  const seed = object && countField(object, 'seed', SEED_MAX);
  return fraction === undefined || !by || seed === undefined ? undefined : { fraction, by, seed };
}

function readLimits(object: JsonObject | undefined): CopyLimitSettings | undefined {
  const sessionsMax = object && countField(object, 'sessionsMax', Number.MAX_SAFE_INTEGER);
  const heldBytesMax = object && countField(object, 'heldBytesMax', Number.MAX_SAFE_INTEGER);
  const bytesPerSecondMax = object && countField(object, 'bytesPerSecondMax', Number.MAX_SAFE_INTEGER);
  if (!object || !sessionsMax || !heldBytesMax || bytesPerSecondMax === undefined) return undefined;
  const cpu = optional(object, 'cpuPercentMax', () => positiveField(object, 'cpuPercentMax'));
  const memory = optional(object, 'processBytesMax', () => positiveField(object, 'processBytesMax'));
  return cpu && memory && { sessionsMax, heldBytesMax, bytesPerSecondMax, ...cpu, ...memory };
}

/** A limit that is there is none of 0. */
function positiveField(object: JsonObject, key: string): number | undefined {
  const value = numberField(object, key, Number.MAX_SAFE_INTEGER);
  return value === 0 ? undefined : value;
}
