import {
  asJsonObject,
  choiceField,
  countField,
  countsField,
  encodeJson,
  itemsField,
  parseJson,
  plainText,
  textField,
  wholeCount,
  wholeCounts,
} from './json-payload.js';

/** intercept --STATS--> operator, at every change and every second. */
export interface InterceptReport {
  readonly kind: 'intercept';
  /** Of the settings in force; 0 before the first. */
  readonly revision: number;
  /** Every network namespace that holds, or may hold, something of ours. Empty: the node is as it was found. */
  readonly pods: readonly InterceptPodReport[];
  readonly flows: number;
  readonly packetsInjected: number;
  readonly responses: number;
  /** Responses that the full queue did not take. */
  readonly queueDrops: number;
  readonly recordsRefused: { readonly [reason: string]: number };
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export interface InterceptPodReport {
  /** Of the pod; for a leftover whose pod is not known, `netns:INODE`. */
  readonly uid: string;
  readonly state: 'preparing' | 'serving' | 'leaving' | 'failed';
  /** For people: why it failed, or what it waits for. */
  readonly message: string;
}

/** What a report holds at most; the writer leaves out what is beyond. So it always fits in a frame. */
export const INTERCEPT_REPORT_LIMITS = { pods: 1024, counts: 64 } as const;

const UID_LENGTH_MAX = 64;
const MESSAGE_LENGTH_MAX = 240;
const POD_STATES = ['preparing', 'serving', 'leaving', 'failed'] as const;

/** The payload of a STATS frame of an intercept. Numbers become whole, texts plain, lists and texts are cut at the limits. */
export function encodeInterceptReport(report: InterceptReport): Uint8Array {
  return encodeJson({
    kind: report.kind,
    revision: wholeCount(report.revision),
    pods: report.pods.slice(0, INTERCEPT_REPORT_LIMITS.pods).map(({ uid, state, message }) => ({
      uid: plainText(uid, UID_LENGTH_MAX),
      state,
      message: plainText(message, MESSAGE_LENGTH_MAX),
    })),
    flows: wholeCount(report.flows),
    packetsInjected: wholeCount(report.packetsInjected),
    responses: wholeCount(report.responses),
    queueDrops: wholeCount(report.queueDrops),
    recordsRefused: wholeCounts(report.recordsRefused, INTERCEPT_REPORT_LIMITS.counts),
    cpuUs: wholeCount(report.cpuUs),
    rssBytes: wholeCount(report.rssBytes),
  });
}

/** Undefined when the payload is no report, or goes beyond a limit. */
export function parseInterceptReport(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): InterceptReport | undefined {
  const object = parseJson(bytes, offset, length);
  if (object?.['kind'] !== 'intercept') return undefined;
  const count = (key: string): number | undefined => countField(object, key, Number.MAX_SAFE_INTEGER);
  const [revision, flows, packetsInjected] = [count('revision'), count('flows'), count('packetsInjected')];
  const [responses, queueDrops, cpuUs, rssBytes] = ['responses', 'queueDrops', 'cpuUs', 'rssBytes'].map(count);
  const pods = itemsField(object, 'pods', INTERCEPT_REPORT_LIMITS.pods, readPod);
  const recordsRefused = countsField(object, 'recordsRefused', INTERCEPT_REPORT_LIMITS.counts);
  if (revision === undefined || flows === undefined || packetsInjected === undefined) return undefined;
  if (responses === undefined || queueDrops === undefined || cpuUs === undefined) return undefined;
  if (rssBytes === undefined || pods === undefined || recordsRefused === undefined) return undefined;
  const traffic = { flows, packetsInjected, responses, queueDrops, recordsRefused };
  return { kind: 'intercept', revision, pods, ...traffic, cpuUs, rssBytes };
}

function readPod(item: unknown): InterceptPodReport | undefined {
  const object = asJsonObject(item);
  const uid = object && textField(object, 'uid', UID_LENGTH_MAX);
  const state = object && choiceField(object, 'state', POD_STATES);
  const message = object && textField(object, 'message', MESSAGE_LENGTH_MAX);
  return !uid || !state || message === undefined ? undefined : { uid, state, message };
}
