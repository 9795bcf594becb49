/**
 * Compares what online and the targets answered to one turn.
 *
 * An answer of HTTP/1 has these fields: `status`, each header by its name, `body`. Any other answer is `body` alone. A body is cut into
 * words (runs of letters, digits, `_`, `-`, `.` and octets above 127) and single octets between them, so that an id or a time that is
 * longer here than there moves nothing; the words are compared one by one.
 *
 * A field, or a word of a body, in which no two of three or more parties agree is noise: a date, an id, a counter. Where some agree, each
 * target that is not with online differs. So noise needs two targets to be told from a difference; with one target every deviation from
 * online is a difference, unless the header is ignored.
 */
import type { Answer } from './answer.js';
import { type HttpHead, readHttpHead } from './http-head.js';

export interface TargetVerdict {
  /** What differs from online: `status`, header names, `body`, `length` (only where not all of it was kept), `answer` (there is none). */
  readonly fields: string[];
  /** Where in online's answer the first of it stands. */
  offset: number;
}

export interface AnswerVerdict {
  readonly targets: readonly TargetVerdict[];
  /** Fields in which no two parties agree. */
  readonly noise: string[];
}

/** A party's answer, read. */
interface Party {
  readonly answer: Answer;
  readonly head: HttpHead | undefined;
  readonly bodyOffset: number;
  /** Where each word begins, and at last where the body ends; empty until it is needed. */
  words: readonly number[];
}

/** Where something stands that only targets have. */
const NOWHERE = Number.MAX_SAFE_INTEGER;
/** Follows from the body, whose length is compared as far as it is no noise. */
const CONTENT_LENGTH = 'content-length';

/**
 * Of answers that are whole as far as they are kept. `ignored` has header names in lower case, or `body` or `length`; without `hasEnds` it is not known where
 * the answers end.
 */
export function compareAnswers(
  online: Answer,
  targets: readonly Answer[],
  ignored: ReadonlySet<string>,
  hasEnds = true,
): AnswerVerdict {
  const verdict: AnswerVerdict = { targets: targets.map(() => ({ fields: [], offset: NOWHERE })), noise: [] };
  if (targets.every((target) => isSame(online, target))) return verdict;
  const parties = [online, ...targets].map(partyOf);
  if (parties.some(({ head }) => head !== undefined)) compareHeads(parties, ignored, verdict);
  const isNoisy = ignored.has('body') || compareBodies(parties, verdict);
  if (!isNoisy && hasEnds && !ignored.has('length')) compareLengths(parties, verdict);
  for (const target of verdict.targets) if (target.offset === NOWHERE) target.offset = 0;
  return verdict;
}

function isSame(a: Answer, b: Answer): boolean {
  if (a.totalBytes !== b.totalBytes || a.haveBytes !== b.haveBytes) return false;
  for (let at = 0; at < a.haveBytes; at += 1) if (a.bytes[at] !== b.bytes[at]) return false;
  return true;
}

function partyOf(answer: Answer): Party {
  const head = readHttpHead(answer.bytes, answer.haveBytes);
  const bodyOffset = head === undefined ? 0 : head.bodyOffset < 0 ? answer.haveBytes : head.bodyOffset;
  return { answer, head, bodyOffset, words: [] };
}

function compareHeads(parties: readonly Party[], ignored: ReadonlySet<string>, verdict: AnswerVerdict): void {
  compareField(
    'status',
    parties.map(({ head }) => head?.statusLine ?? ''),
    parties.map(({ head }) => head?.offset ?? 0),
    verdict,
  );
  // A head that was cut lacks lines, and nobody knows which.
  if (parties.some(({ head, answer }) => head !== undefined && head.bodyOffset < 0 && answer.isCut)) return;
  const names = new Set(parties.flatMap(({ head }) => [...(head?.fields.keys() ?? [])]));
  for (const name of names) {
    if (name === CONTENT_LENGTH || ignored.has(name)) continue;
    const fields = parties.map(({ head }) => head?.fields.get(name));
    compareField(
      name,
      fields.map((field) => field?.value),
      fields.map((field) => field?.offset ?? NOWHERE),
      verdict,
    );
  }
}

/** `values` and `offsets` of online, then of each target. */
function compareField(
  name: string,
  values: readonly (string | undefined)[],
  offsets: readonly number[],
  verdict: AnswerVerdict,
): void {
  if (values.every((value) => value === values[0])) return;
  if (values.length > 2 && new Set(values).size === values.length) {
    verdict.noise.push(name);
    return;
  }
  for (let index = 1; index < values.length; index += 1) {
    if (values[index] === values[0]) continue;
    const offset = offsets[0] === NOWHERE ? offsets[index]! : offsets[0]!;
    addField(verdict.targets[index - 1]!, name, offset);
  }
}

function addField(target: TargetVerdict, name: string, offset: number): void {
  if (!target.fields.includes(name)) target.fields.push(name);
  target.offset = Math.min(target.offset, offset);
}

/** Returns whether words of the bodies are noise. */
function compareBodies(parties: readonly Party[], verdict: AnswerVerdict): boolean {
  if (parties.every((party) => isSameBody(parties[0]!, party))) return false;
  let isNoisy = false;
  for (const party of parties) party.words = wordsOf(party.answer, party.bodyOffset);
  const most = Math.max(...parties.map(({ words }) => words.length - 1));
  for (let index = 0; index < most; index += 1) {
    // What was not kept is not known.
    if (parties.some(({ answer, words }) => answer.isCut && index >= words.length - 1)) break;
    if (parties.length > 2 && isEachAnother(parties, index)) {
      isNoisy = true;
      continue;
    }
    for (let party = 1; party < parties.length; party += 1) {
      if (isSameWord(parties[0]!, parties[party]!, index)) continue;
      const { words } = parties[0]!;
      addField(verdict.targets[party - 1]!, 'body', words[Math.min(index, words.length - 1)]!);
    }
  }
  if (isNoisy) verdict.noise.push('body');
  return isNoisy;
}

function isSameBody(a: Party, b: Party): boolean {
  const length = a.answer.haveBytes - a.bodyOffset;
  if (b.answer.haveBytes - b.bodyOffset !== length || a.answer.isCut !== b.answer.isCut) return false;
  for (let at = 0; at < length; at += 1) {
    if (a.answer.bytes[a.bodyOffset + at] !== b.answer.bytes[b.bodyOffset + at]) return false;
  }
  return true;
}

function isEachAnother(parties: readonly Party[], index: number): boolean {
  for (let a = 0; a < parties.length; a += 1) {
    for (let b = a + 1; b < parties.length; b += 1) if (isSameWord(parties[a]!, parties[b]!, index)) return false;
  }
  return true;
}

/** Beyond the last word a body has empty ones. */
function isSameWord(a: Party, b: Party, index: number): boolean {
  const isThereA = index < a.words.length - 1;
  const isThereB = index < b.words.length - 1;
  if (!isThereA || !isThereB) return isThereA === isThereB;
  const startA = a.words[index]!;
  const startB = b.words[index]!;
  const length = a.words[index + 1]! - startA;
  if (b.words[index + 1]! - startB !== length) return false;
  for (let at = 0; at < length; at += 1) {
    if (a.answer.bytes[startA + at] !== b.answer.bytes[startB + at]) return false;
  }
  return true;
}

/** Of bodies of which some was not kept. */
function compareLengths(parties: readonly Party[], verdict: AnswerVerdict): void {
  if (parties.every(({ answer }) => !answer.isCut)) return;
  if (parties.some(({ head }) => head !== undefined && head.bodyOffset < 0)) return;
  const lengths = parties.map(({ answer, bodyOffset }) => String(answer.totalBytes - bodyOffset));
  const ends = parties.map(({ answer }) => answer.haveBytes);
  compareField('length', lengths, ends, verdict);
}

/** The last word of what was cut may go on, so it is left out. */
function wordsOf(answer: Answer, from: number): number[] {
  const { bytes, haveBytes } = answer;
  const words: number[] = [from];
  for (let at = from + 1; at < haveBytes; at += 1) {
    if (!isWordOctet(bytes[at]!) || !isWordOctet(bytes[at - 1]!)) words.push(at);
  }
  if (haveBytes > from && !answer.isCut) words.push(haveBytes);
  return words;
}

function isWordOctet(octet: number): boolean {
  return (
    (octet >= 97 && octet <= 122) ||
    (octet >= 48 && octet <= 57) ||
    (octet >= 65 && octet <= 90) ||
    octet === 45 ||
    octet === 46 ||
    octet === 95 ||
    octet > 127
  );
}
