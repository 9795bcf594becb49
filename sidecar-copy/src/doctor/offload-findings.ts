import { type Finding, type HostAccess, pass, skip, warn } from '@trafficcopy/runtime';
import { localNetwork } from '../capture/local-network.js';

/**
 * What the devices merge before packets are captured. GRO keeps what it merges recoverable, and its super-packets are cut again; LRO
 * changes headers, so what is captured is not what the client sent.
 */
export async function offloadFindings(host: HostAccess, interfaces: readonly string[]): Promise<Finding[]> {
  const devices = interfaces.length > 0 ? interfaces : localNetwork().wires;
  const merging: string[] = [];
  const known: string[] = [];
  for (const device of devices) {
    const answer = await host.run('ethtool', ['-k', device]);
    if (answer === undefined) return [skip('whether devices merge segments (LRO) is not known', 'install ethtool')];
    if (answer.status !== 0) continue;
    known.push(device);
    if (/^large-receive-offload: on/m.test(answer.stdout)) merging.push(device);
  }
  if (merging.length > 0) {
    return merging.map((device) =>
      warn(
        `${device} merges segments (LRO): what is captured is not what clients sent`,
        `ethtool -K ${device} lro off`,
      ),
    );
  }
  return known.length === 0 ? [] : [pass(`no device merges segments by LRO (${known.join(', ')}); GRO is fine`)];
}
