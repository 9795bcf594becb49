/**
 * Runs a drill: a script of timed lines for one client, one target and the engine between them.
 *
 *     # What this shows, in a sentence: the name of the test
 *     config wait=false responseTimeoutMs=3000       fields of EngineConfig, before anything else
 *     +0   client S   0:0(0) mss=1460 wscale=7       a packet of the client is captured
 *     +0   sent   S   0:0(0)                         the engine has sent this towards the target, by now
 *     +1   target S.  0:0(0) ack=1 win=60000         the target answers
 *     +0   sent   .   1:1(0) ack=1
 *     +0   silence                                   nothing more was sent
 *     +9   client P.  1:4(3) ack=1 "abc"
 *     +0   sent   P.  1:4(3) ack=1 "abc"
 *     +0   sent   release                            intercept is told that the flow is over
 *     +0   target taken                              intercept's word: the flow is another copy's; or `unknown`
 *     +0   settings endpoints=bc                      the target has these endpoints now, each a letter; `none`: it has none.
 *                                                     At first it has `a`. Or: `mapped=false`, `paused=true`
 *     +0   ledger turnsDelivered=1 terminal.copied=1
 *
 * A line begins with the milliseconds that pass before it; timers run meanwhile. `flags first:end(bytes)` is as in tcpdump:
 * S SYN, F FIN, R RST, P PSH, . ACK. Numbers are relative: the client's to its first SYN (`iss=` on a SYN starts another),
 * those of what is sent to the SYN of the same session, the target's to its own last SYN. Everything that is sent must be expected,
 * in order, before the next line that is not `sent`, and it must have been sent since the line before: a retransmission
 * that comes too early or late fails. `age=11` on a segment of the target with `ts=`: it echoes our timestamp of 11 ms ago. The engine's timers have a grain of 2 ms, at even times. Octets that are no
 * text: `hex=1603`. `port=` on a SYN: kept or other; `to=`: the
 * letter of the endpoint that a packet goes to.
 */
import assert from 'node:assert/strict';
import { RECORD_RELEASE, REPLAY_RECORD_HEADER_BYTES } from '../../src/batch/replay-batch.js';
import { RESPONSE_EVENT_FLOW_TAKEN, RESPONSE_EVENT_TARGET_UNKNOWN } from '../../src/batch/response-record.js';
import { Engine } from '../../src/engine.js';
import type { EngineConfig } from '../../src/engine-config.js';
import { readU16, readU32 } from '../../src/wire/bytes.js';
import { PacketHeader, parsePacket } from '../../src/wire/packet-header.js';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.js';
import { parseTcpOptions, TcpOptions } from '../../src/wire/tcp-options.js';
import { ENDPOINT, mappingTo, targetAt } from './engine-setup.js';
import { recordOf, responseBatchOf } from './record.js';
import { CONFIG } from './rig.js';
import { batchOf, packetOf, TEMPLATE, textOf } from './segment.js';

const CLIENT_ISS = 0xffff_ff00;
const ONLINE_ISS = 0x7fff_ff80;
const TARGET_ISS = 0xffff_fff0;
const FLAG_LETTERS: readonly (readonly [string, number])[] = [
  ['S', SYN],
  ['F', FIN],
  ['R', RST],
  ['P', PSH],
  ['.', ACK],
];

interface SentPacket {
  readonly atMs: number;
  readonly description: string;
  readonly text: string;
  readonly port: string;
  readonly endpoint: string;
  readonly fields: ReadonlyMap<string, number>;
}

interface DrillSegment {
  readonly flags: number;
  readonly first: number;
  readonly bytes: number;
  readonly fields: ReadonlyMap<string, number>;
  readonly text: string | undefined;
  readonly octets: Uint8Array | undefined;
  readonly port: string | undefined;
  readonly endpoint: string | undefined;
}

export class Drill {
  readonly name: string;
  readonly #lines: readonly string[];
  #engine!: Engine;
  #nowMs = 1000;
  #lineMs = 1000;
  #sent: SentPacket[] = [];
  #clientIss = CLIENT_ISS;
  #sessionId = 0;
  /** What our timestamp clock showed at time 0. */
  #tsBase = 0;
  /** Initial sequence numbers of the engine's sessions, by id. */
  readonly #engineIss = new Map<number, number>();
  #where = '';

  constructor(script: string) {
    this.#lines = script.split('\n');
    this.name = this.#lines[0]!.replace(/^#\s*/, '');
  }

  run(): void {
    const config: Record<string, unknown> = {};
    for (const [index, raw] of this.#lines.entries()) {
      const line = raw.replace(/#.*$/, '').trim();
      if (line === '') continue;
      this.#where = `line ${index + 1}: ${line}`;
      if (line.startsWith('config ')) {
        for (const pair of line.slice(7).split(/\s+/)) {
          const [key, value] = pair.split('=') as [string, string];
          config[key] = JSON.parse(value);
        }
        continue;
      }
      this.#engine ??= new Engine({ ...CONFIG, ...(config as Partial<EngineConfig>) }, this.#nowMs);
      this.#step(line);
    }
    this.#expectSilence();
  }

  #step(line: string): void {
    const match = /^\+(\d+)\s+(\w+)\s*(.*)$/.exec(line);
    if (match === null) throw new Error(`not a drill line: ${this.#where}`);
    const [, wait, party, rest] = match as unknown as [string, string, string, string];
    if (party !== 'sent') this.#expectSilence();
    this.#lineMs = this.#nowMs;
    this.#pass(Number(wait));
    if (party === 'client') this.#captureClient(parseSegment(rest, this.#where));
    else if (party === 'target') this.#respond(rest);
    else if (party === 'sent') this.#expectSent(rest);
    else if (party === 'silence') this.#expectSilence();
    else if (party === 'settings') this.#changeSettings(rest);
    else if (party === 'ledger') this.#expectLedger(rest);
    else throw new Error(`no such party: ${this.#where}`);
  }

  /** Time passes; timers run when they are due. */
  #pass(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const deadlineMs = this.#engine.nextDeadlineMs();
      if (deadlineMs > end) break;
      this.#nowMs = Math.max(this.#nowMs, deadlineMs);
      this.#engine.advance(this.#nowMs);
      this.#collect();
    }
    this.#nowMs = end;
  }

  #captureClient(segment: DrillSegment): void {
    const { flags, first, bytes, fields } = segment;
    if (fields.has('iss')) this.#clientIss = CLIENT_ISS + fields.get('iss')!;
    const optional = {
      ...(fields.has('mss') ? { mss: fields.get('mss')! } : {}),
      ...(fields.has('wscale') ? { windowScale: fields.get('wscale')! } : {}),
      ...(fields.has('ts') ? { tsVal: fields.get('ts')! } : {}),
    };
    const packet = packetOf({
      ...TEMPLATE,
      flags,
      seq: (this.#clientIss + first) >>> 0,
      ack: flags & ACK ? (ONLINE_ISS + (fields.get('ack') ?? 0)) >>> 0 : 0,
      text: segment.octets ?? textOf(segment.text ?? 'x'.repeat(bytes)),
      ...optional,
    });
    this.#engine.ingestCaptured(batchOf([packet]), this.#nowMs);
    this.#collect();
  }

  #respond(rest: string): void {
    let record: Uint8Array;
    if (rest === 'taken' || rest === 'unknown') {
      const event = rest === 'taken' ? RESPONSE_EVENT_FLOW_TAKEN : RESPONSE_EVENT_TARGET_UNKNOWN;
      record = recordOf({ sessionId: this.#sessionId, event });
    } else {
      const { flags, first, bytes, fields } = parseSegment(rest, this.#where);
      record = recordOf({
        sessionId: this.#sessionId,
        flags,
        seq: (TARGET_ISS + first) >>> 0,
        ack: flags & ACK ? (this.#engineIss.get(this.#sessionId)! + (fields.get('ack') ?? 0)) >>> 0 : 0,
        window: fields.get('win') ?? 60_000,
        payloadBytes: bytes,
        mss: fields.get('mss') ?? (flags & SYN ? 1460 : 0),
        ...(fields.has('wscale') ? { windowScale: fields.get('wscale')! } : {}),
        ...(fields.has('ts') ? { tsVal: fields.get('ts')!, tsEcr: this.#echoOf(fields) } : {}),
      });
    }
    this.#engine.ingestResponses(0, responseBatchOf([record]), this.#nowMs);
    this.#collect();
  }

  /** `ecr` as it stands, or our timestamp of `age` ms ago. */
  #echoOf(fields: ReadonlyMap<string, number>): number {
    const age = fields.get('age');
    return age === undefined ? (fields.get('ecr') ?? 0) : (this.#tsBase + this.#nowMs - age) >>> 0;
  }

  #changeSettings(rest: string): void {
    const [name, value] = rest.split('=') as [string, string];
    const letters = value === 'none' ? '' : value;
    if (name === 'paused') this.#engine.setPaused(value === 'true', this.#nowMs);
    else if (name === 'mapped') this.#engine.setMappings(value === 'true' ? CONFIG.mappings : [], this.#nowMs);
    else if (name === 'endpoints') {
      const endpoints = [...letters].map((letter) => ({ address: addressOf(letter) }));
      this.#engine.setMappings([mappingTo(targetAt('target', ...endpoints))], this.#nowMs);
    } else throw new Error(`no such setting: ${this.#where}`);
    this.#collect();
  }

  /** Reads what the engine has sent since the last call. */
  #collect(): void {
    const batch = this.#engine.outputs[0]!;
    for (let at = batch.headroomBytes; at < batch.length; ) {
      const id = readU32(batch.bytes, at);
      const bytes = readU16(batch.bytes, at + 4);
      const kind = batch.bytes[at + 6]!;
      const packetAt = at + REPLAY_RECORD_HEADER_BYTES;
      if (kind === RECORD_RELEASE) this.#note('release', '', '', '', new Map());
      else this.#describe(id, batch.bytes.slice(packetAt, packetAt + bytes));
      at = packetAt + ((bytes + 3) & ~3);
    }
    batch.clear();
  }

  #describe(id: number, packet: Uint8Array): void {
    const header = new PacketHeader();
    assert.equal(parsePacket(packet, 0, packet.length, packet.length, header), 'ok', this.#where);
    const options = new TcpOptions();
    parseTcpOptions(packet, header.optionsOffset, header.payloadOffset, options);
    if (header.flags & SYN) {
      this.#engineIss.set(id, header.seq >>> 0);
      this.#sessionId = id;
    }
    if (options.hasTimestamps) this.#tsBase = options.tsVal - this.#nowMs;
    const first = (header.seq - this.#engineIss.get(id)!) | 0;
    const bytes = header.payloadBytes;
    const letters = FLAG_LETTERS.filter(([, bit]) => header.flags & bit).map(([letter]) => letter);
    const ack = header.flags & ACK ? ` ack=${(header.ack - TARGET_ISS) | 0}` : '';
    const fields = new Map([
      ['mss', options.mss],
      ['wscale', options.windowScale],
      ['ts', options.hasTimestamps ? 1 : 0],
      ['win', header.window],
    ]);
    const port = header.sourcePort === TEMPLATE.clientPort ? 'kept' : 'other';
    const text = new TextDecoder().decode(packet.subarray(header.payloadOffset));
    this.#note(`${letters.join('')} ${first}:${first + bytes}(${bytes})${ack}`, text, port, letterOf(packet), fields);
  }

  #note(description: string, text: string, port: string, endpoint: string, fields: ReadonlyMap<string, number>): void {
    this.#sent.push({ atMs: this.#nowMs, description, text, port, endpoint, fields });
  }

  #expectSent(rest: string): void {
    const packet = this.#sent.shift();
    assert.ok(packet !== undefined, `nothing was sent: ${this.#where}`);
    if (rest === 'release') {
      assert.equal(packet.description, 'release', this.#where);
      return;
    }
    const segment = parseSegment(rest, this.#where);
    const letters = FLAG_LETTERS.filter(([, bit]) => segment.flags & bit).map(([letter]) => letter);
    const ack = segment.fields.has('ack') ? ` ack=${segment.fields.get('ack')}` : '';
    const wanted = `${letters.join('')} ${segment.first}:${segment.first + segment.bytes}(${segment.bytes})${ack}`;
    assert.equal(packet.description, wanted, this.#where);
    if (segment.text !== undefined) assert.equal(packet.text, segment.text, this.#where);
    if (segment.port !== undefined) assert.equal(packet.port, segment.port, this.#where);
    if (segment.endpoint !== undefined) assert.equal(packet.endpoint, segment.endpoint, this.#where);
    for (const [key, value] of segment.fields) {
      if (key !== 'ack') assert.equal(packet.fields.get(key), value, `${key} in ${this.#where}`);
    }
    assert.ok(packet.atMs >= this.#lineMs, `sent ${this.#lineMs - packet.atMs} ms too early: ${this.#where}`);
  }

  #expectSilence(): void {
    assert.deepEqual(
      this.#sent.map((packet) => packet.description),
      [],
      `sent and not expected: ${this.#where}`,
    );
  }

  #expectLedger(rest: string): void {
    for (const pair of rest.split(/\s+/)) {
      const [path, value] = pair.split('=') as [string, string];
      const found = path.split('.').reduce<unknown>((from, key) => {
        if (from === this.#engine.counters && key in this.#engine) return this.#engine[key as keyof Engine];
        return (from as Record<string, unknown>)[key];
      }, this.#engine.counters);
      assert.equal(found, Number(value), `${path}: ${this.#where}`);
    }
  }
}

function parseSegment(text: string, where: string): DrillSegment {
  const match = /^([SFRP.]+)\s+(\d+):(\d+)\((\d+)\)\s*([^"]*)(?:"(.*)")?$/.exec(text);
  if (match === null) throw new Error(`not a segment: ${where}`);
  const [, letters, first, end, bytes, pairs, quoted] = match as unknown as string[];
  const fields = new Map<string, number>();
  let port: string | undefined;
  let endpoint: string | undefined;
  let octets: Uint8Array | undefined;
  for (const pair of pairs!.split(/\s+/).filter((each) => each !== '')) {
    const [key, value] = pair.split('=') as [string, string];
    if (key === 'port') port = value;
    else if (key === 'to') endpoint = value;
    else if (key === 'hex') octets = Uint8Array.from(Buffer.from(value, 'hex'));
    else fields.set(key, Number(value));
  }
  assert.equal(Number(end) - Number(first), Number(bytes), where);
  if (quoted !== undefined) assert.equal(quoted.length, Number(bytes), where);
  const flags = FLAG_LETTERS.reduce((sum, [letter, bit]) => (letters!.includes(letter) ? sum | bit : sum), 0);
  return { flags, first: Number(first), bytes: Number(bytes), fields, text: quoted, octets, port, endpoint };
}

/** The endpoint `a` is that of the configuration; the next letters have the next addresses. */
function addressOf(letter: string): Uint8Array {
  const address = ENDPOINT.address.slice();
  address[3]! += letter.charCodeAt(0) - 'a'.charCodeAt(0);
  return address;
}

function letterOf(packet: Uint8Array): string {
  return String.fromCharCode('a'.charCodeAt(0) + packet[19]! - ENDPOINT.address[3]!);
}
