import { LOSS_REASONS, type LossReason } from '@trafficcopy/core';
import { LatencyHistogram } from './latency-histogram.js';

/** Of a span the percentiles are for plots: two digits do. */
const DIGITS = 2;

/** What one target did in one span of time, in numbers that can be sent to another process. */
export interface SpanParts {
  readonly connections: number;
  readonly turns: number;
  readonly turnOctets: number;
  readonly answerOctets: number;
  /** As LOSS_REASONS. */
  readonly lost: readonly number[];
  /** Encoded. */
  readonly answers: string;
}

/** What one target did in one span of time. */
export class TargetSpan {
  connections = 0;
  turns = 0;
  turnOctets = 0;
  answerOctets = 0;
  readonly lost: number[] = LOSS_REASONS.map(() => 0);
  /** Times to the last octet. */
  answers = new LatencyHistogram(DIGITS);

  lose(reason: LossReason, turns: number): void {
    const index = LOSS_REASONS.indexOf(reason);
    this.lost[index] = this.lost[index]! + turns;
  }

  add(other: TargetSpan): void {
    this.connections += other.connections;
    this.turns += other.turns;
    this.turnOctets += other.turnOctets;
    this.answerOctets += other.answerOctets;
    for (const [index, turns] of other.lost.entries()) this.lost[index] = this.lost[index]! + turns;
    this.answers.add(other.answers);
  }

  toParts(): SpanParts {
    const { connections, turns, turnOctets, answerOctets, lost, answers } = this;
    return { connections, turns, turnOctets, answerOctets, lost, answers: answers.encode() };
  }

  static of({ connections, turns, turnOctets, answerOctets, lost, answers }: SpanParts): TargetSpan {
    const span = new TargetSpan();
    Object.assign(span, { connections, turns, turnOctets, answerOctets, lost: [...lost] });
    span.answers = LatencyHistogram.decode(answers, DIGITS);
    return span;
  }
}
