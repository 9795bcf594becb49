import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOSS_REASONS, TRACE_EVENTS, type TraceEventName } from '@trafficcopy/core';
import { eventText, sessionText } from '../../src/trace/event-text.js';
import { SessionWatch } from '../../src/trace/session-watch.js';
import { traceRecord } from '../kit/trace-records.js';

const TARGET = '10.0.0.2:8080';
const NO_RESPONSE = LOSS_REASONS.indexOf('noResponse');

class Seen {
  readonly lines: string[] = [];
  readonly watch: SessionWatch;

  constructor(isLossOnly: boolean) {
    this.watch = new SessionWatch({ isLossOnly }, ({ session, text }) => this.lines.push(`${session}  ${text}`));
  }

  take(name: TraceEventName, clientPort: number, a = 0, b = 0, c = 0): void {
    this.watch.take(traceRecord(name, clientPort, a, b, c), 0, TARGET);
  }
}

test('each event is a sentence, with the session that it is of', () => {
  const seen = new Seen(false);
  seen.take('synSent', 40_000, 40_000);
  seen.take('gateOpened', 40_000, 1, 2);
  seen.take('lost', 40_000, 2, 3, NO_RESPONSE);
  assert.deepEqual(seen.lines, [
    '10.0.0.9:40000 > :80 > 10.0.0.2:8080  SYN sent, from port 40000',
    '10.0.0.9:40000 > :80 > 10.0.0.2:8080  gate opened for turn 1: the answer before it is whole',
    '10.0.0.9:40000 > :80 > 10.0.0.2:8080  turns 2 to 4 lost: noResponse',
  ]);
  for (const name of TRACE_EVENTS) assert.doesNotMatch(eventText(traceRecord(name, 1), 0), /undefined/, name);
  assert.equal(sessionText(traceRecord('notCopied', 1), 0, ''), '10.0.0.9:1 > :80');
});

test('with lost a session is silent until it loses something; then it is shown from before', () => {
  const seen = new Seen(true);
  for (const port of [1, 2]) {
    seen.take('synSent', port, port);
    seen.take('turnBegun', port);
  }
  assert.equal(seen.lines.length, 0);
  seen.take('lost', 2, 0, 1, NO_RESPONSE);
  seen.take('ended', 2, 6);
  seen.take('ended', 1, 0);
  assert.deepEqual(
    seen.lines.map((line) => line.replace(/^.*8080 {2}/, '')),
    ['SYN sent, from port 2', 'turn 0 begun, at octet 0', 'turn 0 lost: noResponse', 'ended: targetReset'],
  );
  // The next session of the same client and port is another one.
  seen.take('sessionMade', 2);
  assert.equal(seen.lines.length, 4);
});

test('what is held back is bounded: events of a session, and sessions', () => {
  const seen = new Seen(true);
  for (let turn = 0; turn < 100; turn += 1) seen.take('delivered', 7, turn);
  seen.take('lost', 7, 100, 1, NO_RESPONSE);
  assert.equal(seen.lines.length, 34);
  assert.match(seen.lines[0]!, /\(68 earlier events left out\)/);
  for (let port = 10_000; port < 15_000; port += 1) seen.take('synSent', port, port);
  assert.equal(seen.watch.forgotten, 5000 + 1 - 4096);
});
