import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';

/** Longer times count as an hour. */
const US_MAX = 3_600_000_000;

export interface LatencySection {
  readonly count: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /** The HDR histogram, in the format of HdrHistogram's own tools (V2, compressed, base64). */
  readonly hdr: string;
}

/** Times in microseconds, kept so that percentiles are right to a number of digits: an HDR histogram that grows with its largest value. */
export class LatencyHistogram {
  readonly #histogram: Histogram;

  constructor(digits: 2 | 3) {
    this.#histogram = build({ bitBucketSize: 32, autoResize: true, numberOfSignificantValueDigits: digits });
  }

  record(us: number): void {
    const value = us < 0 ? 0 : us > US_MAX ? US_MAX : Math.round(us);
    this.#histogram.recordValue(value);
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  percentileUs(percentile: number): number {
    return this.count === 0 ? 0 : Math.min(this.#histogram.getValueAtPercentile(percentile), this.#histogram.maxValue);
  }

  /** Adds what another one has. */
  add(other: LatencyHistogram): void {
    this.#add(other.#histogram);
  }

  #add(histogram: Histogram): void {
    if (histogram.totalCount > 0) this.#histogram.add(histogram);
  }

  section(): LatencySection {
    const { count } = this;
    return {
      count,
      meanUs: count === 0 ? 0 : Math.round(this.#histogram.mean),
      p50Us: this.percentileUs(50),
      p90Us: this.percentileUs(90),
      p99Us: this.percentileUs(99),
      p999Us: this.percentileUs(99.9),
      maxUs: count === 0 ? 0 : this.#histogram.maxValue,
      hdr: this.encode(),
    };
  }

  /** The format of HdrHistogram (V2, compressed, base64), which its other ports and tools read. */
  encode(): string {
    return encodeIntoCompressedBase64(this.#histogram);
  }

  /** From {@link encode} of a histogram with as many digits. */
  static decode(text: string, digits: 2 | 3): LatencyHistogram {
    const decoded = new LatencyHistogram(digits);
    // The library's own decoder makes one that does not grow.
    decoded.#add(decodeFromCompressedBase64(text, 32, false));
    return decoded;
  }
}
