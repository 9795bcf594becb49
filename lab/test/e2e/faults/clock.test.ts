/**
 * A wall clock that is set while copying goes on. libfaketime moves that of the programs which it is loaded into, and of nobody else; their
 * monotonic clock goes on, as a machine's does.
 */
import assert from 'node:assert/strict';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FaultLab } from '../kit/fault-lab.js';
import { FirewallRule } from '../kit/firewall-rule.js';

const [LIBRARY] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');

/** Ends the channel by a reset, so that certificates are looked at again. */
async function resetChannel(lab: FaultLab): Promise<void> {
  const losses = 'trafficcopy_copy_lane_losses_total';
  const before = await lab.copy.metric(losses);
  const rule = await FirewallRule.insert(lab.copyLab.target, {
    ...{ table: 'filter', chain: 'INPUT', match: '-p tcp --dport 36524' },
    verdict: 'REJECT --reject-with tcp-reset',
  });
  await lab.copy.waitForMetric(losses, before + 1, 60_000);
  await rule.remove();
}

test('a clock that jumps two hours ahead, and back to before the certificates began: nothing is lost', async (context) => {
  assert.ok(LIBRARY !== undefined, 'libfaketime is not installed: run scripts/setup.sh');
  const directory = mkdtempSync(join(tmpdir(), 'trafficcopy-clock-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'offset');
  const setClock = (offset: string): void => writeFileSync(file, `${offset}\n`);
  setClock('+0');
  const env = {
    ...{ LD_PRELOAD: LIBRARY, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: '1' },
    ...{ FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' },
  };
  await FaultLab.run(context, { delivery: 'tunnel', env }, async (lab) => {
    setClock('+2h');
    await lab.copied(1);
    await resetChannel(lab);
    await lab.copy.ready();
    await lab.copied(0.5);
    setClock('-2h');
    await lab.copied(1);
    const refused = lab.copy.process.waitForLine(/check the clocks/, 60_000).then(() => true);
    // libfaketime looks at the file now and then: until then the copy comes back with the time before.
    for (let isRefused = false; !isRefused; ) {
      await resetChannel(lab);
      isRefused = await Promise.race([refused, lab.copy.ready(60_000).then(() => false)]);
    }
    setClock('+0');
  });
});
