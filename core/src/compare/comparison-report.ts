/** What the comparison has found so far: sums, the differences, the requests that took the target longest. */
import type { Captured } from '../session/captured.js';
import { type Answer, NEVER_US } from './answer.js';
import { compareAnswers } from './answer-verdict.js';
import type { CompareConfig } from './compare-config.js';
import { type Exchange, INCOMPARABLE_REASONS, type IncomparableReason, TARGET_LOST } from './exchange.js';
import { isHttp, readHttpHead } from './http-head.js';
import { requestName } from './request-name.js';

/** Requests that are kept because the target was slow with them. */
export const SLOW_MAX = 50;
/** How much longer than online a target takes before a request counts as slow: twice the grain of the engine's clock, and the way there. */
const SLOW_US_MIN = 10_000;
/** Names of fields that are counted for each target; headers have no other limit. */
const FIELDS_MAX = 256;
/** Names of requests that differ, and how often, that are told apart. */
const REQUESTS_MAX = 1024;
/** Differences that wait to be taken. */
const WAITING_MAX = 2000;
/** Targets whose differences are counted. */
const TARGETS_MAX = 256;

/** What one party answered. */
export interface ComparedAnswer {
  /** Of HTTP. */
  readonly status: string | undefined;
  /** From the end of the request to the first and the last octet of the answer; undefined: there was none. */
  readonly firstUs: number | undefined;
  readonly lastUs: number | undefined;
  readonly totalBytes: number;
  /** A copy of the first octets. */
  readonly bytes: Uint8Array;
}

export interface ComparedTarget extends ComparedAnswer {
  readonly name: string;
  /** What differs from online; empty: nothing. */
  readonly fields: readonly string[];
  /** Where in online's answer the first difference stands. */
  readonly offset: number;
}

export interface Difference {
  readonly clientAddress: Uint8Array;
  readonly clientPort: number;
  readonly onlinePort: number;
  /** Of the connection, counted from 0. */
  readonly turn: number;
  readonly request: string;
  readonly online: ComparedAnswer;
  readonly targets: readonly ComparedTarget[];
}

export interface SlowRequest {
  readonly request: string;
  readonly target: string;
  readonly onlineUs: number;
  readonly targetUs: number;
  /** Of the two. */
  readonly ratio: number;
}

export interface TargetDifferences {
  /** Turns in which it differs. */
  turns: number;
  /** Of them, by field. */
  readonly fields: Map<string, number>;
}

export class ComparisonReport {
  /** Turns that the comparison is through with: the sum of the others. */
  turns = 0;
  equal = 0;
  different = 0;
  /** Equal but for what no two parties agree on. */
  noise = 0;
  readonly incomparable: Record<IncomparableReason, number>;
  readonly targets = new Map<string, TargetDifferences>();
  /** Fields that were noise, and in how many turns. */
  readonly noiseFields = new Map<string, number>();
  /** How often requests of one name differ. */
  readonly requests = new Map<string, number>();
  /** Longest ratio first. */
  readonly slow: SlowRequest[] = [];
  /** Differences beyond the limit: counted, and not kept. */
  differencesDropped = 0;
  differencesKept = 0;
  readonly #config: CompareConfig;
  #differences: Difference[] = [];

  constructor(config: CompareConfig) {
    this.#config = config;
    this.incomparable = Object.fromEntries(INCOMPARABLE_REASONS.map((reason) => [reason, 0])) as Record<
      IncomparableReason,
      number
    >;
  }

  /** The differences since it was asked last. They are the caller's. */
  takeDifferences(): readonly Difference[] {
    const taken = this.#differences;
    this.#differences = [];
    return taken;
  }

  noteIncomparable(reason: IncomparableReason): void {
    this.turns += 1;
    this.incomparable[reason] += 1;
  }

  /**
   * An exchange is over. Nothing of it is kept but copies. Where the client pipelines (`isPipelined`) what differs may be the answer to
   * another request.
   */
  note(captured: Captured, exchange: Exchange, isPipelined: boolean): void {
    const reason = reasonAgainst(exchange);
    if (reason !== undefined) {
      this.noteIncomparable(reason);
      return;
    }
    const online = exchange.online!;
    const all = exchange.targets.filter((target) => target !== undefined);
    // A target that did not answer what was delivered to it differs by that, and says nothing about noise.
    const answering = all.filter(({ answer }) => answer.totalBytes > 0);
    const answers = answering.map(({ answer }) => answer);
    const bytesSeen = [online, ...answers].map(({ totalBytes }) => totalBytes);
    if (exchange.isAborted) for (const answer of [online, ...answers]) answer.shorten(Math.min(...bytesSeen));
    const verdict = compareAnswers(online, answers, this.#config.ignoredHeaders, !exchange.isAborted);
    const found = all.map((target) => {
      const at = answering.indexOf(target);
      return { target, ...(at < 0 ? { fields: ['answer'], offset: 0 } : verdict.targets[at]!) };
    });
    const isDifferent = found.some(({ fields }) => fields.length > 0);
    if (isDifferent && isPipelined) {
      this.noteIncomparable('notAligned');
      return;
    }
    this.turns += 1;
    for (const { target, fields } of found) if (fields.length > 0) this.#countFields(target.name, fields);
    for (const name of verdict.noise) count(this.noiseFields, name);
    for (const { target } of found) this.#noteSlow(exchange, target);
    if (!isDifferent) {
      if (verdict.noise.length > 0) this.noise += 1;
      else this.equal += 1;
      return;
    }
    this.different += 1;
    const request = requestName(exchange.request, exchange.requestBytes);
    count(this.requests, request, REQUESTS_MAX);
    if (this.differencesKept === this.#config.differencesMax || this.#differences.length === WAITING_MAX) {
      this.differencesDropped += 1;
      return;
    }
    this.differencesKept += 1;
    this.#differences.push({
      clientAddress: captured.clientAddress,
      clientPort: captured.clientPort,
      onlinePort: captured.mapping.onlinePort,
      turn: exchange.turn,
      request,
      online: viewOf(online, exchange.requestAtUs),
      targets: found.map(({ target, fields, offset }) => ({
        name: target.name,
        ...viewOf(target.answer, target.requestAtUs),
        fields,
        offset,
      })),
    });
  }

  #countFields(name: string, fields: readonly string[]): void {
    let target = this.targets.get(name);
    if (target === undefined) {
      if (this.targets.size === TARGETS_MAX) return;
      target = { turns: 0, fields: new Map() };
      this.targets.set(name, target);
    }
    target.turns += 1;
    for (const field of fields) count(target.fields, field);
  }

  #noteSlow(exchange: Exchange, target: NonNullable<Exchange['targets'][number]>): void {
    const onlineUs = usBetween(exchange.requestAtUs, exchange.online!.lastAtUs);
    const targetUs = usBetween(target.requestAtUs, target.answer.lastAtUs);
    if (onlineUs === undefined || targetUs === undefined || targetUs - onlineUs < SLOW_US_MIN) return;
    const ratio = targetUs / Math.max(onlineUs, 1);
    const { slow } = this;
    if (slow.length === SLOW_MAX && ratio <= slow[SLOW_MAX - 1]!.ratio) return;
    const request = requestName(exchange.request, exchange.requestBytes);
    let at = slow.length;
    while (at > 0 && slow[at - 1]!.ratio < ratio) at -= 1;
    slow.splice(at, 0, { request, target: target.name, onlineUs, targetUs, ratio });
    if (slow.length > SLOW_MAX) slow.pop();
  }
}

/** Why it cannot be compared, if it cannot. */
function reasonAgainst(exchange: Exchange): IncomparableReason | undefined {
  const { online, targets, incomparable } = exchange;
  if (incomparable !== undefined) return incomparable;
  if (online === undefined) return 'noRoom';
  const present = targets.filter((target) => target !== undefined);
  if (present.length === 0) return 'notDelivered';
  // A target that reset or did not answer had the request: that is what it answered.
  const isOurs = present.some(
    ({ state, lossReason }) => state === TARGET_LOST && lossReason !== 'targetReset' && lossReason !== 'noResponse',
  );
  if (isOurs) return 'notDelivered';
  if (online.totalBytes === 0) return 'onlineSilent';
  if (!online.isWhole) return 'onlineIncomplete';
  if (present.some(({ answer }) => !answer.isWhole)) return 'targetIncomplete';
  // Where the rest of the answer before stands in front of it, positions mean nothing.
  const isOnlineHttp = isHttp(online.bytes, 0, online.haveBytes);
  const isAnyHttp = present.some(({ answer }) => isHttp(answer.bytes, 0, answer.haveBytes));
  return isAnyHttp && !isOnlineHttp ? 'notAligned' : undefined;
}

function viewOf(answer: Answer, requestAtUs: number): ComparedAnswer {
  return {
    status: readHttpHead(answer.bytes, answer.haveBytes)?.statusLine,
    firstUs: usBetween(requestAtUs, answer.firstAtUs),
    lastUs: usBetween(requestAtUs, answer.lastAtUs),
    totalBytes: answer.totalBytes,
    bytes: answer.bytes.slice(0, answer.haveBytes),
  };
}

/** On a clock that wraps; 0 where the packets were captured in another order. */
function usBetween(fromUs: number, toUs: number): number | undefined {
  if (fromUs === NEVER_US || toUs === NEVER_US) return undefined;
  return Math.max((toUs - fromUs) | 0, 0);
}

function count(sums: Map<string, number>, name: string, namesMax = FIELDS_MAX): void {
  const before = sums.get(name);
  if (before === undefined && sums.size === namesMax) return;
  sums.set(name, (before ?? 0) + 1);
}
