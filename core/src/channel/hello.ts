import { asJsonObject, countField, encodeJson, listField, parseJson, textField } from './json-payload.js';
import { type ChannelVersion, PREAMBLE_BYTES, parsePreamble, withPreamble } from './preamble.js';

export const CHANNEL_ROLES = ['copy', 'intercept', 'operator'] as const;
export type ChannelRole = (typeof CHANNEL_ROLES)[number];

export const DELIVERIES = ['tunnel', 'direct'] as const;
export type Delivery = (typeof DELIVERIES)[number];

/** An address and port that a copy wants to send to. */
export interface HelloTarget {
  /** Text form of an IP address. */
  readonly address: string;
  readonly port: number;
}

/** What each side says about itself: HELLO from the connecting side, WELCOME from the serving side. */
export interface Hello {
  readonly version: ChannelVersion;
  readonly role: ChannelRole;
  /** For people: the host or pod. Who the peer is stands in its certificate, not here. */
  readonly name: string;
  readonly delivery: Delivery;
  /** Names of what the sender can do beyond the version; unknown ones are ignored. */
  readonly capabilities: readonly string[];
  readonly targets: readonly HelloTarget[];
}

export const HELLO_NAME_LENGTH_MAX = 255;
export const HELLO_CAPABILITIES_MAX = 64;
export const HELLO_CAPABILITY_LENGTH_MAX = 64;
export const HELLO_TARGETS_MAX = 256;
const ADDRESS_LENGTH_MAX = 64;

/** The payload of a HELLO or WELCOME. */
export function encodeHello(hello: Hello): Uint8Array {
  const { version, role, name, delivery, capabilities, targets } = hello;
  return withPreamble(version, encodeJson({ role, name, delivery, capabilities, targets }));
}

/** Undefined when the payload is none that this version may send. Check the version ({@link parsePreamble}) first. */
export function parseHello(bytes: Uint8Array, offset = 0, length: number = bytes.length - offset): Hello | undefined {
  const version = parsePreamble(bytes, offset, length);
  const object = version && parseJson(bytes, offset + PREAMBLE_BYTES, length - PREAMBLE_BYTES);
  if (version === undefined || object === undefined) return undefined;
  const role = CHANNEL_ROLES.find((known) => known === object['role']);
  const delivery = DELIVERIES.find((known) => known === object['delivery']);
  const name = textField(object, 'name', HELLO_NAME_LENGTH_MAX);
  const capabilities = parseCapabilities(listField(object, 'capabilities', HELLO_CAPABILITIES_MAX));
  const targets = parseTargets(listField(object, 'targets', HELLO_TARGETS_MAX));
  if (!role || !delivery || name === undefined || !capabilities || !targets) return undefined;
  return { version, role, name, delivery, capabilities, targets };
}

function parseCapabilities(list: readonly unknown[] | undefined): string[] | undefined {
  if (list === undefined) return undefined;
  const names = list.filter(
    (item): item is string => typeof item === 'string' && item.length <= HELLO_CAPABILITY_LENGTH_MAX,
  );
  return names.length === list.length ? names : undefined;
}

function parseTargets(list: readonly unknown[] | undefined): HelloTarget[] | undefined {
  if (list === undefined) return undefined;
  const targets: HelloTarget[] = [];
  for (const item of list) {
    const object = asJsonObject(item);
    const address = object && textField(object, 'address', ADDRESS_LENGTH_MAX);
    const port = object && countField(object, 'port', 65535);
    if (address === undefined || port === undefined) return undefined;
    targets.push({ address, port });
  }
  return targets;
}
