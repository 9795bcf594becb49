import { isMap, isScalar, isSeq, type LineCounter, type Node } from 'yaml';
import { UsageError } from '../../errors/usage-error.js';
import { unknownNameText } from './nearest-name.js';

/** Where a configuration file is, and which of its lines an offset is in. */
export interface ConfigOrigin {
  readonly file: string;
  readonly lines: LineCounter;
}

/** A value of a configuration file, with its path in it. What is wrong with it is a UsageError that names file, line and path. */
export class ConfigNode {
  readonly #origin: ConfigOrigin;
  readonly #node: Node | null;
  readonly #offset: number;
  /** "targets[0].ports"; empty for the whole file. */
  readonly path: string;

  /** @param offset where its key stands, for a value that is not there. */
  constructor(origin: ConfigOrigin, path: string, node: Node | null, offset: number) {
    this.#origin = origin;
    this.path = path;
    this.#node = node;
    this.#offset = node?.range?.[0] ?? offset;
  }

  /** "FILE:LINE: PATH", as messages begin. */
  get place(): string {
    const { line } = this.#origin.lines.linePos(this.#offset);
    return [`${this.#origin.file}:${line}`, ...(this.path === '' ? [] : [this.path])].join(': ');
  }

  get isEmpty(): boolean {
    return this.#node === null || (isScalar(this.#node) && this.#node.value === null);
  }

  get isMap(): boolean {
    return isMap(this.#node);
  }

  get isBoolean(): boolean {
    return isScalar(this.#node) && typeof this.#node.value === 'boolean';
  }

  problem(text: string): UsageError {
    return new UsageError(`${this.place}: ${text}`);
  }

  /** The values of a map, with their keys. */
  entries(): { readonly key: string; readonly node: ConfigNode }[] {
    const node = this.#node;
    if (!isMap(node)) throw this.problem('expected keys with values, like "name: value"');
    return node.items.map((pair) => {
      const { key, value } = pair;
      if (!isScalar(key)) throw this.problem('expected keys that are plain words');
      const name = String(key.value);
      const path = this.path === '' ? name : `${this.path}.${name}`;
      return { key: name, node: new ConfigNode(this.#origin, path, value as Node | null, key.range?.[0] ?? 0) };
    });
  }

  /** The values of a map that has only these keys. */
  fields<const Name extends string>(names: readonly Name[]): { readonly [name in Name]?: ConfigNode } {
    if (!this.isMap) throw this.problem(`${this.#shown()}expected a map of ${names.join(', ')}, like "${names[0]}: …"`);
    const found: { [name in Name]?: ConfigNode } = {};
    for (const { key, node } of this.entries()) {
      const name = names.find((one) => one === key);
      if (name === undefined) throw node.problem(unknownNameText('unknown key', key, names));
      found[name] = node;
    }
    return found;
  }

  /** The items of a list; a value that is no list is one item. */
  items(): ConfigNode[] {
    const node = this.#node;
    if (!isSeq(node)) return [this];
    return node.items.map((item, index) => {
      return new ConfigNode(this.#origin, `${this.path}[${index}]`, item as Node | null, this.#offset);
    });
  }

  /** A single value as it is written, quotes taken off. `expected` completes «expected …». */
  text(expected: string): string {
    const node = this.#node;
    if (isScalar(node) && typeof node.value === 'string') return node.value;
    // The text and not the number: flags read texts, and 010 or 1e3 mean to them what they mean on a command line.
    if (isScalar(node) && node.value !== null && node.source !== undefined) return node.source;
    throw this.problem(this.isEmpty ? `its value is missing: expected ${expected}` : `expected ${expected}`);
  }

  boolean(): boolean {
    const node = this.#node;
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    throw this.problem(`${this.#shown()}expected true or false`);
  }

  /** A single value, as messages begin. */
  #shown(): string {
    const node = this.#node;
    return isScalar(node) && node.value !== null ? `"${node.source}" does not fit: ` : '';
  }
}
