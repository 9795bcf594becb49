/** Sentences about fields, bounded: a hostile object cannot make a long list. */
export class FieldProblems {
  static readonly TEXTS_MAX = 16;
  readonly texts: string[] = [];

  add(text: string): void {
    if (this.texts.length < FieldProblems.TEXTS_MAX) this.texts.push(text);
  }
}

/** A field of an object that somebody else wrote. Reading it never throws: what is wrong becomes a problem, and a harmless value. */
export class Field {
  readonly #path: string;
  readonly #problems: FieldProblems;
  readonly value: unknown;

  constructor(path: string, value: unknown, problems: FieldProblems) {
    this.#path = path;
    this.value = value === null ? undefined : value;
    this.#problems = problems;
  }

  get isPresent(): boolean {
    return this.value !== undefined;
  }

  /** The last part of the path. */
  get key(): string {
    return this.#path.slice(this.#path.lastIndexOf('.') + 1);
  }

  refuse(text: string): void {
    this.#problems.add(`${this.#path} ${text}`);
  }

  get(key: string): Field {
    const { value } = this;
    if (value !== undefined && (typeof value !== 'object' || Array.isArray(value))) {
      this.refuse('is no object');
      return this.#child(`.${key}`, undefined);
    }
    const object = value as { readonly [key: string]: unknown } | undefined;
    return this.#child(`.${key}`, object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined);
  }

  /** The items of a list; none when it is left out. */
  items(countMax: number): Field[] {
    if (this.value === undefined) return [];
    if (!Array.isArray(this.value)) {
      this.refuse('is no list');
      return [];
    }
    if (this.value.length > countMax) this.refuse(`has more than ${countMax} items`);
    return this.value.slice(0, countMax).map((item: unknown, index) => this.#child(`[${index}]`, item ?? undefined));
  }

  /** The values of a map; each one's `key` is its key. None when it is left out. */
  entries(countMax: number): { readonly key: string; text(lengthMax: number, pattern: RegExp): string | undefined }[] {
    if (this.value === undefined) return [];
    if (typeof this.value !== 'object' || Array.isArray(this.value)) {
      this.refuse('is no object');
      return [];
    }
    const entries = Object.entries(this.value as object);
    if (entries.length > countMax) this.refuse(`has more than ${countMax} entries`);
    return entries.slice(0, countMax).map(([key, value]) => {
      const field = this.#child(`[${key.slice(0, 80)}]`, value);
      return { key, text: (lengthMax, pattern) => field.text(lengthMax, pattern) };
    });
  }

  text(lengthMax: number, pattern: RegExp): string | undefined {
    const { value } = this;
    if (typeof value === 'string' && value.length <= lengthMax && pattern.test(value)) return value;
    this.refuse(value === undefined ? 'is missing' : 'cannot be read');
    return undefined;
  }

  /** `fallback` when it is left out; undefined: it must be there. */
  integer(min: number, max: number, fallback: number | undefined): number {
    const value = this.number(min, max, fallback);
    if (Number.isInteger(value)) return value;
    this.refuse('must be a whole number');
    return min;
  }

  number(min: number, max: number, fallback: number | undefined): number {
    const value = this.value ?? fallback;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    this.refuse(value === undefined ? 'is missing' : `must be a number from ${min} to ${max}`);
    return min;
  }

  boolean(fallback: boolean): boolean {
    const value = this.value ?? fallback;
    if (typeof value === 'boolean') return value;
    this.refuse('must be true or false');
    return fallback;
  }

  choice<const Choice extends string>(choices: readonly Choice[], fallback: Choice | undefined): Choice {
    const value = this.value ?? fallback;
    const choice = choices.find((one) => one === value);
    if (choice !== undefined) return choice;
    this.refuse(`must be one of ${choices.join(', ')}`);
    return choices[0]!;
  }

  #child(suffix: string, value: unknown): Field {
    return new Field(this.#path + suffix, value, this.#problems);
  }
}

/** The values that stand more than once. */
export function duplicates<Value>(values: readonly Value[]): Value[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
