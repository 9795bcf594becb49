/**
 * What can be seen of a session while it runs, in the words of docs/session.md. An event is a record of numbers; what `a`, `b` and `c` are
 * stands beside each kind.
 */
export const TRACE_EVENTS = [
  /** A connection of which no session is made. a: index in TERMINAL_STATES. */
  'notCopied',
  /** A session is made. a: the turn that it begins with. */
  'sessionMade',
  /** A turn of the client begins. a: its number; b: where in the stream. */
  'turnBegun',
  /** a: the port that it comes from; b: how often it was sent before. */
  'synSent',
  /** a: round trip, ms, or -1. */
  'established',
  /** A turn may go. a: its number; b: index in GATE_REASONS. */
  'gateOpened',
  /** a: where in the stream; b: octets. */
  'sent',
  /** As sent, once more. */
  'retransmitted',
  /** Nothing was acknowledged for so long. a: ms. */
  'timedOut',
  /** The first octets of an answer. a: the turn. */
  'answered',
  /** The target has taken the turn whole. a: its number. */
  'delivered',
  /** a: the first turn; b: how many; c: index in LOSS_REASONS. */
  'lost',
  'targetClosed',
  'targetReset',
  'targetRefused',
  /** The next turns go over a fresh connection. a: how many of them in a row. */
  'freshConnection',
  /** a: 1 for a FIN, 2 for a RST or silence. */
  'clientEnded',
  'finSent',
  'resetSent',
  /** a: index in TERMINAL_STATES. */
  'ended',
] as const;
export type TraceEventName = (typeof TRACE_EVENTS)[number];

/** Why a gate opens: docs/session.md, "When a turn goes". */
export const GATE_REASONS = [
  /** Online had answered nothing before it. */
  'nothingAwaited',
  /** -W */
  'noWait',
  /** As much as online's answer, or nearly and with PSH. */
  'answerWhole',
  /** PSH ends this target's answers. */
  'pushTrusted',
  /** Nothing more came. */
  'quiet',
  /** What it had sent before was for two turns. */
  'answeredBefore',
  'targetClosed',
] as const;
export type GateReason = (typeof GATE_REASONS)[number];

/** Kinds by name, as the ring holds them. */
export const TRACE_KIND = Object.fromEntries(TRACE_EVENTS.map((name, index) => [name, index])) as Readonly<
  Record<TraceEventName, number>
>;
