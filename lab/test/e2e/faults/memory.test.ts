/** Too little memory in full run. */
import { test } from 'node:test';
import { FaultLab } from '../kit/fault-lab.js';

test('1 MB for what waits and a heap of 64 MB, with a target that is away: sessions are shed, and copying goes on', async (context) => {
  const env = { NODE_OPTIONS: '--max-old-space-size=64' };
  await FaultLab.run(
    context,
    { delivery: 'tunnel', copyFlags: ['--max-held', '1'], env, mayLose: ['shed'] },
    async (lab) => {
      lab.intercept.process.signal('SIGSTOP');
      await lab.copy.waitForMetric('trafficcopy_copy_turns_lost_total', 1, 60_000);
      await lab.served(1);
      lab.intercept.process.signal('SIGCONT');
    },
  );
});
