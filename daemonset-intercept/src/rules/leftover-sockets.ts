import type { NamespaceAccess } from './namespace-access.js';
import { hex } from './own-rules.js';
import type { WorkerSlot } from './worker-slot.js';

/**
 * Ends the sockets of copied connections that are left at the target, in any state: SYN-RECV would repeat its SYN-ACK,
 * TIME-WAIT answer late segments. They are those of a predecessor that was killed, and those that a reset did not reach;
 * once the rules are gone, what they say would go to clients. The kernel knows them by their mark, and its own resets carry it. Where
 * it cannot end sockets (CONFIG_INET_DIAG_DESTROY) or `ss` is missing, they time out.
 */
export async function endLeftoverSockets(access: NamespaceAccess, slot: WorkerSlot): Promise<void> {
  await access.run('ss', ['-K', '-t', '-n', '-H', 'state', 'connected', 'fwmark', '=', hex(slot.mark)]);
}
