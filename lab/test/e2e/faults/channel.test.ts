/** The channel between copy and intercept cut and restored in full run. */
import { test } from 'node:test';
import { FaultLab } from '../kit/fault-lab.js';
import { FirewallRule } from '../kit/firewall-rule.js';

const CHANNEL_PORT = 36_524;

test('Tunnel, every packet of the channel dropped until the copy gives it up: sessions wait for its return and lose nothing', async (context) => {
  await FaultLab.run(context, { delivery: 'tunnel' }, async (lab) => {
    const rules = await Promise.all([
      FirewallRule.insert(lab.copyLab.target, { chain: 'PREROUTING', match: `-p tcp --dport ${CHANNEL_PORT}` }),
      FirewallRule.insert(lab.copyLab.online, { chain: 'PREROUTING', match: `-p tcp --sport ${CHANNEL_PORT}` }),
    ]);
    await lab.copy.process.waitForLine(/channel to intercept lost/, 60_000);
    await Promise.all(rules.map((rule) => rule.remove()));
  });
});

test('Direct, the channel reset, and refused for a while: sessions wait for its return and lose nothing', async (context) => {
  await FaultLab.run(context, { delivery: 'direct' }, async (lab) => {
    const rule = await FirewallRule.insert(lab.copyLab.target, {
      ...{ table: 'filter', chain: 'INPUT', match: `-p tcp --dport ${CHANNEL_PORT}` },
      verdict: 'REJECT --reject-with tcp-reset',
    });
    await lab.copy.process.waitForLine(/channel to intercept lost/, 60_000);
    await lab.served(0.5);
    await rule.remove();
  });
});
