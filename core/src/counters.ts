/**
 * The ledger: every observed connection ends in exactly one terminal state for each session made of it, every turn is
 * delivered, lost with its reason, or pending. `captured turns x sessions = delivered + lost + pending` at all times.
 */

/** Terminal states of a session, and of a connection of which no session was made. */
export const TERMINAL_STATES = [
  /** Every turn was delivered and the connection ended as the client ended it. */
  'copied',
  /** Not chosen by -r, or not yet due by -g. */
  'sampledOut',
  /** Chosen by -r, but the program was beyond its safety budget (--max-cpu, --max-memory). */
  'overBudget',
  /** It was running before the capture and ended before it began another turn. */
  'midStreamSkipped',
  /** Bytes were never captured, and nothing after them could be delivered. */
  'captureGap',
  /** The target answered the SYN with a reset. */
  'targetRefused',
  /** The target closed or reset, and turns were lost by it. */
  'targetReset',
  /** The target did not answer the SYN, or did not acknowledge what was sent, until the timeout. */
  'noResponse',
  /** A limit was reached. */
  'shed',
  /** The channel to intercept was lost, or it does not serve the target. */
  'channelLost',
  /** The target had no endpoint, or lost the one that the session was at. */
  'targetUnavailable',
  /** The mapping or the target was taken out of the settings. */
  'withdrawn',
  /** Copying was suspended. */
  'suspended',
  /** The connection carries TLS. */
  'encrypted',
  /** The target did not let the user in, or nobody said how to get in. */
  'loginRefused',
  /** Turns needed what only online knows: a protocol module could not make sure of them. */
  'stateUnknown',
  /** The program ended while the session was running. */
  'interrupted',
] as const;
export type TerminalState = (typeof TERMINAL_STATES)[number];

/** Why a turn did not reach the target. */
export const LOSS_REASONS = [
  'captureGap',
  'targetRefused',
  'targetReset',
  'noResponse',
  'shed',
  'overBudget',
  'channelLost',
  'targetUnavailable',
  'withdrawn',
  'suspended',
  'encrypted',
  'loginRefused',
  'stateUnknown',
  'interrupted',
] as const;
export type LossReason = (typeof LOSS_REASONS)[number];

/** Why a copy of a datagram did not come to its target. */
export const DATAGRAM_LOSS_REASONS = [
  /** It came in fragments, which are not put together. */
  'fragmented',
  /** The capture holds a part of it only. */
  'cutShort',
  /** With its headers it has more octets than a packet to a target may have. */
  'tooLarge',
  /** A limit was reached, or the way to intercept was full. */
  'shed',
  /** The program was beyond its safety budget. */
  'overBudget',
  /** Copying was suspended. */
  'suspended',
  /** The target had no endpoint. */
  'targetUnavailable',
  /** The channel to intercept was down, or lost while the datagram was on its way. */
  'channelLost',
  /** Intercept does not serve the target, or takes no datagrams of that client address. */
  'refused',
  /** The target's kernel did not take it. */
  'failed',
  /** The program ended before it was heard of. */
  'interrupted',
] as const;
export type DatagramLossReason = (typeof DATAGRAM_LOSS_REASONS)[number];

/** The ledger of UDP datagrams: captured x targets x copies = notChosen + copies, and copies = delivered + lost + pending. */
export interface DatagramCounters {
  /** Datagrams of clients to ports that are copied. */
  captured: number;
  /** Copies that -r and -g leave out. */
  notChosen: number;
  copies: number;
  /** The target's kernel has taken them, as intercept says. */
  delivered: number;
  /** Of those: nobody listened at the target's port. */
  unreachable: number;
  pending: number;
  lost: Record<DatagramLossReason, number>;
}

/** Counted events, all monotonic. */
export interface EngineCounters {
  /** Captured packets by verdict: index as in IP_VERDICTS, plus packets of no mapping and malformed TCP. */
  packetsCaptured: number;
  packetsMalformed: number;
  packetsUnmapped: number;
  bytesCaptured: number;
  connectionsSeen: number;
  sessionsStarted: number;
  /** Fresh target connections made for a session that goes on. */
  sessionsResumed: number;
  /** Turns of all sessions: captured = delivered + the sum of lost + pending. */
  turnsCaptured: number;
  turnsDelivered: number;
  turnsPending: number;
  turnsLost: Record<LossReason, number>;
  /** Turns that the target answered with at least one octet. */
  turnsAnswered: number;
  /** Turns that began before a running connection could be joined. They are not among turnsCaptured. */
  turnsBeforeJoin: number;
  terminal: Record<TerminalState, number>;
  packetsSent: number;
  bytesSent: number;
  segmentsRetransmitted: number;
  /** Those of them that went out before their timer, to ask for an acknowledgement that is overdue (RFC 8985 7). */
  lossProbes: number;
  /** How often segments of a session became smaller: somebody said that they are too big, or they got no answer. */
  pathsNarrowed: number;
  /** Segments of the client that held nothing new. */
  captureDuplicates: number;
  /** Captured segments that did not continue the stream (reordering, or a gap). */
  captureOutOfOrder: number;
  captureGaps: number;
  responsesReceived: number;
  responseBytes: number;
  /** Response records that fit no session. */
  responsesUnknown: number;
  /** Packets that an output batch had no room for; they are sent again by their session's timer. */
  outputOverflows: number;
  /** Where UDP is copied. */
  datagrams: DatagramCounters;
}

export function createEngineCounters(): EngineCounters {
  return {
    packetsCaptured: 0,
    packetsMalformed: 0,
    packetsUnmapped: 0,
    bytesCaptured: 0,
    connectionsSeen: 0,
    sessionsStarted: 0,
    sessionsResumed: 0,
    turnsCaptured: 0,
    turnsDelivered: 0,
    turnsPending: 0,
    turnsLost: zeroes(LOSS_REASONS),
    turnsAnswered: 0,
    turnsBeforeJoin: 0,
    terminal: zeroes(TERMINAL_STATES),
    packetsSent: 0,
    bytesSent: 0,
    segmentsRetransmitted: 0,
    lossProbes: 0,
    pathsNarrowed: 0,
    captureDuplicates: 0,
    captureOutOfOrder: 0,
    captureGaps: 0,
    responsesReceived: 0,
    responseBytes: 0,
    responsesUnknown: 0,
    outputOverflows: 0,
    datagrams: {
      captured: 0,
      notChosen: 0,
      copies: 0,
      delivered: 0,
      unreachable: 0,
      pending: 0,
      lost: zeroes(DATAGRAM_LOSS_REASONS),
    },
  };
}

function zeroes<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
