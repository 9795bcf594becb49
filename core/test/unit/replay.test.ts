/** The replay half alone, state by state. `iss` stands so that sequence numbers cross the sign bit, `irs` so that they wrap. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { add, seq } from '../../src/seq.js';
import {
  CLOSE_WAIT,
  CLOSED,
  CLOSING,
  ESTABLISHED,
  EVENT_ADVANCED,
  EVENT_ANSWERED,
  EVENT_ESTABLISHED,
  EVENT_HALF_OPEN,
  EVENT_NEVER_OPEN,
  EVENT_PEER_FIN,
  EVENT_REFUSED,
  EVENT_RESET,
  EVENT_STRAY,
  EVENT_TAKEN_KNOWN,
  FIN_WAIT_1,
  FIN_WAIT_2,
  LAST_ACK,
  Replay,
  SYN_SENT,
  TIME_WAIT,
} from '../../src/session/replay.js';
import { ACK, FIN, PSH, RST, SYN } from '../../src/wire/tcp.js';
import { type ResponseSegment, recordOf } from '../kit/record.js';

const ISS = 0x7fff_fff0;
const IRS = 0xffff_fff0;
const MSS_MAX = 1460;

class Bench {
  readonly replay = new Replay();
  nowMs = 1000;
  tsNow = 50_000;

  constructor(options: { timestamps?: boolean; windowScale?: boolean; baseOffset?: number } = {}) {
    this.replay.offersTimestamps = options.timestamps ?? false;
    this.replay.offersWindowScale = options.windowScale ?? false;
    this.replay.open(options.baseOffset ?? 0, seq(ISS));
    this.replay.rttStartMs = this.nowMs;
    this.replay.rtoAtMs = this.nowMs + this.replay.rtoMs;
  }

  /** target --segment--> us; numbers are relative to IRS + 1 and ISS + 1. */
  respond(segment: Partial<ResponseSegment> & { isV6?: boolean }): number {
    const { isV6 = false, ...fields } = segment;
    const record = recordOf({
      ...fields,
      seq: (IRS + 1 + (fields.seq ?? 0)) >>> 0,
      ack: (ISS + 1 + (fields.ack ?? 0)) >>> 0,
    });
    return this.replay.receive(record, 0, this.nowMs, this.tsNow, MSS_MAX, isV6);
  }

  synAck(segment: Partial<ResponseSegment> & { isV6?: boolean } = {}): number {
    return this.respond({ flags: SYN | ACK, mss: 1460, ...segment, seq: -1 });
  }

  establish(segment: Partial<ResponseSegment> = {}): this {
    assert.equal(this.synAck(segment), EVENT_ESTABLISHED);
    this.replay.noteAcked();
    return this;
  }

  /** We send `bytes` of the stream at sndNxt. */
  send(bytes: number): this {
    this.replay.noteSent(this.replay.sndNxtOffset, bytes, this.nowMs);
    return this;
  }

  fin(state: number): this {
    this.replay.hasSentFin = true;
    this.replay.noteSent(this.replay.sndMaxOffset, 0, this.nowMs);
    this.replay.state = state;
    return this;
  }
}

describe('SYN-SENT', () => {
  it('takes a SYN-ACK of its own SYN and owes the ACK (RFC 9293 3.10.7.3)', () => {
    const bench = new Bench();
    assert.equal(bench.synAck(), EVENT_ESTABLISHED);
    assert.equal(bench.replay.state, ESTABLISHED);
    assert.equal(bench.replay.rcvNxt, seq(IRS + 1));
    assert.ok(bench.replay.mustAck);
    assert.equal(bench.replay.rtoAtMs, 0);
  });

  it('RST without ACK is ignored (RFC 9293 3.10.7.3)', () => {
    const bench = new Bench();
    assert.equal(bench.respond({ flags: RST }), 0);
    assert.equal(bench.replay.state, SYN_SENT);
  });

  it('RST with the ACK of its SYN refuses', () => {
    assert.equal(new Bench().respond({ flags: RST | ACK }), EVENT_REFUSED);
  });

  it('RST with another ACK is ignored: it belongs to an older connection', () => {
    assert.equal(new Bench().respond({ flags: RST | ACK, ack: -1 }), 0);
    assert.equal(new Bench().respond({ flags: RST | ACK, ack: 1 }), 0);
  });

  it('an ACK of anything else shows a half-open connection (RFC 9293 3.5.1)', () => {
    assert.equal(new Bench().respond({ flags: ACK, ack: 500 }), EVENT_HALF_OPEN);
    assert.equal(new Bench().synAck({ ack: -1 }), EVENT_HALF_OPEN);
  });

  it('a SYN without ACK, a FIN and plain data are ignored', () => {
    const bench = new Bench();
    assert.equal(bench.respond({ flags: SYN }), 0);
    assert.equal(bench.respond({ flags: ACK }), 0);
    assert.equal(bench.respond({ flags: FIN | ACK }), 0);
    assert.equal(bench.replay.state, SYN_SENT);
  });

  it('the timer doubles from 1 s on and stops at 60 s (RFC 6298 2.1, 5.5, 2.5)', () => {
    const bench = new Bench();
    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      bench.replay.timeOut(bench.nowMs);
      waits.push(bench.replay.rtoMs);
    }
    assert.deepEqual(waits, [2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  it('an answer to a repeated SYN is no round-trip sample without timestamps (Karn; RFC 6298 5.7)', () => {
    const bench = new Bench();
    bench.replay.timeOut(bench.nowMs);
    bench.nowMs += 30;
    bench.establish();
    assert.equal(bench.replay.srttMs, -1);
    assert.equal(bench.replay.rtoMs, 3000);
  });

  it('an answer to a repeated SYN is a sample where the timestamp tells which (RFC 7323 4.1)', () => {
    const bench = new Bench({ timestamps: true });
    bench.replay.timeOut(bench.nowMs);
    bench.establish({ tsVal: 1, tsEcr: bench.tsNow - 30 });
    assert.equal(bench.replay.srttMs, 30);
    assert.equal(bench.replay.rtoMs, 200);
  });
});

describe('options of the SYN-ACK', () => {
  const mssOf = (segment: Partial<ResponseSegment> & { isV6?: boolean }, timestamps = false): number => {
    const bench = new Bench({ timestamps });
    bench.synAck(segment);
    return bench.replay.mss;
  };

  it('MSS is the smaller of the target’s and the path’s', () => {
    assert.equal(mssOf({ mss: 1000 }), 1000);
    assert.equal(mssOf({ mss: 9000 }), MSS_MAX);
  });

  it('without MSS 536 octets hold for IPv4 and 1220 for IPv6 (RFC 9293 3.7.1)', () => {
    assert.equal(mssOf({ mss: 0 }), 536);
    assert.equal(mssOf({ mss: 0, isV6: true }), 1220);
  });

  it('an absurd MSS is raised to 48', () => assert.equal(mssOf({ mss: 1 }), 48));

  it('timestamps take their 12 octets of each segment', () => assert.equal(mssOf({ mss: 1460, tsVal: 1 }, true), 1448));

  it('timestamps and window scale count only if our SYN offered them (RFC 7323 2.2, 3.2)', () => {
    const { replay } = new Bench().establish({ tsVal: 1, windowScale: 7 });
    assert.equal(replay.hasTimestamps, false);
    assert.equal(replay.sndWndShift, 0);
  });

  it('timestamps and window scale that the target leaves out are not used', () => {
    const { replay } = new Bench({ timestamps: true, windowScale: true }).establish();
    assert.equal(replay.hasTimestamps, false);
    assert.equal(replay.sndWndShift, 0);
  });

  it('the window of the SYN-ACK is not scaled, later ones are (RFC 7323 2.2)', () => {
    const bench = new Bench({ windowScale: true }).establish({ windowScale: 3, window: 1000 });
    assert.equal(bench.replay.sndWnd, 1000);
    bench.respond({ window: 1000 });
    assert.equal(bench.replay.sndWnd, 8000);
  });

  it('a window scale above 14 is used as 14 (RFC 7323 2.3)', () => {
    const bench = new Bench({ windowScale: true }).establish({ windowScale: 255 });
    bench.respond({ window: 3 });
    assert.equal(bench.replay.sndWnd, 3 << 14);
  });
});

describe('ESTABLISHED', () => {
  it('a repeated SYN-ACK is acknowledged again and nothing else', () => {
    const bench = new Bench().establish();
    assert.equal(bench.synAck(), 0);
    assert.ok(bench.replay.mustAck);
    assert.equal(bench.replay.state, ESTABLISHED);
  });

  it('a SYN in the window is challenged (RFC 5961 4.2)', () => {
    const bench = new Bench().establish();
    assert.equal(bench.respond({ flags: SYN, seq: 100 }), 0);
    assert.ok(bench.replay.mustAck);
  });

  it('a RST with the exact number resets (RFC 5961 3.2)', () => {
    const bench = new Bench().establish();
    bench.respond({ flags: ACK });
    assert.equal(bench.respond({ flags: RST }), EVENT_RESET);
    assert.equal(new Bench().establish().respond({ flags: RST | ACK }), EVENT_RESET | EVENT_TAKEN_KNOWN);
  });

  it('a RST without ACK before any other segment says that the target had forgotten the connection', () => {
    assert.equal(new Bench().establish().respond({ flags: RST }), EVENT_RESET | EVENT_NEVER_OPEN);
    const bench = new Bench().establish().send(100);
    bench.replay.timeOut(bench.nowMs);
    assert.equal(bench.respond({ flags: RST }), EVENT_RESET, 'not when something was sent twice');
  });

  it('a RST elsewhere in the window is challenged, one behind it ignored (RFC 5961 3.2)', () => {
    const bench = new Bench().establish();
    assert.equal(bench.respond({ flags: RST, seq: 1 }), 0);
    assert.ok(bench.replay.mustAck);
    const other = new Bench().establish();
    assert.equal(other.respond({ flags: RST, seq: -1 }), 0);
    assert.equal(other.respond({ flags: RST, seq: 65_535 << 7 }), 0);
    assert.equal(other.replay.mustAck, false);
  });

  it('the ACK of a RST tells what the target had taken', () => {
    const bench = new Bench().establish().send(100);
    assert.equal(bench.respond({ flags: RST | ACK, ack: 100 }), EVENT_RESET | EVENT_TAKEN_KNOWN);
    assert.equal(bench.replay.sndUnaOffset, 100);
    const other = new Bench().establish().send(100);
    assert.equal(other.respond({ flags: RST | ACK, ack: 101 }), EVENT_RESET, 'not when it is of what was never sent');
  });

  it('challenges go out every 500 ms at most (RFC 5961 7)', () => {
    const bench = new Bench().establish();
    bench.respond({ flags: RST, seq: 1 });
    bench.replay.noteAcked();
    bench.nowMs += 499;
    bench.respond({ flags: RST, seq: 1 });
    assert.equal(bench.replay.mustAck, false);
    bench.nowMs += 1;
    bench.respond({ flags: RST, seq: 1 });
    assert.ok(bench.replay.mustAck);
  });

  it('text is counted and owed an acknowledgement', () => {
    const bench = new Bench().establish();
    assert.equal(bench.respond({ flags: ACK | PSH, payloadBytes: 700 }), EVENT_ANSWERED);
    assert.equal(bench.replay.receivedBytes, 700);
    assert.ok(bench.replay.answerPushed);
    assert.equal(bench.replay.rcvNxt, seq(IRS + 701));
  });

  it('text that was had before is acknowledged at once (RFC 9293 3.10.7.4)', () => {
    const bench = new Bench().establish();
    bench.respond({ payloadBytes: 700 });
    bench.replay.noteAcked();
    assert.equal(bench.respond({ payloadBytes: 700 }), 0);
    assert.ok(bench.replay.mustAck);
    assert.equal(bench.replay.receivedBytes, 700);
  });

  it('text that overlaps counts once', () => {
    const bench = new Bench().establish();
    bench.respond({ payloadBytes: 700 });
    bench.respond({ seq: 500, payloadBytes: 700 });
    assert.equal(bench.replay.receivedBytes, 1200);
  });

  it('a gap in what the target sends is taken as received', () => {
    const bench = new Bench().establish();
    assert.equal(bench.respond({ seq: 1448, payloadBytes: 1000 }), EVENT_ANSWERED);
    assert.equal(bench.replay.receivedBytes, 2448);
    assert.equal(bench.replay.rcvNxt, seq(IRS + 1 + 2448));
  });

  it('text beyond the window is challenged and not taken (RFC 9293 3.10.7.4)', () => {
    const bench = new Bench().establish();
    assert.equal(bench.respond({ seq: (65_535 << 7) + 1, payloadBytes: 10 }), 0);
    assert.ok(bench.replay.mustAck);
    assert.equal(bench.replay.receivedBytes, 0);
  });

  it('a keep-alive probe is answered (RFC 9293 3.8.4)', () => {
    const bench = new Bench().establish();
    bench.respond({ payloadBytes: 700 });
    bench.replay.noteAcked();
    assert.equal(bench.respond({ seq: 699 }), 0);
    assert.ok(bench.replay.mustAck);
  });

  it('a keep-alive probe with its octet is answered (RFC 9293 3.8.4)', () => {
    const bench = new Bench().establish();
    bench.respond({ payloadBytes: 700 });
    bench.replay.noteAcked();
    assert.equal(bench.respond({ seq: 699, payloadBytes: 1 }), 0);
    assert.ok(bench.replay.mustAck);
  });

  it('a segment without ACK is dropped', () => {
    const bench = new Bench().establish();
    assert.equal(bench.respond({ flags: PSH, payloadBytes: 10 }), 0);
    assert.equal(bench.replay.receivedBytes, 0);
  });

  it('an acknowledgement of new octets advances, and stops the timer when it is all', () => {
    const bench = new Bench().establish().send(100).send(100);
    assert.ok(bench.replay.rtoAtMs > 0);
    assert.equal(bench.respond({ ack: 100 }), EVENT_ADVANCED);
    assert.ok(bench.replay.rtoAtMs > 0);
    assert.equal(bench.respond({ ack: 200 }), EVENT_ADVANCED);
    assert.equal(bench.replay.rtoAtMs, 0);
  });

  it('an acknowledgement of what was never sent is challenged and its segment dropped (RFC 9293 3.10.7.4)', () => {
    const bench = new Bench().establish().send(100);
    assert.equal(bench.respond({ ack: 101, payloadBytes: 50 }), 0);
    assert.ok(bench.replay.mustAck);
    assert.equal(bench.replay.sndUnaOffset, 0);
    assert.equal(bench.replay.receivedBytes, 0);
  });

  it('an acknowledgement older than any window is challenged and its segment dropped (RFC 5961 5.2)', () => {
    const bench = new Bench().establish().send(100);
    bench.respond({ ack: 100 });
    assert.equal(bench.respond({ ack: 100 - 60_001, payloadBytes: 50 }), 0);
    assert.equal(bench.replay.receivedBytes, 0);
    assert.equal(bench.respond({ ack: 100 - 60_000, payloadBytes: 50 }), EVENT_ANSWERED);
  });

  it('the window is taken from newer segments only (RFC 9293 3.10.7.4, SND.WL1 and SND.WL2)', () => {
    const bench = new Bench().establish().send(200);
    bench.respond({ seq: 0, payloadBytes: 10, window: 5000, ack: 100 });
    assert.equal(bench.replay.sndWnd, 5000);
    bench.respond({ seq: 0, payloadBytes: 10, window: 9000, ack: 99 });
    assert.equal(bench.replay.sndWnd, 5000);
    bench.respond({ seq: 10, window: 7000, ack: 100 });
    assert.equal(bench.replay.sndWnd, 7000);
  });

  it('PAWS: an older timestamp is challenged and its segment dropped (RFC 7323 5.3)', () => {
    const bench = new Bench({ timestamps: true }).establish({ tsVal: 0xffff_fffe, tsEcr: 1 });
    assert.equal(bench.respond({ payloadBytes: 10, tsVal: 3 }), EVENT_ANSWERED, 'the clock wraps');
    bench.replay.noteAcked();
    assert.equal(bench.respond({ seq: 10, payloadBytes: 10, tsVal: 2 }), 0);
    assert.ok(bench.replay.mustAck);
    assert.equal(bench.replay.receivedBytes, 10);
  });

  it('PAWS: after 24 days of silence an older timestamp is believed (RFC 7323 5.5)', () => {
    const bench = new Bench({ timestamps: true }).establish({ tsVal: 5000, tsEcr: 1 });
    bench.nowMs += 24 * 24 * 3600 * 1000;
    assert.equal(bench.respond({ payloadBytes: 10, tsVal: 4000 }), EVENT_ANSWERED);
  });

  it('the timestamp to echo is that of the segment that spans the last acknowledgement (RFC 7323 4.3)', () => {
    const bench = new Bench({ timestamps: true }).establish({ tsVal: 10, tsEcr: 1 });
    bench.respond({ payloadBytes: 10, tsVal: 11 });
    bench.respond({ seq: 10, payloadBytes: 10, tsVal: 12 });
    assert.equal(bench.replay.tsRecent, 11);
  });

  it('a segment that lost its timestamps is taken (our deviation from RFC 7323 3.2)', () => {
    const bench = new Bench({ timestamps: true }).establish({ tsVal: 10, tsEcr: 1 });
    assert.equal(bench.respond({ payloadBytes: 10 }), EVENT_ANSWERED);
  });
});

describe('retransmission', () => {
  it('the timeout follows the samples (RFC 6298 2.2, 2.3) and is 200 ms at least', () => {
    const bench = new Bench();
    bench.nowMs += 400;
    bench.establish();
    assert.equal(bench.replay.srttMs, 400);
    assert.equal(bench.replay.rtoMs, 1200);
    bench.send(100);
    bench.nowMs += 200;
    bench.respond({ ack: 100 });
    // RTTVAR = 3/4 * 200 + 1/4 * 200, SRTT = 7/8 * 400 + 1/8 * 200
    assert.equal(bench.replay.srttMs, 375);
    assert.equal(bench.replay.rttVarMs, 200);
    assert.equal(bench.replay.rtoMs, 1175);
    assert.equal(new Bench().establish().replay.rtoMs, 200);
  });

  it('octets that were sent again give no sample (Karn), and the back-off stays until one comes', () => {
    const bench = new Bench().establish().send(100);
    bench.replay.timeOut(bench.nowMs);
    bench.replay.noteSent(0, 100, bench.nowMs);
    bench.nowMs += 50;
    bench.respond({ ack: 100 });
    assert.equal(bench.replay.rtoMs, 400);
    bench.send(100);
    bench.nowMs += 20;
    bench.respond({ ack: 200 });
    assert.equal(bench.replay.rtoMs, 200);
  });

  it('a timeout goes back to the first unacknowledged octet with one segment (RFC 5681 3.1)', () => {
    const bench = new Bench().establish();
    for (let index = 0; index < 8; index += 1) bench.send(1460);
    bench.replay.timeOut(bench.nowMs);
    assert.equal(bench.replay.sndNxtOffset, 0);
    assert.equal(bench.replay.cwndBytes, 1460);
    assert.equal(bench.replay.ssthreshBytes, 4 * 1460);
    bench.replay.timeOut(bench.nowMs);
    assert.equal(bench.replay.ssthreshBytes, 4 * 1460, 'once for a loss (RFC 5681 4.3)');
  });

  it('the third duplicate acknowledgement retransmits, the second does not (RFC 5681 3.2)', () => {
    const bench = new Bench().establish();
    for (let index = 0; index < 8; index += 1) bench.send(1000);
    bench.respond({});
    bench.respond({});
    assert.equal(bench.replay.mustRetransmit, false);
    bench.respond({});
    assert.ok(bench.replay.mustRetransmit);
    assert.equal(bench.replay.ssthreshBytes, 4000);
    assert.equal(bench.replay.cwndBytes, 4000 + 3 * 1460);
  });

  it('what carries text, moves the window or finds nothing in flight is no duplicate (RFC 5681 2)', () => {
    const bench = new Bench().establish();
    for (let index = 0; index < 5; index += 1) bench.respond({});
    assert.equal(bench.replay.duplicateAcks, 0, 'nothing in flight');
    bench.send(1000);
    for (let index = 0; index < 5; index += 1) bench.respond({ seq: index * 10, payloadBytes: 10 });
    assert.equal(bench.replay.duplicateAcks, 0, 'text');
    for (let index = 0; index < 5; index += 1) bench.respond({ seq: 50, window: 1000 + index });
    assert.equal(bench.replay.duplicateAcks, 0, 'window');
  });

  it('a partial acknowledgement in recovery retransmits the next hole (RFC 6582 3.2)', () => {
    const bench = new Bench().establish();
    for (let index = 0; index < 8; index += 1) bench.send(1000);
    for (let index = 0; index < 3; index += 1) bench.respond({});
    bench.replay.mustRetransmit = false;
    bench.respond({ ack: 3000 });
    assert.ok(bench.replay.mustRetransmit);
    assert.ok(bench.replay.isRecovering);
    bench.replay.mustRetransmit = false;
    bench.respond({ ack: 8000 });
    assert.equal(bench.replay.mustRetransmit, false);
    assert.equal(bench.replay.isRecovering, false);
    assert.equal(bench.replay.cwndBytes, 4000);
  });

  it('duplicates of what a timeout sent again start no fast retransmission and widen nothing (RFC 6582 3.2)', () => {
    const bench = new Bench().establish();
    for (let index = 0; index < 8; index += 1) bench.send(1000);
    bench.replay.timeOut(bench.nowMs);
    const { cwndBytes } = bench.replay;
    for (let index = 0; index < 6; index += 1) bench.respond({});
    assert.equal(bench.replay.mustRetransmit, false);
    assert.equal(bench.replay.cwndBytes, cwndBytes);
    bench.respond({ ack: 1000 });
    assert.equal(bench.replay.mustRetransmit, false);
  });

  it('slow start grows by what is acknowledged, two segments at most (RFC 3465)', () => {
    const bench = new Bench().establish({ mss: 1000 });
    assert.equal(bench.replay.cwndBytes, 10_000, 'RFC 6928');
    for (let index = 0; index < 10; index += 1) bench.send(1000);
    bench.respond({ ack: 1000 });
    assert.equal(bench.replay.cwndBytes, 11_000);
    bench.respond({ ack: 9000 });
    assert.equal(bench.replay.cwndBytes, 13_000);
  });

  it('congestion avoidance adds about a segment in a round trip (RFC 5681 3.1)', () => {
    const bench = new Bench().establish({ mss: 1000 });
    bench.replay.ssthreshBytes = 5000;
    bench.send(1000).respond({ ack: 1000 });
    assert.equal(bench.replay.cwndBytes, 10_100);
  });

  it('after an idle time no more than the initial window goes out (RFC 5681 4.1)', () => {
    const bench = new Bench().establish({ mss: 1000 });
    bench.replay.cwndBytes = 500_000;
    bench.replay.restartAfterIdle();
    assert.equal(bench.replay.cwndBytes, 10_000);
  });
});

describe('a loss probe', () => {
  /** Its handshake took `tripMs`; one segment was acknowledged, and `segments` full ones are in flight. */
  function inFlight(segments: number, tripMs = 0, timestamps = false): Bench {
    const bench = new Bench({ timestamps });
    bench.nowMs += tripMs;
    bench.tsNow += tripMs;
    const tsEcr = (): Partial<ResponseSegment> => (timestamps ? { tsVal: 1, tsEcr: bench.tsNow - tripMs } : {});
    bench.establish({ mss: 1000 + (timestamps ? 12 : 0), ...tsEcr() }).send(1000);
    bench.nowMs += tripMs;
    bench.tsNow += tripMs;
    bench.respond({ ack: 1000, ...tsEcr() });
    for (let index = 0; index < segments; index += 1) bench.send(1000);
    return bench;
  }

  function waitOf({ replay, nowMs }: Bench): number {
    replay.timeProbe(nowMs);
    return replay.probeAtMs === 0 ? 0 : replay.probeAtMs - nowMs;
  }

  function probe(bench: Bench): void {
    const { replay } = bench;
    const waitMs = waitOf(bench);
    bench.nowMs += waitMs;
    bench.tsNow += waitMs;
    replay.noteSent(replay.sndUnaOffset, 1000, bench.nowMs);
    replay.noteProbe(bench.nowMs);
  }

  it('is due after two round trips, or the variance where that is more, 10 ms at least (RFC 8985 7.2)', () => {
    assert.equal(waitOf(inFlight(2)), 10);
    // SRTT = 30, RTTVAR = 3/4 * 15: 30 + 4 * 11.25
    assert.equal(waitOf(inFlight(2, 30)), 75);
    const steady = inFlight(2, 30);
    steady.replay.rttVarMs = 0;
    steady.send(1000);
    assert.equal(waitOf(steady), 60);
  });

  it('of less than two full segments waits for an acknowledgement that is held back (RFC 8985 7.2)', () => {
    assert.equal(waitOf(inFlight(1)), 70);
    assert.equal(waitOf(inFlight(1).send(999)), 70);
    assert.equal(waitOf(inFlight(1).send(1000)), 10);
  });

  it('begins its time anew with new octets that are sent, and with those that are acknowledged (RFC 8985 7.2)', () => {
    const bench = inFlight(3);
    bench.nowMs += 5;
    bench.send(1000);
    assert.equal(waitOf(bench), 10);
    bench.nowMs += 5;
    bench.respond({ ack: 2000 });
    // SRTT = 10 / 8, RTTVAR = 10 / 4
    assert.equal(waitOf(bench), 12);
    bench.respond({ ack: 5000 });
    assert.equal(waitOf(bench), 0);
  });

  it('is none where the timer comes first', () => {
    // SRTT = 150, RTTVAR = 75 * 3/4: both come to 375 ms.
    const bench = inFlight(2, 150);
    assert.equal(bench.replay.rtoMs, 375);
    assert.equal(waitOf(bench), 0);
  });

  it('is none behind a timeout, and in recovery, until all of that is acknowledged (RFC 8985 7.2)', () => {
    const timedOut = inFlight(3);
    timedOut.replay.timeOut(timedOut.nowMs);
    timedOut.replay.noteSent(1000, 1000, timedOut.nowMs);
    timedOut.respond({ ack: 2000 });
    assert.equal(waitOf(timedOut), 0);
    const recovering = inFlight(5);
    for (let index = 0; index < 3; index += 1) recovering.respond({ ack: 1000 });
    recovering.respond({ ack: 2000 });
    recovering.send(1000);
    assert.equal(waitOf(recovering), 0);
    recovering.respond({ ack: 6000 });
    assert.ok(waitOf(recovering) > 0);
  });

  it('is one for what is in flight: new octets bring no second one, an acknowledgement does (RFC 8985 7.3)', () => {
    const bench = inFlight(3);
    probe(bench);
    assert.equal(bench.replay.rtoAtMs, bench.nowMs + bench.replay.rtoMs);
    bench.send(1000);
    assert.equal(waitOf(bench), 0);
    bench.respond({ ack: 2000 });
    assert.equal(waitOf(bench), 10);
  });

  it('that was needed halves the window (RFC 8985 7.4.2, RFC 5681 3.2)', () => {
    const bench = inFlight(8);
    probe(bench);
    bench.respond({ ack: 9000 });
    assert.equal(bench.replay.ssthreshBytes, 4000);
    assert.equal(bench.replay.cwndBytes, 4000 + 250, 'and a fourth of a segment, as acknowledgements grow it');
  });

  it('leaves the window when the acknowledgement is older than it', () => {
    const bench = inFlight(8, 20, true);
    const { cwndBytes, ssthreshBytes } = bench.replay;
    const sentTs = bench.tsNow;
    probe(bench);
    bench.respond({ ack: 3000, tsVal: 2, tsEcr: sentTs });
    assert.equal(bench.replay.ssthreshBytes, ssthreshBytes);
    assert.equal(bench.replay.cwndBytes, cwndBytes + 2000);
    assert.equal(bench.replay.mustRetransmit, false);
    probe(bench);
    bench.respond({ ack: 9000, tsVal: 2, tsEcr: sentTs });
    assert.equal(bench.replay.ssthreshBytes, ssthreshBytes, 'also where it is of all');
  });

  it('whose own acknowledgement says no more brings the next segment, and so on (RFC 6582 3.2)', () => {
    const bench = inFlight(8, 20, true);
    probe(bench);
    bench.nowMs += 20;
    bench.tsNow += 20;
    bench.respond({ ack: 2000, tsVal: 2, tsEcr: bench.tsNow - 20 });
    assert.ok(bench.replay.mustRetransmit);
    assert.ok(bench.replay.isRecovering);
    assert.equal(bench.replay.ssthreshBytes, 4000);
    bench.replay.mustRetransmit = false;
    bench.respond({ ack: 9000, tsVal: 3, tsEcr: bench.tsNow });
    assert.equal(bench.replay.isRecovering, false);
    assert.equal(bench.replay.mustRetransmit, false);
  });

  it('leaves to duplicate acknowledgements what they have begun', () => {
    const bench = inFlight(8);
    probe(bench);
    for (let index = 0; index < 6; index += 1) bench.respond({ ack: 1000 });
    assert.equal(bench.replay.ssthreshBytes, 4000);
    bench.send(1000).send(1000).respond({ ack: 11_000 });
    assert.equal(bench.replay.ssthreshBytes, 4000, 'the window halves once for a loss');
    assert.equal(bench.replay.cwndBytes, 4000);
  });

  it('that is out when the timer runs out says nothing any more', () => {
    const bench = inFlight(8, 20, true);
    probe(bench);
    bench.replay.timeOut(bench.nowMs);
    bench.replay.noteSent(1000, 1000, bench.nowMs);
    bench.respond({ ack: 2000, tsVal: 2, tsEcr: bench.tsNow });
    assert.equal(bench.replay.isRecovering, false);
    assert.equal(bench.replay.mustRetransmit, false);
  });

  it('that is out when the path turns out to be narrow says nothing any more', () => {
    const bench = inFlight(8, 20, true);
    probe(bench);
    bench.replay.narrow(500);
    assert.equal(bench.replay.probeEndOffset, -1);
    assert.equal(bench.replay.probeAtMs, 0);
  });

  it('is forgotten with its connection', () => {
    const waiting = inFlight(2);
    waiting.replay.close();
    assert.equal(waiting.replay.probeAtMs, 0);
    const probed = inFlight(2);
    probe(probed);
    probed.replay.close();
    probed.replay.open(0, seq(ISS));
    assert.equal(probed.replay.probeEndOffset, -1);
  });
});

describe('limited transmit', () => {
  it('lets a segment go for each of the first two duplicate acknowledgements, and leaves the window (RFC 3042 2)', () => {
    const bench = new Bench().establish({ mss: 1000 });
    for (let index = 0; index < 10; index += 1) bench.send(1000);
    const { cwndBytes } = bench.replay;
    assert.equal(bench.replay.usableWindow(), 0);
    bench.respond({});
    assert.equal(bench.replay.usableWindow(), 1000);
    bench.send(1000).respond({});
    assert.equal(bench.replay.usableWindow(), 1000);
    bench.send(1000);
    assert.equal(bench.replay.cwndBytes, cwndBytes);
    bench.respond({});
    assert.equal(bench.replay.ssthreshBytes, 5000, 'what it sent is not in flight (RFC 5681 3.2)');
  });

  it('keeps to the window of the target (RFC 3042 2)', () => {
    const bench = new Bench().establish({ mss: 1000, window: 10_500 });
    bench.respond({ window: 10_500 });
    for (let index = 0; index < 10; index += 1) bench.send(1000);
    bench.respond({ window: 10_500 });
    assert.equal(bench.replay.duplicateAcks, 1);
    assert.equal(bench.replay.usableWindow(), 500);
  });

  it('is none for duplicates of what a timeout sent again', () => {
    const bench = new Bench().establish({ mss: 1000 });
    for (let index = 0; index < 10; index += 1) bench.send(1000);
    bench.replay.timeOut(bench.nowMs);
    bench.respond({});
    bench.respond({});
    assert.equal(bench.replay.usableWindow(), 1000);
  });
});

describe('a closed window', () => {
  it('is no congestion: probes back off, the windows stay as they were (RFC 9293 3.8.6.1)', () => {
    const bench = new Bench().establish().send(1000);
    bench.respond({ ack: 1000, window: 0 });
    const { cwndBytes, ssthreshBytes } = bench.replay;
    for (let probe = 0; probe < 5; probe += 1) {
      bench.replay.timeOut(bench.nowMs);
      bench.replay.noteSent(1000, 1, bench.nowMs);
      bench.replay.sndNxtOffset = 1000;
      bench.respond({ ack: 1000, window: 0 });
    }
    assert.equal(bench.replay.rtoMs, 6400);
    assert.equal(bench.replay.cwndBytes, cwndBytes);
    assert.equal(bench.replay.ssthreshBytes, ssthreshBytes);
    assert.equal(bench.replay.duplicateAcks, 0, 'answers to probes are no duplicates');
  });

  it('that opens takes the back-off of its probes away', () => {
    const bench = new Bench().establish().send(1000);
    bench.respond({ ack: 1000, window: 0 });
    for (let probe = 0; probe < 5; probe += 1) bench.replay.timeOut(bench.nowMs);
    bench.respond({ ack: 1000, window: 4000 });
    assert.equal(bench.replay.rtoMs, 200);
    assert.equal(bench.replay.retransmits, 0);
    assert.equal(bench.replay.usableWindow(), 4000);
  });
});

describe('closing', () => {
  it('FIN-WAIT-1, ACK of our FIN: FIN-WAIT-2, timer off', () => {
    const bench = new Bench().establish().fin(FIN_WAIT_1);
    assert.equal(bench.respond({ ack: 1 }), EVENT_ADVANCED);
    assert.equal(bench.replay.state, FIN_WAIT_2);
    assert.equal(bench.replay.rtoAtMs, 0);
  });

  it('FIN-WAIT-1, FIN with the ACK of ours: TIME-WAIT at once', () => {
    const bench = new Bench().establish().fin(FIN_WAIT_1);
    assert.equal(bench.respond({ ack: 1, flags: FIN | ACK }), EVENT_ADVANCED | EVENT_PEER_FIN);
    assert.equal(bench.replay.state, TIME_WAIT);
    assert.ok(bench.replay.mustAck);
  });

  it('FIN-WAIT-1, FIN that does not acknowledge ours: CLOSING, then TIME-WAIT (simultaneous close, RFC 9293 3.6)', () => {
    const bench = new Bench().establish().fin(FIN_WAIT_1);
    assert.equal(bench.respond({ flags: FIN | ACK }), EVENT_PEER_FIN);
    assert.equal(bench.replay.state, CLOSING);
    assert.ok(bench.replay.rtoAtMs > 0);
    bench.respond({ seq: 1, ack: 1 });
    assert.equal(bench.replay.state, TIME_WAIT);
  });

  it('FIN-WAIT-2 takes text (half-close), then the FIN: TIME-WAIT', () => {
    const bench = new Bench().establish().fin(FIN_WAIT_1);
    bench.respond({ ack: 1 });
    assert.equal(bench.respond({ ack: 1, payloadBytes: 500 }), EVENT_ANSWERED);
    assert.equal(bench.replay.state, FIN_WAIT_2);
    assert.equal(bench.respond({ ack: 1, seq: 500, flags: FIN | ACK }), EVENT_PEER_FIN);
    assert.equal(bench.replay.state, TIME_WAIT);
  });

  it('ESTABLISHED, FIN: CLOSE-WAIT; it counts one octet and is acknowledged', () => {
    const bench = new Bench().establish();
    assert.equal(bench.respond({ flags: FIN | ACK, payloadBytes: 10 }), EVENT_ANSWERED | EVENT_PEER_FIN);
    assert.equal(bench.replay.state, CLOSE_WAIT);
    assert.equal(bench.replay.receivedBytes, 11);
    assert.equal(bench.replay.rcvNxt, seq(IRS + 12));
    assert.ok(bench.replay.mustAck);
  });

  it('LAST-ACK, ACK of our FIN: CLOSED', () => {
    const bench = new Bench().establish();
    bench.respond({ flags: FIN | ACK });
    bench.fin(LAST_ACK);
    bench.respond({ seq: 1, ack: 1 });
    assert.equal(bench.replay.state, CLOSED);
  });

  it('TIME-WAIT, FIN again: acknowledged again (RFC 9293 3.10.7.4)', () => {
    const bench = new Bench().establish().fin(FIN_WAIT_1);
    bench.respond({ ack: 1, flags: FIN | ACK });
    bench.replay.noteAcked();
    assert.equal(bench.respond({ ack: 1, flags: FIN | ACK }), 0);
    assert.ok(bench.replay.mustAck);
  });

  it('text behind the FIN is not taken', () => {
    const bench = new Bench().establish();
    bench.respond({ flags: FIN | ACK });
    assert.equal(bench.respond({ seq: 1, payloadBytes: 10 }), 0);
    assert.equal(bench.replay.receivedBytes, 1);
  });

  it('CLOSED: what holds on to the connection is reset, an acknowledgement or a RST is not (RFC 9293 3.10.7.1)', () => {
    const bench = new Bench().establish();
    bench.replay.close();
    assert.equal(bench.respond({ payloadBytes: 10 }), EVENT_STRAY);
    assert.equal(bench.respond({ flags: FIN | ACK }), EVENT_STRAY);
    assert.equal(bench.synAck(), EVENT_STRAY);
    assert.equal(bench.respond({}), 0);
    assert.equal(bench.respond({ flags: RST | ACK }), 0);
  });
});

describe('sequence numbers', () => {
  it('wrap at 2^32 for what the target sends', () => {
    const bench = new Bench().establish();
    bench.respond({ payloadBytes: 32 });
    assert.equal(bench.replay.rcvNxt, seq(0x11));
    assert.equal(bench.respond({ payloadBytes: 32 }), 0, 'and the one before it is old');
  });

  it('cross 2^31 for what we send', () => {
    const bench = new Bench().establish().send(100);
    assert.equal(bench.replay.seqAt(100), seq(0x8000_0055));
    assert.equal(bench.respond({ ack: 100 }), EVENT_ADVANCED);
  });

  it('follow offsets beyond 4 GB', () => {
    const base = 5 * 2 ** 32 + 12_345;
    const bench = new Bench({ baseOffset: base }).establish();
    assert.equal(bench.replay.seqAt(base), add(seq(ISS), 1));
    assert.equal(bench.replay.seqAt(base + 2 ** 32), add(seq(ISS), 1), 'and come round');
    // The connection has sent 6 GB.
    bench.replay.sndUnaOffset = base + 6e9;
    bench.replay.sndNxtOffset = base + 6e9;
    bench.replay.sndMaxOffset = base + 6e9;
    bench.replay.noteSent(base + 6e9, 1000, bench.nowMs);
    assert.equal(bench.respond({ ack: 6e9 + 600 }), EVENT_ADVANCED);
    assert.equal(bench.replay.sndUnaOffset, base + 6e9 + 600);
    assert.equal(bench.respond({ ack: 6e9 + 1001 }), 0, 'never sent');
  });

  it('stay on their octets when a part of the stream is left out', () => {
    const bench = new Bench().establish().send(100);
    bench.respond({ ack: 100 });
    bench.replay.skipTo(500);
    assert.equal(bench.replay.seqAt(500), seq(ISS + 101));
    bench.send(10);
    assert.equal(bench.respond({ ack: 110 }), EVENT_ADVANCED);
    assert.equal(bench.replay.sndUnaOffset, 510);
  });
});
