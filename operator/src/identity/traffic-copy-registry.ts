import { hashSecret } from '@trafficcopy/runtime';

/** A TrafficCopy that exists, as far as letting its copies in depends on it. */
export interface RegisteredTrafficCopy {
  readonly namespace: string;
  /** metadata.name. */
  readonly name: string;
  readonly uid: string;
}

/** The TrafficCopies that exist, found by UID and by the secret of their token. */
export class TrafficCopyRegistry {
  readonly #byUid = new Map<string, { readonly trafficCopy: RegisteredTrafficCopy; readonly secretHash: string }>();
  /** By SHA-256: how long a look-up takes says nothing about a secret. */
  readonly #bySecretHash = new Map<string, RegisteredTrafficCopy>();

  get size(): number {
    return this.#byUid.size;
  }

  /** Adds it, or replaces what is known of its UID. */
  add(trafficCopy: RegisteredTrafficCopy, secret: string): void {
    this.delete(trafficCopy.uid);
    const secretHash = hashSecret(secret);
    this.#byUid.set(trafficCopy.uid, { trafficCopy, secretHash });
    this.#bySecretHash.set(secretHash, trafficCopy);
  }

  delete(uid: string): void {
    const known = this.#byUid.get(uid);
    if (known === undefined) return;
    this.#byUid.delete(uid);
    this.#bySecretHash.delete(known.secretHash);
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
}
