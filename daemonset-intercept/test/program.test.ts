import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseIpAddress } from '@trafficcopy/core';
import { requireCapabilities } from '../src/capabilities.js';
import { copyCommand } from '../src/channel/copy-command.js';
import { createInterceptCounters } from '../src/counters.js';
import type { InterceptFigures } from '../src/intercept-figures.js';
import { interceptStatus, responseFields } from '../src/intercept-status.js';
import { interceptSummaryJson, interceptSummaryTable } from '../src/intercept-summary.js';
import { interceptMetrics } from '../src/metrics.js';
import { QueueAlarm } from '../src/queue-alarm.js';

const FIGURES: InterceptFigures = {
  elapsedMs: 1000,
  workers: 1,
  workerRestarts: 0,
  counters: { ...createInterceptCounters(), responses: 100, responsesReturned: 97, responsesNotReturned: 3 },
  queue: { packets: 100, queueDropped: 2, userDropped: 0 },
  sendErrors: { ENOBUFS: 4 },
  flows: 5,
  flowsMax: 10,
  copies: 1,
  podsServing: 0,
  podsNotServing: 0,
  queuedBytes: 0,
  connections: 2,
  peersRefused: 1,
  cpuUserUs: 10_000,
  cpuSystemUs: 20_000,
  rssBytes: 1_048_576,
};

it('missing capabilities are named before anything is touched', () => {
  assert.doesNotThrow(() => requireCapabilities('here', 'CapEff:\t0000000000003000\n'));
  assert.throws(() => requireCapabilities('here', 'CapEff:\t0000000000002000\n'), {
    code: 'ERR_START_CAPABILITIES',
    message: /CAP_NET_ADMIN \(/,
  });
  assert.throws(() => requireCapabilities('netns', 'CapEff:\t0000000000003000\n'), /CAP_SYS_ADMIN/);
  assert.throws(
    () => requireCapabilities('node', 'CapEff:\t0000000000203000\n'),
    /CAP_SYS_PTRACE \(.*securityContext: .*add: \[NET_ADMIN, NET_RAW, SYS_ADMIN, SYS_PTRACE\]/,
  );
  assert.doesNotThrow(() => requireCapabilities('node', 'CapEff:\t0000000000283000\n'));
});

it('the printed command is ready-made where a target is given, and says what to put in where none is', () => {
  const token = 'tc1.a.b';
  const target = { address: parseIpAddress('10.16.12.11'), port: 8080 };
  const given = copyCommand(
    { targets: [target], port: 36_524, bindAddress: undefined, netnsPath: undefined, udpClients: [] },
    token,
    '10.16.12.12',
  );
  assert.equal(given.text, 'trafficcopy copy -x 8080-10.16.12.11:8080 -s 10.16.12.12:36524 --join tc1.a.b');
  assert.equal(given.hint, undefined);
  const bindAddress = parseIpAddress('fd00::1');
  assert.match(
    copyCommand({ targets: [], port: 1, bindAddress, netnsPath: undefined, udpClients: [] }, undefined).text,
    /--insecure$/,
  );
  const open = copyCommand(
    { targets: [], port: 1, bindAddress, netnsPath: undefined, udpClients: [] },
    token,
    'fd00::1',
  );
  assert.equal(open.text, 'trafficcopy copy -x 80-[fd00::1]:80 -s [fd00::1]:1 --join tc1.a.b');
  assert.match(open.hint!, /put your ports/);
  const udpClients = [{ address: parseIpAddress('198.18.0.0')!, prefixBits: 16 }];
  const { hint } = copyCommand(
    { targets: [], port: 1, bindAddress, netnsPath: undefined, udpClients },
    token,
    'fd00::1',
  );
  assert.match(hint!, /for UDP add --udp -c 198\.18\.0\.0\/24\)$/);
});

it('for a target in another namespace the command does not guess its address', () => {
  const config = { targets: [], port: 36_524, bindAddress: undefined, netnsPath: '/run/netns/test', udpClients: [] };
  const { text, hint } = copyCommand(config, 'tc1.a.b', '10.16.12.12');
  assert.equal(text, 'trafficcopy copy -x 80-TARGET-IP:80 -s 10.16.12.12:36524 --join tc1.a.b');
  assert.match(hint!, /put your ports in place of 80; TARGET-IP is the target's address in \/run\/netns\/test/);
});

it('losses are told with their reasons: status line, summary, JSON and metrics', async () => {
  assert.ok(interceptStatus({ ...FIGURES, elapsedMs: 0 }, FIGURES).includes('lost 5 (queue full 2, channel full 3)'));
  assert.match(interceptSummaryTable(FIGURES).render(120), /queue-length/);
  assert.deepEqual(interceptSummaryJson(FIGURES, 'SIGTERM')['lost'], { 'queue full': 2, 'channel full': 3 });
  const text = await interceptMetrics(() => FIGURES).registry.metrics();
  assert.match(text, /^trafficcopy_intercept_queue_dropped_total 2$/m);
  assert.match(text, /^trafficcopy_intercept_send_errors_total\{errno="ENOBUFS"\} 4$/m);
});

it('answers to datagrams are no responses: status line, log and table tell them apart', () => {
  const counters = { ...FIGURES.counters, responses: 0, datagramAnswers: 40 };
  const before = { ...FIGURES, elapsedMs: 0, counters: { ...counters, datagramAnswers: 20 } };
  const now = { ...FIGURES, counters };
  const status = interceptStatus(before, now);
  assert.deepEqual(
    status.filter((part) => /responses|answers/.test(part)),
    ['0 responses/s', '20 UDP answers/s'],
  );
  assert.deepEqual(responseFields(now), { responses: 0, datagramAnswers: 40 });
  assert.deepEqual(responseFields(FIGURES), { responses: 100 }, 'who copies no datagrams hears nothing of them');
  const table = interceptSummaryTable(now).render(120);
  assert.match(table, /of connections, taken and dropped\s+│\s+0 /);
  assert.match(table, /to datagrams, taken and dropped\s+│\s+40 /);
});

it('a full queue is told once in a while, with the setting that helps', () => {
  const alarm = new QueueAlarm();
  const at = (queueDropped: number, userDropped = 0) => ({ packets: 0, queueDropped, userDropped });
  assert.deepEqual(alarm.check(0, at(0)), []);
  assert.match(alarm.check(1000, at(10)).join(), /10 responses were lost: .*--queue-length/);
  assert.deepEqual(alarm.check(2000, at(20)), []);
  assert.match(alarm.check(3000, at(20, 1)).join(), /netlink buffer/);
  assert.equal(alarm.check(40_000, at(25, 1)).length, 1);
});
