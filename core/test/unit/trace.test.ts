/** What is seen of single sessions from outside. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LOSS_REASONS, TERMINAL_STATES } from '../../src/counters.js';
import {
  TRACE_A,
  TRACE_B,
  TRACE_C,
  TRACE_CLIENT_PORT,
  TRACE_EVENT,
  TRACE_FITS,
  TRACE_ONLINE_PORT,
  type TraceFilter,
} from '../../src/trace/session-trace.js';
import { GATE_REASONS, TRACE_EVENTS } from '../../src/trace/trace-event.js';
import { answerAll } from '../kit/bench-target.js';
import { Client } from '../kit/client.js';
import { Rig } from '../kit/rig.js';

const EVENTS_MAX = 64;

/** The events so far: "PORT name a b c", without what is 0 at the end. */
function events(rig: Rig): string[] {
  const seen: string[] = [];
  rig.engine.trace.drain((record, at) => {
    const name = TRACE_EVENTS[record[at + TRACE_EVENT]!]!;
    const numbers = [record[at + TRACE_A]!, record[at + TRACE_B]!, record[at + TRACE_C]!];
    const words: unknown[] = [record[at + TRACE_CLIENT_PORT], name, ...numbers];
    if (name === 'gateOpened') words.splice(3, 2, GATE_REASONS[numbers[1]!]);
    if (name === 'lost') words.splice(4, 1, LOSS_REASONS[numbers[2]!]);
    if (name === 'ended' || name === 'notCopied') words.splice(2, 3, TERMINAL_STATES[numbers[0]!]);
    while (words.at(-1) === 0) words.pop();
    seen.push(words.join(' '));
    assert.equal(record[at + TRACE_ONLINE_PORT], 80);
  });
  return seen;
}

function rigWith(filter: TraceFilter, config: ConstructorParameters<typeof Rig>[0] = {}, behaviour = answerAll): Rig {
  const rig = new Rig(config, behaviour);
  rig.engine.trace.follow([filter], EVENTS_MAX);
  return rig;
}

function copyOne(rig: Rig, client: Client): void {
  rig.capture(client.syn(), client.acknowledge());
  rig.capture(client.send('one'));
  client.hear(100);
  rig.capture(client.send('twoo'));
  client.hear(100);
  rig.capture(client.fin());
  rig.wait(1000);
}

describe('the trace of a session', () => {
  it('tells it from its SYN to its end, with the reason for each turn that goes', () => {
    const rig = rigWith({});
    copyOne(rig, new Client({ clientPort: 40_000 }));
    assert.deepEqual(events(rig), [
      '40000 sessionMade',
      '40000 synSent 40000',
      '40000 established',
      '40000 turnBegun',
      '40000 gateOpened 0 nothingAwaited',
      '40000 sent 0 3',
      '40000 answered',
      '40000 delivered',
      '40000 turnBegun 1 3',
      '40000 gateOpened 1 answerWhole',
      '40000 sent 3 4',
      '40000 answered 1',
      '40000 delivered 1',
      '40000 clientEnded 1',
      '40000 finSent',
      '40000 targetClosed',
      '40000 ended copied',
    ]);
  });

  it('tells what is lost, and why', () => {
    const rig = new Rig({}, { silent: true });
    rig.engine.trace.follow([{}], EVENTS_MAX);
    const client = new Client();
    rig.capture(client.syn(), client.acknowledge(), client.send('never answered'));
    rig.wait(6000);
    const seen = events(rig).map((event) => event.replace(/^\d+ /, ''));
    assert.ok(seen.some((event) => event.startsWith('timedOut ')));
    assert.ok(seen.some((event) => /^synSent \d+ 1$/.test(event)));
    assert.ok(seen.includes('lost 0 1 noResponse'));
  });

  it('tells of a connection that is not copied', () => {
    const rig = rigWith({}, { sample: { fraction: 1e-9, by: 'connection', seed: 1 } });
    rig.capture(new Client({ clientPort: 40_001 }).syn());
    assert.deepEqual(events(rig), ['40001 notCopied sampledOut']);
  });
});

describe('a filter', () => {
  const cases: readonly [string, TraceFilter, boolean][] = [
    ['of nothing takes all', {}, true],
    ['of the client’s port', { clientPort: 40_000 }, true],
    ['of another port', { clientPort: 40_001 }, false],
    ['of the online port', { onlinePort: 80 }, true],
    ['of another online port', { onlinePort: 81 }, false],
    ['of the target', { target: 'target' }, true],
    ['of another target', { target: 'other' }, false],
    ['of the client’s address', { clientAddress: Uint8Array.of(10, 0, 0, 1) }, true],
    ['of its network', { clientAddress: Uint8Array.of(10, 0, 0, 0), prefixBits: 23 }, true],
    ['of a part of its network', { clientAddress: Uint8Array.of(10, 0, 0, 4), prefixBits: 30 }, false],
    ['of another network', { clientAddress: Uint8Array.of(192, 169, 0, 0), prefixBits: 16 }, false],
    ['of an IPv6 address', { clientAddress: new Uint8Array(16) }, false],
    ['of which one condition does not hold', { clientPort: 40_000, onlinePort: 81 }, false],
  ];
  for (const [name, filter, fits] of cases) {
    it(`${name}: ${fits ? 'fits' : 'does not fit'}`, () => {
      const rig = rigWith(filter);
      copyOne(rig, new Client({ clientPort: 40_000 }));
      assert.equal(events(rig).length > 0, fits);
    });
  }
});

it('each record says which of several filters it fits', () => {
  const rig = new Rig({}, answerAll);
  rig.engine.trace.follow([{ clientPort: 40_000 }, { clientPort: 1 }, { onlinePort: 80 }], EVENTS_MAX);
  copyOne(rig, new Client({ clientPort: 40_000 }));
  copyOne(rig, new Client({ clientPort: 40_001 }));
  const fits = new Map<number, number>();
  rig.engine.trace.drain((record, at) => fits.set(record[at + TRACE_CLIENT_PORT]!, record[at + TRACE_FITS]!));
  assert.deepEqual(
    [...fits],
    [
      [40_000, 0b101],
      [40_001, 0b100],
    ],
  );
});

describe('the ring of events', () => {
  it('is bounded: what finds it full is dropped and counted, and it goes on when it was read', () => {
    const rig = new Rig({}, answerAll);
    rig.engine.trace.follow([{}], 4);
    const client = new Client({ clientPort: 40_000 });
    copyOne(rig, client);
    assert.equal(events(rig).length, 4);
    assert.equal(rig.engine.trace.dropped, 13);
    copyOne(rig, new Client({ clientPort: 40_002 }));
    assert.deepEqual(events(rig)[0], '40002 sessionMade');
  });

  it('is empty while nobody looks', () => {
    const rig = rigWith({});
    rig.engine.trace.follow([], EVENTS_MAX);
    copyOne(rig, new Client());
    assert.deepEqual([events(rig), rig.engine.trace.dropped, rig.engine.trace.isOn], [[], 0, false]);
  });
});
