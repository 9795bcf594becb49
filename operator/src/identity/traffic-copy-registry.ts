import { hashSecret } from '@trafficcopy/runtime';

/** A TrafficCopy that exists, as far as letting its copies in depends on it. */
export interface RegisteredTrafficCopy {
  readonly namespace: string;
  /** metadata.name. */
  readonly name: string;
  readonly uid: string;
}

/** Those that are gone are remembered, the last ones: so many copies that start late can be told so. */
export const GONE_MAX = 4096;

/** The TrafficCopies that exist, found by UID and by the secret of their token, and the last ones that are gone. */
export class TrafficCopyRegistry {
  readonly #byUid = new Map<string, { readonly trafficCopy: RegisteredTrafficCopy; readonly secretHash: string }>();
  /** By SHA-256: how long a look-up takes says nothing about a secret. */
  readonly #bySecretHash = new Map<string, RegisteredTrafficCopy>();
  /** Hashes of their secrets, the oldest first. */
  readonly #gone = new Set<string>();

  get size(): number {
    return this.#byUid.size;
  }

  /** Adds it, or replaces what is known of its UID. */
  add(trafficCopy: RegisteredTrafficCopy, secret: string): void {
    this.delete(trafficCopy.uid);
    const secretHash = hashSecret(secret);
    // A list of an API server that is behind may have left it out.
    this.#gone.delete(secretHash);
    this.#byUid.set(trafficCopy.uid, { trafficCopy, secretHash });
    this.#bySecretHash.set(secretHash, trafficCopy);
  }

  delete(uid: string): void {
    const known = this.#byUid.get(uid);
    if (known === undefined) return;
    this.#byUid.delete(uid);
    this.#bySecretHash.delete(known.secretHash);
    this.#gone.add(known.secretHash);
    for (const oldest of this.#gone) {
      if (this.#gone.size <= GONE_MAX) break;
      this.#gone.delete(oldest);
    }
  }

  *all(): IterableIterator<RegisteredTrafficCopy> {
    for (const { trafficCopy } of this.#byUid.values()) yield trafficCopy;
  }

  find(uid: string): RegisteredTrafficCopy | undefined {
    return this.#byUid.get(uid)?.trafficCopy;
  }

  findBySecret(secret: string): RegisteredTrafficCopy | undefined {
    return this.#bySecretHash.get(hashSecret(secret));
  }

  /** Whether the secret was that of one that is gone. */
  isGone(secret: string): boolean {
    return this.#gone.has(hashSecret(secret));
  }
}
