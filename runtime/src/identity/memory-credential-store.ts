import { generateKeyPairSync } from 'node:crypto';
import type { CredentialStorage } from './credential-storage.js';
import type { ClientCredentials } from './credentials.js';

/** Credentials that end with the process: for programs that join with a token which is good again and again. */
export class MemoryCredentialStore implements CredentialStorage {
  readonly file = 'memory';
  #credentials: ClientCredentials | undefined;
  #pendingKey: string | undefined;

  load(): Promise<ClientCredentials | undefined> {
    return Promise.resolve(this.#credentials);
  }

  save(credentials: ClientCredentials): Promise<void> {
    this.#credentials = credentials;
    this.#pendingKey = undefined;
    return Promise.resolve();
  }

  pendingKey(): Promise<string> {
    this.#pendingKey ??= newKey();
    return Promise.resolve(this.#pendingKey);
  }
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}
