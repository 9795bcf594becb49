/** Why a record of a copy was not followed. */
export const REFUSAL_REASONS = [
  /** The frame ends within it, or its kind or lengths are impossible. The rest of the frame is skipped. */
  'malformed',
  /** No whole, plain TCP packet or UDP datagram: IP options, extension headers, fragments, lengths that do not agree. */
  'badPacket',
  /** It would open a flow, and is no SYN. */
  'notSyn',
  /** Its destination is no address and port that is served here. */
  'targetUnknown',
  /** Its source is an address of the target itself, none that a host can have, or of a datagram none of --udp-clients. */
  'sourceRefused',
  /** Its flow is not known, or belongs to another session. */
  'flowUnknown',
  /** Another copy has that flow. */
  'flowTaken',
  'flowTableFull',
  /** It is a datagram, and none are taken here (--udp-clients). */
  'datagramsOff',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** Everything that intercept counts itself; all monotonic. */
export interface InterceptCounters {
  /** Records of PACKETS frames with a packet. */
  packetsReceived: number;
  bytesReceived: number;
  /** Packets that the kernel took. */
  packetsInjected: number;
  /** Packets that the kernel did not take. */
  packetsFailed: number;
  /** Of those received, injected and failed: UDP datagrams. */
  datagramsReceived: number;
  datagramsInjected: number;
  datagramsFailed: number;
  recordsRefused: Record<RefusalReason, number>;
  flowsOpened: number;
  /** Flows that a copy took up again after its connection was lost. */
  flowsResumed: number;
  flowsReleased: number;
  /** Registrations of C tcpcopies, and their messages of a type that is not known. */
  registrations: number;
  messagesUnknown: number;
  /** Flows of C tcpcopies that made room for newer ones. */
  flowsEvicted: number;
  /** Forgotten because nothing came or went for long. */
  flowsIdle: number;
  /** Reset at the target: their copy did not come back, or intercept ended. */
  flowsReset: number;
  /** RST packets that were injected. */
  resetsInjected: number;
  /** Responses of copied connections, taken from the kernel and dropped there. */
  responses: number;
  responseBytes: number;
  /** Response records that were queued for their copies. */
  responsesReturned: number;
  /** Response records of frames that a copy's full queue did not take. */
  responsesNotReturned: number;
  /** UDP packets to clients of datagrams, taken from the kernel and dropped there. */
  datagramAnswers: number;
  datagramAnswerBytes: number;
  /** ICMP to clients of datagrams: the target has nobody at the port; and any other. */
  datagramsUnreachable: number;
  datagramIcmp: number;
  /** Packets on the queue that are neither of these. */
  responsesMalformed: number;
  /** Responses of no known flow. */
  responsesUnknown: number;
  /** First responses that waited for a REGISTER on its way, and those for which it did not come in time. */
  responsesParked: number;
  responsesUnclaimed: number;
}

export function createInterceptCounters(): InterceptCounters {
  return {
    packetsReceived: 0,
    bytesReceived: 0,
    packetsInjected: 0,
    packetsFailed: 0,
    datagramsReceived: 0,
    datagramsInjected: 0,
    datagramsFailed: 0,
    recordsRefused: Object.fromEntries(REFUSAL_REASONS.map((reason) => [reason, 0])) as Record<RefusalReason, number>,
    flowsOpened: 0,
    flowsResumed: 0,
    flowsReleased: 0,
    registrations: 0,
    messagesUnknown: 0,
    flowsEvicted: 0,
    flowsIdle: 0,
    flowsReset: 0,
    resetsInjected: 0,
    responses: 0,
    responseBytes: 0,
    responsesReturned: 0,
    responsesNotReturned: 0,
    datagramAnswers: 0,
    datagramAnswerBytes: 0,
    datagramsUnreachable: 0,
    datagramIcmp: 0,
    responsesMalformed: 0,
    responsesUnknown: 0,
    responsesParked: 0,
    responsesUnclaimed: 0,
  };
}
