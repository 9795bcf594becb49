/**
 * Which turns are being compared now, by connection, and in what memory. Both are limited. An exchange that is over goes to the report at
 * once, and its memory to the next ones.
 */
import type { Captured } from '../session/captured.js';
import { NEVER_US } from './answer.js';
import { AnswerPool } from './answer-pool.js';
import type { CompareConfig } from './compare-config.js';
import { ComparedConnection, type ComparedSide } from './compared-connection.js';
import { ComparisonReport } from './comparison-report.js';
import { noteConversationKind } from './conversation-kind.js';
import { Exchange, type IncomparableReason, TARGET_CLOSED, TARGET_OPEN, type TargetPart } from './exchange.js';

/** Exchanges that wait without room for their answers, for each one that has it. */
const EXCHANGES_PER_ANSWER = 2;

const NO_REQUEST = new Uint8Array(0);

export class ExchangeBook {
  readonly report: ComparisonReport;
  readonly #exchangesMax: number;
  readonly #connections = new Map<Captured, ComparedConnection>();
  readonly #pool: AnswerPool;
  #exchangesOpen = 0;

  constructor(config: CompareConfig) {
    this.#exchangesMax = config.answersMax * EXCHANGES_PER_ANSWER;
    this.#pool = new AnswerPool(config.answersMax, config.answerBytesMax);
    this.report = new ComparisonReport(config);
  }

  get answersInUse(): number {
    return this.#pool.inUse;
  }

  /** No more exchanges may begin. */
  get isFull(): boolean {
    return this.#exchangesOpen >= this.#exchangesMax;
  }

  connections(): Iterable<ComparedConnection> {
    return this.#connections.values();
  }

  find(captured: Captured): ComparedConnection | undefined {
    return this.#connections.get(captured);
  }

  /** That of a connection of which `turn` begins now. */
  connectionOf(captured: Captured, turn: number, nowMs: number): ComparedConnection {
    let connection = this.#connections.get(captured);
    if (connection === undefined) {
      connection = new ComparedConnection(captured, turn, nowMs);
      this.#connections.set(captured, connection);
    }
    return connection;
  }

  /** The exchange of the turn that begins; without memory for answers where there is none left, or no target that could answer. */
  begin(connection: ComparedConnection, turn: number): Exchange {
    const { captured, sides, exchanges } = connection;
    const targets = sides.filter(({ hasEnded }) => !hasEnded).length;
    const hasRoom = targets > 0 && this.#pool.has(1 + targets);
    const exchange = new Exchange(
      turn,
      captured.turns.offsetOf(turn),
      captured.turnAck,
      hasRoom ? this.#pool.takeRequest() : NO_REQUEST,
      hasRoom ? this.#pool.takeAnswer() : undefined,
      sides.map((side) => (hasRoom && !side.hasEnded ? this.#targetPart(side) : undefined)),
    );
    if (targets === 0) exchange.incomparable = 'notDelivered';
    if (exchanges.length === 0) connection.firstTurn = turn;
    exchanges.push(exchange);
    this.#exchangesOpen += 1;
    return exchange;
  }

  /** Hands the exchange over if all parties are through with it. */
  settle(connection: ComparedConnection, exchange: Exchange): void {
    if (exchange.isOnlineClosed && exchange.areTargetsSettled) this.finish(connection, exchange);
  }

  /** Hands the exchange over as it is. */
  finish(connection: ComparedConnection, exchange: Exchange): void {
    if (exchange.isOver) return;
    exchange.isOver = true;
    noteConversationKind(connection, exchange);
    this.report.note(connection.captured, exchange, connection.isPipelined);
    if (exchange.online !== undefined) {
      this.#pool.giveAnswerBack(exchange.online);
      this.#pool.giveRequestBack(exchange.request);
    }
    for (const target of exchange.targets) {
      if (target === undefined) continue;
      if (target.state === TARGET_OPEN) target.state = TARGET_CLOSED;
      this.#pool.giveAnswerBack(target.answer);
    }
    this.#trim(connection);
  }

  /** There is no room for the connection's turns: what follows is joined again with a turn that finds some. */
  abandon(connection: ComparedConnection): void {
    for (const exchange of [...connection.exchanges]) {
      exchange.incomparable ??= 'noRoom' satisfies IncomparableReason;
      this.finish(connection, exchange);
    }
    this.forget(connection);
  }

  /** All its exchanges are over. */
  forget({ captured }: ComparedConnection): void {
    this.#connections.delete(captured);
  }

  #targetPart({ session }: ComparedSide): TargetPart {
    return {
      name: session.target.name,
      answer: this.#pool.takeAnswer(),
      state: TARGET_OPEN,
      lossReason: undefined,
      requestAtUs: NEVER_US,
    };
  }

  #trim(connection: ComparedConnection): void {
    const { exchanges } = connection;
    while (exchanges.length > 0 && exchanges[0]!.isOver) {
      exchanges.shift();
      connection.firstTurn += 1;
      this.#exchangesOpen -= 1;
    }
  }
}
