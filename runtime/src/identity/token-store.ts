/**
 * Tokens that an authority gave out, by the hash of their secrets, one file each, so that several processes can share the directory:
 * `<hash>.json` is a token, `<hash>.used` says which key redeemed it. Creating the latter is what spends the token: it happens once.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { CHANNEL_ROLES, type ChannelRole } from '@trafficcopy/core';
import { hashSecret } from './join-token.js';
import { StateError } from './state-error.js';
import { createStateFile, makeStateDirectory, readStateFile } from './state-file.js';

/** Tokens that are good at one time. */
export const TOKENS_MAX = 1024;

/** What a token allows. */
export interface TokenGrant {
  readonly role: ChannelRole;
  /** The name that its holder gets; undefined: its own wish, with a part of its key's hash behind it. */
  readonly name?: string | undefined;
  /** ms since the epoch. */
  readonly expiresAtMs: number;
}

export type TokenVerdict = TokenGrant | 'tokenUnknown' | 'tokenUsed' | 'tokenExpired';

export class TokenStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws {StateError} ERR_STATE_TOKENS when TOKENS_MAX are good already. */
  async add(secret: string, grant: TokenGrant, nowMs: number): Promise<void> {
    await makeStateDirectory(this.#directory);
    const kept = await this.#removeExpired(nowMs);
    if (kept >= TOKENS_MAX) {
      const hint = `wait until some expire, or remove ${this.#directory}`;
      throw new StateError('ERR_STATE_TOKENS', `${kept} join tokens are good, the limit; ${hint}`);
    }
    await createStateFile(this.#file(secret, 'json'), `${JSON.stringify(grant)}\n`);
  }

  /** Whether the secret is good for this key, or for any key where none is given. Changes nothing. */
  async look(secret: string, keyPin: string | undefined, nowMs: number): Promise<TokenVerdict> {
    const grant = parseGrant(await readStateFile(this.#file(secret, 'json')));
    if (grant === undefined) return 'tokenUnknown';
    if (nowMs >= grant.expiresAtMs) return 'tokenExpired';
    const usedBy = keyPin === undefined ? undefined : await readStateFile(this.#file(secret, 'used'));
    return usedBy === undefined || usedBy.trim() === keyPin ? grant : 'tokenUsed';
  }

  /**
   * Spends the token for a key. The same key may spend it again until it expires: an answer that was lost on the way must not
   * cost a token, and another key cannot profit.
   */
  async redeem(secret: string, keyPin: string, nowMs: number): Promise<TokenVerdict> {
    const verdict = await this.look(secret, keyPin, nowMs);
    if (typeof verdict === 'string') return verdict;
    const isFirst = await createStateFile(this.#file(secret, 'used'), `${keyPin}\n`);
    return isFirst ? verdict : await this.look(secret, keyPin, nowMs);
  }

  #file(secret: string, extension: 'json' | 'used'): string {
    return path.join(this.#directory, `${hashSecret(secret)}.${extension}`);
  }

  /** Removes what has expired, or cannot be read; returns how many are left. */
  async #removeExpired(nowMs: number): Promise<number> {
    let kept = 0;
    for (const entry of await readdir(this.#directory)) {
      if (!/^[0-9a-f]{64}\.json$/.test(entry)) continue;
      const file = path.join(this.#directory, entry);
      const grant = parseGrant(await readStateFile(file));
      // A day longer, so that whoever comes late hears «expired» and not «unknown».
      if (grant !== undefined && nowMs < grant.expiresAtMs + DAY_MS) {
        if (nowMs < grant.expiresAtMs) kept += 1;
        continue;
      }
      await rm(file, { force: true });
      await rm(file.replace(/json$/, 'used'), { force: true });
    }
    return kept;
  }
}

const DAY_MS = 24 * 3600 * 1000;

function parseGrant(text: string | undefined): TokenGrant | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as { role?: unknown; name?: unknown; expiresAtMs?: unknown };
    const role = CHANNEL_ROLES.find((known) => known === value.role);
    if (role === undefined || typeof value.expiresAtMs !== 'number') return undefined;
    const name = typeof value.name === 'string' ? value.name : undefined;
    return { role, name, expiresAtMs: value.expiresAtMs };
  } catch {
    return undefined;
  }
}
