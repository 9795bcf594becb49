const PREFIX = 'trafficcopy_copy_';

/**
 * What a copy that did not come to rest says about it: first what follows from its metrics (samples by name with labels), then those
 * of its own that are not 0.
 */
export function copyAccount(metrics: ReadonlyMap<string, number>): string {
  const samples = [...metrics].filter(([name, value]) => name.startsWith(PREFIX) && value !== 0);
  const figures = samples.map(([name, value]) => `${name.slice(PREFIX.length)} ${value}`);
  return `${findings(metrics).join('; ')}\n${figures.join(', ')}`;
}

function findings(metrics: ReadonlyMap<string, number>): string[] {
  const [drops, failed] = [sumOf(metrics, 'ring_drops_total'), sumOf(metrics, 'lane_packets_failed_total')];
  const [sessions, pending] = [sumOf(metrics, 'sessions'), sumOf(metrics, 'turns_pending')];
  const found = [`${sessions} sessions are open, ${pending} turns are pending`];
  if (drops > 0) {
    found.push(
      `the capture dropped ${drops} packets (the copy got too little processor time): connections whose end was among them stay open`,
    );
  }
  if (failed > 0) found.push(`the kernel refused ${failed} packets to the target`);
  if (sumOf(metrics, 'lanes_up') === 0) found.push('no channel to an intercept is up');
  if (drops === 0 && sessions > 0 && pending === 0) {
    found.push('all turns are settled: the sessions wait for their clients, or for the target, to close');
  }
  return found;
}

function sumOf(metrics: ReadonlyMap<string, number>, name: string): number {
  let sum = 0;
  for (const [sample, value] of metrics) {
    if (sample === PREFIX + name || sample.startsWith(`${PREFIX}${name}{`)) sum += value;
  }
  return sum;
}
