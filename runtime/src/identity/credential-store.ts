/**
 * Where a copy keeps what it got by joining: `<state>/copy/<host>_<port>.pem` holds key, certificate and authority, in
 * this order; `<…>.key` the key alone, from before JOIN until the certificate is there.
 */
import { generateKeyPairSync } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { credentialProblem } from './credential-check.js';
import type { CredentialStorage } from './credential-storage.js';
import type { ClientCredentials } from './credentials.js';
import { pemBlocks } from './pem.js';
import { StateError } from './state-error.js';
import { readStateFile, writeStateFile } from './state-file.js';

export class CredentialStore implements CredentialStorage {
  /** The file with the credentials. */
  readonly file: string;
  readonly #keyFile: string;

  /** @param stateDirectory `--state`. @param host @param port the server's, as the user gave them. */
  constructor(stateDirectory: string, host: string, port: number) {
    const name = `${encodeURIComponent(host)}_${port}`;
    this.file = path.join(stateDirectory, 'copy', `${name}.pem`);
    this.#keyFile = path.join(stateDirectory, 'copy', `${name}.key`);
  }

  /**
   * The stored credentials, or undefined when there are none. Their time is not looked at.
   * @throws {StateError} ERR_STATE_CREDENTIALS: the file is damaged; others: it cannot be read.
   */
  async load(): Promise<ClientCredentials | undefined> {
    const text = await readStateFile(this.file);
    if (text === undefined) return undefined;
    const blocks = pemBlocks(text);
    const key = blocks.find((block) => block.label === 'PRIVATE KEY')?.text;
    const [certificate, authority] = blocks.filter((block) => block.label === 'CERTIFICATE');
    const credentials =
      key && certificate && authority ? { key, certificate: certificate.text, authority: authority.text } : undefined;
    const problem = credentials === undefined ? 'key or certificates are missing' : credentialProblem(credentials);
    if (credentials !== undefined && problem === undefined) return credentials;
    const advice = 'remove it and join again with a new token of the server (--join)';
    throw new StateError('ERR_STATE_CREDENTIALS', `${this.file} is damaged: ${problem}; ${advice}`);
  }

  async save(credentials: ClientCredentials): Promise<void> {
    await writeStateFile(this.file, credentials.key + credentials.certificate + credentials.authority);
    await rm(this.#keyFile, { force: true });
  }

  /** The key to join with, PKCS #8 PEM: one that an interrupted JOIN left (the token is spent for it), or a new one. */
  async pendingKey(): Promise<string> {
    const kept = pemBlocks((await readStateFile(this.#keyFile)) ?? '').find((block) => block.label === 'PRIVATE KEY');
    if (kept !== undefined) return kept.text;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    await writeStateFile(this.#keyFile, key);
    return key;
  }
}
