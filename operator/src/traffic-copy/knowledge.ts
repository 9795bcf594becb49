import type { TrafficCopyRecord } from '../kube/index.js';
import { EMPTY_MEMORY, type TrafficCopyMemory } from './observation.js';

/**
 * What the controller remembers between two looks at a TrafficCopy. Caches are a moment behind what was written: without this a second look would
 * write the same again.
 */
export class Knowledge {
  readonly #memories = new Map<string, TrafficCopyMemory>();
  /** As the last write left them. */
  readonly #written = new Map<string, TrafficCopyRecord>();
  readonly #ended = new Set<string>();
  /** Secrets with tokens. */
  readonly #secrets = new Map<string, number | 'absent'>();

  /** Its finalizer was removed: there is nothing left to do about it, though the cache may show it for a moment. */
  hasEnded(uid: string): boolean {
    return this.#ended.has(uid);
  }

  ended(uid: string): void {
    this.#ended.add(uid);
  }

  memoryOf(uid: string): TrafficCopyMemory {
    return this.#memories.get(uid) ?? EMPTY_MEMORY;
  }

  change(uid: string, change: Partial<TrafficCopyMemory>): void {
    this.#memories.set(uid, { ...this.memoryOf(uid), ...change });
  }

  /** The newer of what the cache has and what was written. */
  latest(cached: TrafficCopyRecord): TrafficCopyRecord {
    const written = this.#written.get(cached.uid);
    if (written === undefined) return cached;
    if (isNewer(written, cached)) return written;
    this.#written.delete(cached.uid);
    return cached;
  }

  wrote(record: TrafficCopyRecord | undefined): void {
    if (record !== undefined) this.#written.set(record.uid, record);
  }

  /** ms since the epoch; `absent`: it was deleted; `unknown`: a leader before us may have written it. */
  secret(uid: string): number | 'absent' | 'unknown' {
    return this.#secrets.get(uid) ?? 'unknown';
  }

  wroteSecret(uid: string, state: number | 'absent'): void {
    this.#secrets.set(uid, state);
  }

  forget(uid: string): void {
    this.#ended.delete(uid);
    this.#memories.delete(uid);
    this.#written.delete(uid);
    this.#secrets.delete(uid);
  }

  clear(): void {
    this.#ended.clear();
    this.#memories.clear();
    this.#written.clear();
    this.#secrets.clear();
  }
}

/** Resource versions of one object are numbers that grow. Where they are none, the cache is believed. */
function isNewer(one: TrafficCopyRecord, other: TrafficCopyRecord): boolean {
  return (
    /^[0-9]+$/.test(one.resourceVersion + other.resourceVersion) &&
    BigInt(one.resourceVersion) > BigInt(other.resourceVersion)
  );
}
