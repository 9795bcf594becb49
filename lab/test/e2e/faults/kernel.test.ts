/** What a kernel has no room for, or refuses, in full run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../src/index.js';
import { TARGET_PORT } from '../kit/copy-lab.js';
import { FaultLab, type FaultLabOptions } from '../kit/fault-lab.js';
import { FirewallRule } from '../kit/firewall-rule.js';

const FAULT_TIMEOUT_MS = 60_000;

test('a full NFQUEUE: answers that it has no room for are sent again, and nothing is lost', async (context) => {
  await FaultLab.run(context, { delivery: 'direct', interceptFlags: ['-q', '64'] }, async (lab) => {
    lab.intercept.process.signal('SIGSTOP');
    await eventually('the queue of the kernel is full', FAULT_TIMEOUT_MS, async () => {
      const [queue = ''] = (await lab.copyLab.target.expect('cat', ['/proc/net/netfilter/nfnetlink_queue'])).split(
        '\n',
      );
      const [, , , , , dropped] = queue.trim().split(/\s+/);
      return Number(dropped) > 0;
    });
    lab.intercept.process.signal('SIGCONT');
    await lab.intercept.waitForMetric('trafficcopy_intercept_queue_dropped_total', 1, FAULT_TIMEOUT_MS);
  });
});

test('a full capture ring: what it had no room for is lost as captureGap, and copying goes on', async (context) => {
  const options: FaultLabOptions = { delivery: 'tunnel', captureMegabytes: 1, mayLose: ['captureGap', 'interrupted'] };
  const summary = await FaultLab.run(context, options, async (lab) => {
    lab.copy.process.signal('SIGSTOP');
    await lab.served(1);
    lab.copy.process.signal('SIGCONT');
    await lab.copy.waitForMetric('trafficcopy_copy_ring_drops_total', 1, FAULT_TIMEOUT_MS);
  });
  assert.ok(summary.capture.drops > 0);
});

/** From `begin` on the raw socket of copy (Direct) or intercept (Tunnel) fails, and clients are served for a while all the same. */
async function expectRefused(lab: FaultLab, errno: string, begin: () => Promise<unknown>): Promise<void> {
  const refusals = async (): Promise<number> => {
    if (lab.copyLab.delivery === 'direct') return lab.copy.metric('trafficcopy_copy_lane_packets_failed_total');
    const counts = await lab.intercept.metrics();
    return counts.get(`trafficcopy_intercept_send_errors_total{errno="${errno}"}`) ?? 0;
  };
  const before = await refusals();
  await begin();
  await eventually(`${errno} is counted`, FAULT_TIMEOUT_MS, async () => (await refusals()) > before);
  await lab.served(0.5);
}

/** Requests that are too large for a small path, in one segment each. */
const LARGE: FaultLabOptions = { padBytes: 1_250 };

test('Direct: packets that the host refuses (EPERM), or that are too large for the path (EMSGSIZE), are counted and go later', async (context) => {
  await FaultLab.run(context, { ...LARGE, delivery: 'direct' }, async (lab) => {
    const { online, target } = lab.copyLab;
    const match = `-o eth0 -d ${target.ipv4} -p tcp --dport ${TARGET_PORT}`;
    const rule = new FirewallRule(online, { table: 'filter', chain: 'OUTPUT', match });
    await expectRefused(lab, 'EPERM', () => rule.insert());
    await rule.remove();
    await lab.copied(0.5);
    const route = [`${target.ipv4}/32`, 'dev', 'eth0', 'mtu', 'lock', '1000'];
    await expectRefused(lab, 'EMSGSIZE', () => online.expect('ip', ['route', 'add', ...route]));
    await online.expect('ip', ['route', 'delete', ...route]);
  });
});

test('Tunnel: packets that the host refuses (EPERM), or that are too large for its loopback (EMSGSIZE), are counted and go later', async (context) => {
  await FaultLab.run(context, { ...LARGE, delivery: 'tunnel' }, async (lab) => {
    const { target } = lab.copyLab;
    const match = `-o lo -p tcp --dport ${TARGET_PORT}`;
    const rule = new FirewallRule(target, { table: 'filter', chain: 'OUTPUT', match });
    await expectRefused(lab, 'EPERM', () => rule.insert());
    await rule.remove();
    await lab.copied(0.5);
    // The least with which IPv6 stays there.
    await expectRefused(lab, 'EMSGSIZE', () => target.expect('ip', ['link', 'set', 'lo', 'mtu', '1280']));
    await target.expect('ip', ['link', 'set', 'lo', 'mtu', '65536']);
  });
});
