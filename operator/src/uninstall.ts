import { setTimeout as sleep } from 'node:timers/promises';
import {
  type KubeClient,
  KubeNotFoundError,
  readTrafficCopy,
  TRAFFIC_COPIES,
  type TrafficCopyRecord,
} from './kube/index.js';

const PAGE_ITEMS = 500;
const LOOK_MS = 1000;

/**
 * Deletes every TrafficCopy, and waits until the operator has undone what they caused.
 * @returns those that are left after `timeoutMs`
 */
export async function removeTrafficCopies(
  client: KubeClient,
  timeoutMs: number,
  say: (text: string) => void,
): Promise<readonly TrafficCopyRecord[]> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const left = await listAll(client);
    for (const { namespace, name, uid, isDeleting } of left) {
      if (isDeleting) continue;
      say(`deleting TrafficCopy ${namespace}/${name}`);
      await client.delete(TRAFFIC_COPIES, { namespace, name }, uid);
    }
    if (left.length === 0 || performance.now() > endMs) return left;
    await sleep(LOOK_MS);
  }
}

async function listAll(client: KubeClient): Promise<TrafficCopyRecord[]> {
  const all: TrafficCopyRecord[] = [];
  let next: string | undefined;
  do {
    const page = await client.list(TRAFFIC_COPIES, { limit: PAGE_ITEMS, next }).catch((error: unknown) => {
      // Without the resource's definition there can be none.
      if (error instanceof KubeNotFoundError) return { items: [], next: undefined };
      throw error;
    });
    all.push(...page.items.flatMap((item) => readTrafficCopy(item) ?? []));
    next = page.next;
  } while (next !== undefined);
  return all;
}
