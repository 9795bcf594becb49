import type { LossReason, TargetMeter } from '@trafficcopy/core';
import { LatencyHistogram } from './latency-histogram.js';
import { type SpanParts, TargetSpan } from './target-span.js';
import { type SeriesParts, TimeSeries } from './time-series.js';

const DIGITS = 3;

/** What a recorder has, for another process. */
export interface RecorderParts {
  readonly name: string;
  /** Encoded. */
  readonly firstOctets: string;
  readonly lastOctets: string;
  readonly series: SeriesParts<SpanParts>;
}

/** Keeps what the engine tells of one target. Makes no object for each turn. */
export class TargetRecorder implements TargetMeter {
  readonly name: string;
  /** Times to the first and the last octet of answers. */
  readonly firstOctets: LatencyHistogram;
  readonly lastOctets: LatencyHistogram;
  readonly series: TimeSeries<TargetSpan>;

  constructor(
    name: string,
    firstOctets = new LatencyHistogram(DIGITS),
    lastOctets = new LatencyHistogram(DIGITS),
    series = new TimeSeries(makeSpan, joinSpans),
  ) {
    this.name = name;
    this.firstOctets = firstOctets;
    this.lastOctets = lastOctets;
    this.series = series;
  }

  connected(nowMs: number): void {
    this.series.at(nowMs).connections += 1;
  }

  delivered(octets: number, nowMs: number): void {
    const span = this.series.at(nowMs);
    span.turns += 1;
    span.turnOctets += octets;
  }

  lost(reason: LossReason, turns: number, nowMs: number): void {
    this.series.at(nowMs).lose(reason, turns);
  }

  octets(octets: number, nowMs: number): void {
    this.series.at(nowMs).answerOctets += octets;
  }

  firstOctet(elapsedUs: number): void {
    this.firstOctets.record(elapsedUs);
  }

  lastOctet(elapsedUs: number, nowMs: number): void {
    this.lastOctets.record(elapsedUs);
    this.series.at(nowMs).answers.record(elapsedUs);
  }

  /** Adds what another one has, which is of no use afterwards. */
  add(other: TargetRecorder): void {
    this.firstOctets.add(other.firstOctets);
    this.lastOctets.add(other.lastOctets);
    this.series.add(other.series);
  }

  toParts(): RecorderParts {
    const { name, firstOctets, lastOctets, series } = this;
    return {
      name,
      firstOctets: firstOctets.encode(),
      lastOctets: lastOctets.encode(),
      series: series.toParts((span) => span.toParts()),
    };
  }

  static of({ name, firstOctets, lastOctets, series }: RecorderParts): TargetRecorder {
    const rows = series.rows.map((row) => (row === undefined ? undefined : TargetSpan.of(row)));
    return new TargetRecorder(
      name,
      LatencyHistogram.decode(firstOctets, DIGITS),
      LatencyHistogram.decode(lastOctets, DIGITS),
      TimeSeries.of({ spanMs: series.spanMs, rows }, makeSpan, joinSpans),
    );
  }
}

function makeSpan(): TargetSpan {
  return new TargetSpan();
}

function joinSpans(into: TargetSpan, other: TargetSpan): void {
  into.add(other);
}
