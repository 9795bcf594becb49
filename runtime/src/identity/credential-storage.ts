import type { ClientCredentials } from './credentials.js';

/** Where what was got by joining is kept, and the key before that. */
export interface CredentialStorage {
  /** For messages: a file's path, or what it is instead. */
  readonly file: string;
  /** The credentials, or undefined when there are none. Their time is not looked at. */
  load(): Promise<ClientCredentials | undefined>;
  save(credentials: ClientCredentials): Promise<void>;
  /** The key to join with, PKCS #8 PEM: the same until {@link save}. */
  pendingKey(): Promise<string>;
}
