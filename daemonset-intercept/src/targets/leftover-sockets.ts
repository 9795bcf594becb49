import { hex } from '../rules/mangle-rules.js';
import type { NamespaceAccess } from '../rules/namespace-access.js';
import type { WorkerSlot } from '../rules/worker-slot.js';

/**
 * Ends the sockets of copied connections that are left at the target: those of a predecessor that was killed, and those that a
 * reset did not reach. After the rules are gone their retransmissions would go to clients. The kernel knows them by their mark. Where it
 * cannot end sockets (CONFIG_INET_DIAG_DESTROY) or `ss` is missing, they time out.
 */
export async function resetLeftoverSockets(access: NamespaceAccess, slot: WorkerSlot): Promise<void> {
  await access.run('ss', ['-K', '-t', '-n', '-H', 'fwmark', '=', hex(slot.mark)]);
}
