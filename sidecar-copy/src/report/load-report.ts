import type { TargetMeter } from '@trafficcopy/core';
import { type RecorderParts, TargetRecorder } from './target-recorder.js';
import { type TargetReport, targetReport } from './target-report.js';
import { SPAN_MS_MIN } from './time-series.js';

/** Targets that are measured at most; a mapping may name more of them. Each has 2 MB of times at most. */
export const TARGETS_MEASURED_MAX = 32;

export interface LoadFigures {
  /** When the first span begins, ms since 1970. */
  readonly beganAtMs: number;
  readonly spanMs: number;
  /** As few as one, and all with as many spans. */
  readonly targets: readonly TargetReport[];
  /** Targets that there was no room for. */
  readonly targetsNotMeasured: number;
}

/** What all targets of a copy do, for whoever asks at the end. */
export class LoadReport {
  readonly #recorders = new Map<string, TargetRecorder>();
  readonly #left = new Set<string>();
  /** 0 of the engine's clock, ms since 1970. */
  readonly #originMs: number;

  constructor(originMs: number) {
    this.#originMs = originMs;
  }

  /** For EngineConfig.meterFor. */
  readonly meterFor = (target: string): TargetMeter | undefined => this.#recorderFor(target);

  #recorderFor(target: string): TargetRecorder | undefined {
    const known = this.#recorders.get(target);
    if (known !== undefined) return known;
    if (this.#recorders.size === TARGETS_MEASURED_MAX) {
      this.#left.add(target);
      return undefined;
    }
    const recorder = new TargetRecorder(target);
    this.#recorders.set(target, recorder);
    return recorder;
  }

  /** For another process. */
  toParts(): RecorderParts[] {
    return [...this.#recorders.values()].map((recorder) => recorder.toParts());
  }

  /** Adds what the report of another process with the same clock has. */
  add(parts: readonly RecorderParts[]): void {
    for (const part of parts) this.#recorderFor(part.name)?.add(TargetRecorder.of(part));
  }

  figures(): LoadFigures {
    const recorders = [...this.#recorders.values()];
    const spanMs = Math.max(SPAN_MS_MIN, ...recorders.map(({ series }) => series.spanMs));
    for (const { series } of recorders) series.widen(spanMs);
    const end = Math.max(0, ...recorders.map(({ series }) => series.length));
    let first = 0;
    while (first < end && recorders.every(({ series }) => series.row(first) === undefined)) first += 1;
    return {
      beganAtMs: Math.round(this.#originMs + first * spanMs),
      spanMs,
      targets: recorders.map((recorder) => targetReport(recorder, first, end)),
      targetsNotMeasured: this.#left.size,
    };
  }
}
