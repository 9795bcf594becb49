/**
 * The file of --credentials: for each port of online its protocol and users.
 *
 *   - protocol: mysql
 *     port: 3306
 *     users:
 *       - {name: shop, password: "…", database: shop}
 */
import type { Credential } from '@trafficcopy/core';
import {
  choiceValue,
  integerValue,
  readSecretFile,
  readSecretText,
  UsageError,
  type ValueType,
} from '@trafficcopy/runtime';
import { type PortLogins, PROTOCOL_NAMES } from './port-logins.js';

type Node = ReturnType<typeof readSecretFile>;

const FLAG = '--credentials';
const TEXT_LENGTH_MAX = 256;
const portValue = integerValue(1, 65_535);
const collationValue = integerValue(1, 255);
const protocolValue = choiceValue(PROTOCOL_NAMES);

/**
 * Reads the file, which nobody but its owner may be able to read. `onlinePorts` are those that are copied.
 *
 * @throws UsageError naming file, line and key
 */
export function readLoginFile(file: string, onlinePorts: ReadonlySet<number>): readonly PortLogins[] {
  const all = loginsOf(readSecretFile(file, FLAG), `${FLAG}: ${file}`);
  for (const { port } of all) {
    if (!onlinePorts.has(port)) {
      throw new UsageError(
        `${FLAG}: ${file} has users of port ${port}, which no -x/--map copies: expected the port of online, one of ${[...onlinePorts].join(', ')}`,
      );
    }
  }
  return all;
}

/**
 * The same for a text, which may have ports besides that are not copied. Messages name `place`; they may show parts of the text.
 *
 * @throws UsageError
 */
export function readLoginText(text: string, place: string): readonly PortLogins[] {
  return loginsOf(readSecretText(text, place), place);
}

function loginsOf(root: Node, place: string): readonly PortLogins[] {
  if (root.isEmpty) throw new UsageError(`${place} is empty: expected a list of ports with their users`);
  const all = root.items().map(portLogins);
  for (const [index, { port }] of all.entries()) {
    if (all.findIndex((other) => other.port === port) < index) {
      throw new UsageError(`${place} has port ${port} twice: expected all users of a port in one place`);
    }
  }
  return all;
}

function portLogins(node: Node): PortLogins {
  const { protocol, port, users } = node.fields(['protocol', 'port', 'users']);
  const credentials = users === undefined || users.isEmpty ? [] : users.items().map(credentialOf);
  if (credentials.length === 0)
    throw node.problem('its users are missing: expected a list, the first of which is for connections that ran before');
  return {
    protocol: fieldValue(node, 'protocol', protocol, protocolValue),
    port: fieldValue(node, 'port', port, portValue),
    credentials,
  };
}

function credentialOf(node: Node): Credential {
  const fields = node.fields(['name', 'targetName', 'password', 'database', 'collation']);
  const user = textOf(fields.name);
  const { collation } = fields;
  return {
    user,
    targetUser: fields.targetName === undefined ? user : textOf(fields.targetName),
    password: textOf(fields.password),
    database: textOf(fields.database),
    collation: collation === undefined ? 0 : fieldValue(node, 'collation', collation, collationValue),
  };
}

function fieldValue<T>(parent: Node, key: string, node: Node | undefined, type: ValueType<T>): T {
  if (node === undefined) throw parent.problem(`${key} is missing: expected ${type.expected}`);
  const text = node.text(type.expected);
  try {
    return type.parse(text);
  } catch (cause) {
    throw new UsageError(`${node.place}: "${text}" does not fit: expected ${type.expected}`, { cause });
  }
}

function textOf(node: Node | undefined): string {
  if (node === undefined || node.isEmpty) return '';
  const text = node.text('text');
  if (text.length > TEXT_LENGTH_MAX || text.includes('\0')) {
    throw node.problem(`expected at most ${TEXT_LENGTH_MAX} characters, none of them NUL`);
  }
  return text;
}
