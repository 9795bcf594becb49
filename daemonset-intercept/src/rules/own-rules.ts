/**
 * The rules of one intercept, as arguments of iptables, in the order in which they must stand. They all go to the heads of
 * their chains: an ACCEPT of somebody else before them would let a response out.
 *
 * Those of the mangle table classify and catch. Those of the raw table keep copied connections away from connection tracking, and
 * with it from address translation: a service mesh's or container engine's REDIRECT or DNAT in the namespace would
 * otherwise lead them to another socket than the target's.
 */
import {
  type AddressRange,
  EXPERIMENT_ID,
  IPV4_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  OPTION_EXPERIMENT,
} from '@trafficcopy/core';
import { answerRules, untrackedAnswerRules } from './datagram-rules.js';
import { type WireTraffic, wireRules } from './wire-rules.js';
import type { WorkerSlot } from './worker-slot.js';

export interface OwnRule {
  readonly chain: 'PREROUTING' | 'OUTPUT';
  readonly spec: string;
}

export interface OwnRulesOptions {
  readonly family: 4 | 6;
  /** Owner: letters, digits, dots, dashes and underscores. */
  readonly instance: string;
  readonly slot: WorkerSlot;
  /** Match our ExID too, not only the option kind; false where the kernel has no string match. */
  readonly matchExperimentId: boolean;
  /** Copied by C tcpcopies, which mark nothing. */
  readonly wire?: WireTraffic | undefined;
  /** Addresses of the clients of datagrams (--udp-clients); empty: none are taken. */
  readonly udpClients?: readonly AddressRange[] | undefined;
  /**
   * Whether what names no slot is this one's: packets of Direct delivery, and answers to datagrams. Of several workers' one has to take
   * them. Default: it is.
   */
  readonly takesUnmarked?: boolean | undefined;
}

/** TCP headers with options are at most 60 octets, of which 20 come before the options. */
const OPTIONS_START = 20;
const OPTIONS_END = 60;

export function mangleRules(options: OwnRulesOptions): OwnRule[] {
  const { instance, slot } = options;
  const mark = hex(slot.mark);
  const owner = `-m comment --comment "${ownerComment(instance)}"`;
  const responses = `-p tcp -m mark --mark ${mark}`;
  const injected = `-i lo -p tcp -m mark --mark ${hex(slot.injectionMark)}`;
  return [
    ...unmarked(options, owner),
    // Tunnel: what the raw sockets sent has come through lo; the socket that it opens gets the mark (tcp_fwmark_accept).
    { chain: 'PREROUTING', spec: `${injected} ${owner} -j MARK --set-mark ${mark}` },
    // Direct: the copy marks its packets with a TCP option of ours.
    ...direct(options, `${owner} -j MARK --set-mark ${mark}`),
    // No --queue-bypass: while nobody reads the queue, responses of copied connections are dropped.
    { chain: 'OUTPUT', spec: `${responses} ${owner} -j NFQUEUE --queue-num ${slot.queueNumber}` },
    ...answerRules(takesUnmarked(options) ? udpClients(options) : [], options.family, slot.queueNumber, owner),
  ];
}

/** In the order in which packets meet them: what is untracked once stays so, also through `lo`. */
export function rawRules(options: OwnRulesOptions): OwnRule[] {
  const { instance, slot } = options;
  const owner = `-m comment --comment "${ownerComment(instance)}"`;
  const marked = (mark: number, protocol = 'tcp'): string => `-p ${protocol} -m mark --mark ${hex(mark)}`;
  const ranges = udpClients(options);
  const wire = unmarked(options, owner);
  const untracked = (match: string): string => `${match} ${owner} -j CT --notrack`;
  return [
    ...wire,
    ...(wire.length > 0 ? [{ chain: 'PREROUTING' as const, spec: untracked(marked(slot.mark)) }] : []),
    { chain: 'OUTPUT', spec: untracked(marked(slot.injectionMark)) },
    { chain: 'OUTPUT', spec: untracked(marked(slot.mark)) },
    ...(ranges.length > 0 ? [{ chain: 'OUTPUT' as const, spec: untracked(marked(slot.injectionMark, 'udp')) }] : []),
    ...untrackedAnswerRules(takesUnmarked(options) ? ranges : [], options.family, owner),
    ...direct(options, `${owner} -j CT --notrack`),
  ];
}

/** Packets of Direct delivery by C programs. */
function unmarked({ family, slot, wire }: OwnRulesOptions, owner: string): OwnRule[] {
  return wire === undefined || family === 6 ? [] : wireRules(wire, hex(slot.mark), owner);
}

/** What is done with packets of Direct delivery, where they are ours. */
function direct(options: OwnRulesOptions, rest: string): OwnRule[] {
  return takesUnmarked(options) ? [{ chain: 'PREROUTING', spec: `${copiedByCopy(options)} ${rest}` }] : [];
}

function takesUnmarked(options: OwnRulesOptions): boolean {
  return options.takesUnmarked ?? true;
}

function udpClients(options: OwnRulesOptions): readonly AddressRange[] {
  return options.udpClients ?? [];
}

/** Packets of Direct delivery: with our TCP option. */
function copiedByCopy({ family, matchExperimentId }: OwnRulesOptions): string {
  const option = `-p tcp -m tcp --tcp-option ${OPTION_EXPERIMENT}`;
  if (!matchExperimentId) return option;
  const ip = family === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES;
  // Kind 253, 4 octets, ExID. It can stand anywhere among the options; payload beyond them is not searched.
  const octets = [OPTION_EXPERIMENT, 4, EXPERIMENT_ID >> 8, EXPERIMENT_ID & 255];
  const text = octets.map((octet) => octet.toString(16).padStart(2, '0')).join('');
  return `${option} -m string --hex-string "|${text}|" --algo bm --from ${ip + OPTIONS_START} --to ${ip + OPTIONS_END}`;
}

/** Who owns a rule; the comment of every rule that is installed. */
export function ownerComment(instance: string): string {
  return `trafficcopy:${instance}`;
}

export function hex(mark: number): string {
  return `0x${mark.toString(16)}`;
}
