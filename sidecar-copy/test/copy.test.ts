import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IpAddress, type MappingConfig, parseIpAddress } from '@trafficcopy/core';
import { ChannelError } from '@trafficcopy/runtime';
import type { Copy } from '../src/copy.js';
import { copyStatus } from '../src/copy-status.js';
import { COPY_CONFIG, CopySurroundings } from './kit/copy-surroundings.js';

const address = (text: string): IpAddress => parseIpAddress(text)!;

test('the filter is checked before anything is opened, a condition of the user by itself first', () => {
  const around = new CopySurroundings();
  around.open({ filter: 'not net 10.9.0.0/16' });
  assert.equal(around.calls[0], 'check not net 10.9.0.0/16');
  assert.match(around.calls[1]!, /^check .*tcp dst port 80/);
  assert.equal(around.calls[2], 'open source');
});

test('what cannot be opened leaves nothing open behind', () => {
  const around = new CopySurroundings();
  around.senderError = new Error('no raw socket');
  assert.throws(() => around.open({ delivery: 'direct' }), /no raw socket/);
  assert.deepEqual(around.calls, []);
  const blind = new CopySurroundings();
  blind.sourceError = new Error('no packet socket');
  assert.throws(() => blind.open({ delivery: 'direct' }), /no packet socket/);
  assert.deepEqual(
    blind.calls.filter((call) => !call.startsWith('check')),
    ['open sender 4', 'open sender 4', 'close channel', 'close sender', 'close channel', 'close sender'],
  );
});

test('Direct opens a sender for each IP version that a lane has targets of', () => {
  const around = new CopySurroundings();
  const endpoint = { lane: 1, address: address('2001:db8::3'), port: 8080 };
  const mappings: MappingConfig[] = [
    ...COPY_CONFIG.mappings,
    { onlinePort: 80, ipVersion: 6, targets: [{ name: '[2001:db8::3]:8080', endpoints: [endpoint] }] },
  ];
  around.open({ delivery: 'direct', mappings });
  assert.deepEqual(around.calls.slice(0, 3), ['open sender 4', 'open sender 4', 'open sender 6']);
});

test('the end of a ramp is for the program to say, where it has several workers', () => {
  const around = new CopySurroundings();
  const notices: string[] = [];
  const copy = around.open(
    { rampMs: 1000 },
    { instance: 0x12, tellShared: ({ key, message }) => notices.push(`${key}: ${message}`) },
  );
  assert.deepEqual(around.channels[0]!.hello.capabilities, ['instance:12', 'program:1'], 'whose worker it is');
  around.channels[0]!.onUp(around.connection());
  around.clockMs += 1000;
  for (let second = 0; second < 2; second += 1) copy.tick();
  assert.deepEqual(notices, ['ramp: the ramp is over: all that -r and -n ask for is copied']);
  assert.ok(!around.logged.some((line) => line.includes('ramp')), around.logged.join());
});

test('each intercept is told the targets that are behind it', () => {
  const around = new CopySurroundings();
  around.open();
  assert.deepEqual(
    around.channels.map(({ hello }) => [hello.role, hello.name, hello.delivery, hello.targets]),
    [
      ['copy', 'source-host', 'tunnel', [{ address: '10.0.0.2', port: 8080 }]],
      ['copy', 'source-host', 'tunnel', [{ address: '10.0.0.3', port: 8080 }]],
    ],
  );
});

test('an intercept is asked for payload where something needs it; that an old one has none is said', () => {
  const around = new CopySurroundings();
  around.open({ responsePayloadBytes: 2048 });
  assert.deepEqual(
    around.channels.map(({ hello }) => hello.capabilities),
    new Array(2).fill(['instance:1', 'payload:2048']),
  );
  around.channels[0]!.onUp(around.connection(['payload']));
  assert.deepEqual(
    around.logged.filter((line) => line.includes('older version')),
    [],
  );
  around.channels[1]!.onUp(around.connection());
  assert.equal(around.logged.filter((line) => line.includes('older version')).length, 1);
  const plain = new CopySurroundings();
  plain.open();
  assert.deepEqual(plain.channels[0]!.hello.capabilities, ['instance:1']);
});

test('the first channel that is up begins the copying; what was captured and dropped before does not count', () => {
  const around = new CopySurroundings();
  const copy = around.open();
  copy.start();
  around.source.figures = { packets: 10, drops: 3, freezes: 1 };
  around.calls.length = 0;
  assert.equal(copy.figures().elapsedMs, 0);
  around.channels[1]!.onUp(around.connection());
  assert.deepEqual(around.calls, ['release', 'release', 'start']);
  around.channels[0]!.onUp(around.connection());
  assert.deepEqual(around.calls, ['release', 'release', 'start']);
  assert.equal(copy.figures().sources[0]!.drops, 0);
  assert.equal(copy.unreadyReason(), undefined);
});

test('a channel that stays away is told once a minute, and copying waits for none but itself', () => {
  const around = new CopySurroundings();
  const copy = around.open();
  around.channels[0]!.onUp(around.connection());
  for (let second = 0; second < 130; second += 1) {
    around.channels[1]!.onDown(new Error('nothing listens there'), true);
    around.clockMs += 1000;
  }
  assert.equal(around.logged.filter((line) => line.startsWith('no channel to intercept yet')).length, 3);
  assert.equal(copy.unreadyReason(), 'no channel to intercept 10.0.0.3:36524');
  assert.deepEqual(around.fatal, []);
});

test('why a channel does not come back is told at once, and once, when it is not why it was lost', () => {
  const around = new CopySurroundings();
  around.open();
  const [channel] = around.channels;
  channel!.onUp(around.connection());
  channel!.onDown(new ChannelError('ERR_CHANNEL_LOST', 'reset'), true);
  for (let second = 0; second < 50; second += 1) {
    around.clockMs += 1000;
    const code = second % 2 === 0 ? 'ERR_CHANNEL_CERTIFICATE_TIME' : 'ERR_CHANNEL_UNREACHABLE';
    channel!.onDown(new ChannelError(code, 'not now'), true);
  }
  assert.equal(around.logged.filter((line) => line.startsWith('channel to intercept lost')).length, 1);
  assert.equal(around.logged.filter((line) => line.startsWith('intercept is still away')).length, 2);
});

test('a refusal for good ends the program with its reason', () => {
  const around = new CopySurroundings();
  around.open();
  const refusal = new Error('tokenUsed');
  around.channels[0]!.onDown(refusal, false);
  assert.deepEqual(around.fatal, [refusal]);
});

test('a burst of capture drops is logged once, with what helps', () => {
  const around = new CopySurroundings();
  const copy = around.open();
  around.channels[0]!.onUp(around.connection());
  for (let second = 1; second <= 5; second += 1) {
    around.source.figures = { packets: 100 * second, drops: second, freezes: 1 };
    around.clockMs += 1000;
    copy.tick();
  }
  assert.equal(around.logged.filter((line) => line.includes('-B/--capture-buffer')).length, 1);
});

test('the capture follows the addresses of this host', () => {
  const around = new CopySurroundings();
  const copy = around.open();
  around.channels[0]!.onUp(around.connection());
  around.clockMs += 10_000;
  copy.tick();
  around.calls.length = 0;
  around.addresses = [address('10.0.0.1'), address('10.0.0.9')];
  around.clockMs += 10_000;
  copy.tick();
  assert.equal(around.calls.length, 2);
  assert.match(around.calls[1]!, /^filter .*dst host 10\.0\.0\.9/);
});

test('the end: no packet is read any more, then channels, sinks and sources are closed', async () => {
  const around = new CopySurroundings();
  const copy = around.open({ delivery: 'direct' });
  around.channels[0]!.onUp(around.connection());
  around.calls.length = 0;
  const figures = await copy.close();
  assert.equal(figures.engine.turnsCaptured, 0);
  assert.deepEqual(
    around.calls.filter((call) => call !== 'release'),
    ['stop', 'close source', 'close channel', 'close channel', 'close sender', 'close sender'],
  );
});

/** Uses so much CPU for so many seconds, and ticks in each. */
function spend(around: CopySurroundings, copy: Copy, cpuPercent: number, seconds: number): void {
  for (let second = 0; second < seconds; second += 1) {
    around.clockMs += 1000;
    around.cpuUs += cpuPercent * 10_000;
    copy.tick();
  }
}

test('beyond --max-cpu fewer connections are copied, which is said once, and all of them again when there is room', () => {
  const around = new CopySurroundings();
  const copy = around.open({ budget: { cpuPercentMax: 10, memoryBytesMax: 0 } });
  spend(around, copy, 500, 3);
  assert.equal(copy.budgetShare, 1, 'the start does not count');
  around.channels[0]!.onUp(around.connection());
  spend(around, copy, 20, 2);
  assert.deepEqual(copy.figures().budget, { share: 0.45, sessionsShed: 0 });
  assert.ok(copyStatus(copy.figures(), copy.figures()).includes('over budget: 45 % of connections copied'));
  spend(around, copy, 9, 2);
  spend(around, copy, 1, 20);
  assert.equal(copy.budgetShare, 1);
  assert.deepEqual(
    around.logged.filter((line) => line.includes('budget')),
    ['beyond the safety budget: fewer new connections are copied', 'within the safety budget again: all is copied'],
  );
});

test('a memory budget that the program alone takes is said at the start', () => {
  const around = new CopySurroundings();
  around.rssBytes = 90 << 20;
  around.open({ budget: { cpuPercentMax: 0, memoryBytesMax: 100 << 20 } });
  around.channels[0]!.onUp(around.connection());
  assert.equal(around.logged.filter((line) => line.includes('--max-memory leaves no room')).length, 1);
});
