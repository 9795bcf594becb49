/**
 * Tokens that an authority gave out, by the hash of their secrets, one file each, so that several processes can share the directory:
 * `<hash>.json` is a token, `<hash>.used` says which key redeemed it. Creating the latter is what spends the token: it happens once. A reusable
 * token is never spent, and nothing is kept of who came with it.
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { CHANNEL_ROLES, type ChannelRole } from '@trafficcopy/core';
import { hashSecret } from './join-token.js';
import { createStateFile, makeStateDirectory, readStateFile } from './state-file.js';

/** Tokens that are kept at one time; when one more is given out, the one that expires first is forgotten. */
export const TOKENS_MAX = 64;

/** What a token allows. */
export interface TokenGrant {
  readonly role: ChannelRole;
  /** The name that its holder gets; undefined: its own wish, with a part of its key's hash behind it. */
  readonly name?: string | undefined;
  /** ms since the epoch. */
  readonly expiresAtMs: number;
  /** Any number of newcomers may come with it. Default: one. */
  readonly isReusable?: boolean | undefined;
}

export type TokenVerdict = TokenGrant | 'tokenUnknown' | 'tokenUsed' | 'tokenExpired';

export class TokenStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws {StateError} */
  async add(secret: string, grant: TokenGrant, nowMs: number): Promise<void> {
    await makeStateDirectory(this.#directory);
    await this.#makeRoom(nowMs);
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
    if (typeof verdict === 'string' || verdict.isReusable === true) return verdict;
    const isFirst = await createStateFile(this.#file(secret, 'used'), `${keyPin}\n`);
    return isFirst ? verdict : await this.look(secret, keyPin, nowMs);
  }

  /** Forgets every token. @returns how many were still good, used ones not counted */
  async clear(nowMs: number): Promise<number> {
    await makeStateDirectory(this.#directory);
    let count = 0;
    for (const { file, grant } of await this.#tokens()) {
      const isUsed = (await readStateFile(usedFile(file))) !== undefined;
      if (grant !== undefined && nowMs < grant.expiresAtMs && !isUsed) count += 1;
      await removeToken(file);
    }
    return count;
  }

  #file(secret: string, extension: 'json' | 'used'): string {
    return path.join(this.#directory, `${hashSecret(secret)}.${extension}`);
  }

  /** Removes what has expired or cannot be read, and of the rest the oldest, until one more fits. */
  async #makeRoom(nowMs: number): Promise<void> {
    const kept: { file: string; expiresAtMs: number }[] = [];
    for (const { file, grant } of await this.#tokens()) {
      // A day longer, so that whoever comes late hears «expired» and not «unknown».
      if (grant === undefined || nowMs >= grant.expiresAtMs + DAY_MS) await removeToken(file);
      else kept.push({ file, expiresAtMs: grant.expiresAtMs });
    }
    kept.sort((a, b) => a.expiresAtMs - b.expiresAtMs);
    for (const { file } of kept.slice(0, Math.max(0, kept.length + 1 - TOKENS_MAX))) await removeToken(file);
  }

  /** Undefined grant: the file cannot be read. */
  async #tokens(): Promise<{ readonly file: string; readonly grant: TokenGrant | undefined }[]> {
    const tokens: { file: string; grant: TokenGrant | undefined }[] = [];
    for (const entry of await readdir(this.#directory)) {
      if (!/^[0-9a-f]{64}\.json$/.test(entry)) continue;
      const file = path.join(this.#directory, entry);
      tokens.push({ file, grant: parseGrant(await readStateFile(file)) });
    }
    return tokens;
  }
}

function usedFile(file: string): string {
  return file.replace(/json$/, 'used');
}

async function removeToken(file: string): Promise<void> {
  await rm(file, { force: true });
  await rm(usedFile(file), { force: true });
}

const DAY_MS = 24 * 3600 * 1000;

function parseGrant(text: string | undefined): TokenGrant | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as { role?: unknown; name?: unknown; expiresAtMs?: unknown; isReusable?: unknown };
    const role = CHANNEL_ROLES.find((known) => known === value.role);
    if (role === undefined || typeof value.expiresAtMs !== 'number') return undefined;
    const name = typeof value.name === 'string' ? value.name : undefined;
    return { role, name, expiresAtMs: value.expiresAtMs, isReusable: value.isReusable === true };
  } catch {
    return undefined;
  }
}
