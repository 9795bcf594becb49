import type { Random } from './random.js';

/** Values that a reader of JSON may stumble over. */
const JUNK: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e308,
  2 ** 53,
  '',
  ' ',
  '\u0000',
  '\ud800',
  'x'.repeat(300),
  '__proto__',
  [],
  [null],
  {},
  { toString: 1, valueOf: 1 },
  { length: 3 },
  { constructor: null },
];
const KEYS = ['__proto__', 'constructor', 'toString', 'length', 'hasOwnProperty', '0', ''];

/**
 * How inputs of JSON are made of others: a value at some place is replaced, left out, repeated or wrapped, so that readers are reached beyond the
 * first brace. Some are changed as octets all the same.
 */
export function jsonInputs(prefix: Uint8Array = new Uint8Array(0)): (random: Random, input: Uint8Array) => Uint8Array {
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
  return (random, input) => {
    let value: unknown;
    try {
      value = JSON.parse(decoder.decode(input.subarray(prefix.length)));
    } catch {
      value = { '': random.pick(JUNK) };
    }
    for (let changes = 1 + random.below(3); changes > 0; changes -= 1) value = changed(random, value, 0);
    const text = encoder.encode(JSON.stringify(value) ?? 'null');
    const bytes = new Uint8Array(prefix.length + text.length);
    bytes.set(prefix);
    bytes.set(text, prefix.length);
    return bytes;
  };
}

function changed(random: Random, value: unknown, depth: number): unknown {
  const isLeaf = typeof value !== 'object' || value === null || depth > 8;
  if (isLeaf || random.chance(0.15)) return another(random, value);
  if (Array.isArray(value)) return changedList(random, value, depth);
  return changedObject(random, value as Record<string, unknown>, depth);
}

function another(random: Random, value: unknown): unknown {
  if (random.chance(0.4)) return random.pick(JUNK);
  if (typeof value === 'number') return value + random.pick([1, -1, 0.5, 65536, -65536, 2 ** 32]);
  if (typeof value === 'string') return textLike(random, value);
  return random.chance(0.5) ? [value] : { value };
}

function textLike(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  return text.slice(0, at) + String.fromCharCode(random.below(128)) + text.slice(at + random.below(2));
}

function changedList(random: Random, list: readonly unknown[], depth: number): unknown[] {
  const at = random.below(list.length + 1);
  const one = list[at];
  switch (random.below(4)) {
    case 0:
      return list.toSpliced(at, 1);
    case 1:
      return list.toSpliced(at, 0, one ?? random.pick(JUNK));
    case 2:
      return list.concat(new Array<unknown>(random.below(80)).fill(one ?? 1));
    default:
      return list.map((item, index) => (index === at ? changed(random, item, depth + 1) : item));
  }
}

function changedObject(random: Random, object: Record<string, unknown>, depth: number): Record<string, unknown> {
  const entries = Object.entries(object);
  const at = random.below(entries.length + 1);
  const entry = entries[at];
  if (entry === undefined) return withEntries([...entries, [random.pick(KEYS), random.pick(JUNK)]]);
  if (random.chance(0.1)) return withEntries(entries.toSpliced(at, 1));
  return withEntries(entries.with(at, [entry[0], changed(random, entry[1], depth + 1)]));
}

/** `__proto__` is a key like any other, as it is for JSON.parse. */
function withEntries(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries);
}
