/** Any object of the API server, as it came. */
export interface KubeObject {
  readonly metadata: KubeMetadata;
  readonly [field: string]: unknown;
}

export interface KubeMetadata {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly labels?: { readonly [key: string]: string } | undefined;
  readonly annotations?: { readonly [key: string]: string } | undefined;
  readonly finalizers?: readonly string[] | undefined;
}

type Fields = { readonly [key: string]: unknown };

/** The value at a path of fields and list positions, undefined when something on the way is not there. */
export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const key of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Fields)[key];
  }
  return current ?? undefined;
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const text = valueAt(value, ...path);
  return typeof text === 'string' ? text : undefined;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const list = valueAt(value, ...path);
  return Array.isArray(list) ? list : [];
}

/** A map of strings; what is no string is left out. */
export function textsAt(value: unknown, ...path: readonly string[]): { readonly [key: string]: string } {
  const map = valueAt(value, ...path);
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return {};
  return Object.fromEntries(
    Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** The object with what every object has, or undefined when that is missing. */
export function readKubeObject(value: unknown): KubeObject | undefined {
  const isOne = textAt(value, 'metadata', 'name') !== undefined && textAt(value, 'metadata', 'uid') !== undefined;
  return isOne ? (value as KubeObject) : undefined;
}
