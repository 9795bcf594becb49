/**
 * What happened when, in a bounded number of spans of equal length: when the time is too long for them, every two become one, and a span
 * is twice as long from then on.
 */
export const SPANS_MAX = 180;
export const SPAN_MS_MIN = 1000;

export class TimeSeries<Row> {
  /** Length of a span, a second times a power of two. */
  spanMs = SPAN_MS_MIN;
  /** Those in which something happened; by the number of spans since 0 of the clock. */
  #rows: (Row | undefined)[] = [];
  readonly #make: () => Row;
  readonly #join: (into: Row, other: Row) => void;
  /** The span of the last call, and where it ends. */
  #current: Row | undefined;
  #currentIndex = -1;

  constructor(make: () => Row, join: (into: Row, other: Row) => void) {
    this.#make = make;
    this.#join = join;
  }

  /** Number of spans, empty ones included. */
  get length(): number {
    return this.#rows.length;
  }

  /** The row of the span that a moment is in; `nowMs` is 0 or more. */
  at(nowMs: number): Row {
    const index = Math.floor(nowMs / this.spanMs);
    if (index === this.#currentIndex) return this.#current!;
    return this.#find(nowMs);
  }

  /** The row with this number; undefined: nothing happened in it. */
  row(index: number): Row | undefined {
    return this.#rows[index];
  }

  #find(nowMs: number): Row {
    while (nowMs >= SPANS_MAX * this.spanMs) this.#double();
    const index = Math.floor(nowMs / this.spanMs);
    while (this.#rows.length <= index) this.#rows.push(undefined);
    this.#current = this.#rows[index] ??= this.#make();
    this.#currentIndex = index;
    return this.#current;
  }

  #double(): void {
    const before = this.#rows;
    this.#rows = [];
    for (let index = 0; index < before.length; index += 2)
      this.#rows.push(this.#joined(before[index], before[index + 1]));
    this.spanMs *= 2;
    this.#currentIndex = -1;
  }

  #joined(one: Row | undefined, other: Row | undefined): Row | undefined {
    if (one === undefined || other === undefined) return one ?? other;
    this.#join(one, other);
    return one;
  }

  /** Makes spans at least as long as that. */
  widen(spanMs: number): void {
    while (this.spanMs < spanMs) this.#double();
  }

  /** Adds what another one has, which has the same clock. Its rows become ours; it is of no use afterwards. */
  add(other: TimeSeries<Row>): void {
    this.widen(other.spanMs);
    other.widen(this.spanMs);
    while (this.#rows.length < other.#rows.length) this.#rows.push(undefined);
    for (const [index, row] of other.#rows.entries()) this.#rows[index] = this.#joined(this.#rows[index], row);
    this.#currentIndex = -1;
  }

  /** What was taken apart by toParts, as a series again. */
  static of<Row>(parts: SeriesParts<Row>, make: () => Row, join: (into: Row, other: Row) => void): TimeSeries<Row> {
    const series = new TimeSeries(make, join);
    series.spanMs = parts.spanMs;
    series.#rows = [...parts.rows];
    return series;
  }

  toParts<Part>(part: (row: Row) => Part): SeriesParts<Part> {
    return { spanMs: this.spanMs, rows: this.#rows.map((row) => (row === undefined ? undefined : part(row))) };
  }
}

/** A series in pieces that can be sent to another process. */
export interface SeriesParts<Part> {
  readonly spanMs: number;
  readonly rows: readonly (Part | undefined)[];
}
