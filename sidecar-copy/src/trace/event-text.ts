/** Makes text of the engine's trace records, in the words of docs/session.md. */
import {
  formatIpAddress,
  GATE_REASONS,
  type GateReason,
  LOSS_REASONS,
  TERMINAL_STATES,
  TRACE_A,
  TRACE_ADDRESS,
  TRACE_ADDRESS_BYTES,
  TRACE_B,
  TRACE_C,
  TRACE_CLIENT_PORT,
  TRACE_COPY,
  TRACE_EVENT,
  TRACE_EVENTS,
  TRACE_ONLINE_PORT,
  type TraceEventName,
} from '@trafficcopy/core';

const GATE_TEXTS: Readonly<Record<GateReason, string>> = {
  nothingAwaited: 'online had answered nothing before it',
  noWait: 'nothing is waited for (-W)',
  answerWhole: 'the answer before it is whole',
  pushTrusted: 'PSH ends the answers of this target',
  quiet: 'nothing more of the answer came',
  answeredBefore: 'it had been answered before',
  targetClosed: 'the target closes: more will not come',
};

type Numbers = readonly [a: number, b: number, c: number];

const TEXTS: Readonly<Record<TraceEventName, (numbers: Numbers) => string>> = {
  notCopied: ([a]) => `not copied: ${TERMINAL_STATES[a]}`,
  sessionMade: ([a]) => (a === 0 ? 'session made' : `session made, joins at turn ${a}`),
  turnBegun: ([a, b]) => `turn ${a} begun, at octet ${b}`,
  synSent: ([a, b]) => (b === 0 ? `SYN sent, from port ${a}` : `SYN sent again (${b}), from port ${a}`),
  established: ([a]) => (a < 0 ? 'ESTABLISHED' : `ESTABLISHED, round trip ${a} ms`),
  gateOpened: ([a, b]) => `gate opened for turn ${a}: ${GATE_TEXTS[GATE_REASONS[b]!]}`,
  sent: ([a, b]) => `sent ${octets(b)} from octet ${a}`,
  retransmitted: ([a, b]) => `retransmitted ${octets(b)} from octet ${a}`,
  timedOut: ([a]) => `retransmission timer: nothing acknowledged for ${Math.round(a)} ms`,
  answered: ([a]) => `turn ${a} answered: first octets`,
  delivered: ([a]) => `turn ${a} delivered`,
  lost: ([a, b, c]) => `${b === 1 ? `turn ${a}` : `turns ${a} to ${a + b - 1}`} lost: ${LOSS_REASONS[c]}`,
  targetClosed: () => 'target closed (FIN)',
  targetReset: () => 'target reset (RST)',
  targetRefused: () => 'target refused (RST to the SYN)',
  freshConnection: ([a]) => `goes on over a fresh connection (${a})`,
  clientEnded: ([a]) => (a === 1 ? 'client closed (FIN)' : 'client reset, or silent'),
  finSent: () => 'FIN sent',
  resetSent: () => 'RST sent',
  ended: ([a]) => `ended: ${TERMINAL_STATES[a]}`,
};

function octets(count: number): string {
  return count === 1 ? '1 octet' : `${count} octets`;
}

/** What happened. */
export function eventText(record: Float64Array, at: number): string {
  const name = TRACE_EVENTS[record[at + TRACE_EVENT]!]!;
  return TEXTS[name]([record[at + TRACE_A]!, record[at + TRACE_B]!, record[at + TRACE_C]!]);
}

/** Whose session it is: `10.0.0.9:40000 > :80 > 10.0.0.2:8080`, ` #2` for the second copy (-n). The same for all events of a session. */
export function sessionText(record: Float64Array, at: number, target: string): string {
  const bytes = new Uint8Array(record[at + TRACE_ADDRESS_BYTES]!);
  const view = new DataView(bytes.buffer);
  for (let word = 0; word < bytes.length / 4; word += 1) view.setUint32(word * 4, record[at + TRACE_ADDRESS + word]!);
  const address = formatIpAddress(bytes);
  const client = `${address.includes(':') ? `[${address}]` : address}:${record[at + TRACE_CLIENT_PORT]}`;
  const copy = record[at + TRACE_COPY]!;
  return `${client} > :${record[at + TRACE_ONLINE_PORT]}${target === '' ? '' : ` > ${target}`}${copy === 0 ? '' : ` #${copy + 1}`}`;
}
