/** A server, its authority and clients on loopback, all closed and removed at the end of the test. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { FRAME } from '@trafficcopy/core';
import {
  Authority,
  type AuthorityOptions,
  ChannelClient,
  type ChannelClientOptions,
  type ChannelConnection,
  type ChannelError,
  ChannelServer,
  type ChannelServerOptions,
  type ClientCredentials,
  CredentialStore,
  join,
  type TokenOptions,
} from '../../src/index.js';

export const SERVER_HELLO = {
  role: 'intercept',
  name: 'target-1',
  delivery: 'tunnel',
  capabilities: [],
  targets: [],
} as const;
export const CLIENT_HELLO = {
  role: 'copy',
  name: 'online-1',
  delivery: 'tunnel',
  capabilities: [],
  targets: [],
} as const;

export interface ReceivedFrame {
  readonly type: number;
  readonly payload: Buffer;
}

/** What a side saw, with a way to wait for it. */
export class Observer {
  readonly connections: ChannelConnection[] = [];
  readonly frames: ReceivedFrame[] = [];
  readonly closed: ChannelError[] = [];
  readonly downs: { reason: ChannelError; willRetry: boolean }[] = [];
  readonly refusals: ChannelError[] = [];
  readonly looks: string[] = [];
  readonly joined: string[] = [];
  readonly renewed: ClientCredentials[] = [];
  readonly renewalFailures: string[] = [];
  readonly faults: Error[] = [];
  drains = 0;
}

/** Resolves when `condition` holds; rejects with `what` when it does not within the deadline. */
export async function until(what: string, condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const endMs = Date.now() + deadlineMs;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Frames of these sizes go both ways between a client and its server, and come as they were sent. */
export async function exchangeFrames(
  { client, seen: clientSeen }: { client: ChannelClient; seen: Observer },
  serverSeen: Observer,
  sizes: readonly number[],
): Promise<void> {
  await until('up', () => serverSeen.connections.length === 1 && clientSeen.connections.length === 1);
  const payloads = sizes.map((size, index) => Buffer.alloc(size, index + 1));
  for (const payload of payloads) {
    assert.ok(client.connection!.send(FRAME.PACKETS, payload));
    assert.ok(serverSeen.connections[0]!.send(FRAME.HEADERS, payload));
  }
  const isThere = ({ frames }: Observer): boolean => frames.length === sizes.length;
  await until('all are there', () => isThere(serverSeen) && isThere(clientSeen));
  for (const [index, payload] of payloads.entries()) {
    assert.ok(serverSeen.frames[index]!.payload.equals(payload));
    assert.ok(clientSeen.frames[index]!.payload.equals(payload));
  }
  await until('the queue is empty', () => client.connection!.queuedBytes === 0);
}

export class ChannelFixture {
  readonly #test: TestContext;
  #directory: string | undefined;

  constructor(test: TestContext) {
    this.#test = test;
  }

  /** A directory of the test's own, removed at its end. */
  async directory(): Promise<string> {
    if (this.#directory === undefined) {
      const directory = await mkdtemp(path.join(os.tmpdir(), 'trafficcopy-channel-'));
      this.#directory = directory;
      this.#test.after(() => rm(directory, { recursive: true, force: true }));
    }
    return this.#directory;
  }

  async authority(options: Partial<AuthorityOptions> = {}, name = 'authority'): Promise<Authority> {
    const directory = path.join(await this.directory(), name);
    return await Authority.open({ directory, role: 'intercept', name: 'target-1', ...options });
  }

  async serve(options: Partial<ChannelServerOptions>): Promise<{ server: ChannelServer; seen: Observer }> {
    const seen = new Observer();
    const server = new ChannelServer({
      address: '127.0.0.1',
      port: 0,
      credentials: 'insecure',
      hello: SERVER_HELLO,
      onConnection: (connection) => seen.connections.push(connection),
      onFrame: (_connection, type, bytes, offset, length) => {
        seen.frames.push({ type, payload: Buffer.from(bytes.subarray(offset, offset + length)) });
      },
      onClose: (_connection, reason) => seen.closed.push(reason),
      onRefusal: (error) => seen.refusals.push(error),
      onLook: (remote) => seen.looks.push(remote),
      onJoin: (identity) => seen.joined.push(identity.name),
      onFault: (error) => seen.faults.push(error),
      ...options,
    });
    await server.listen();
    this.#test.after(() => server.close());
    return { server, seen };
  }

  async serveSecurely(
    authority: Authority,
    options: Partial<ChannelServerOptions> = {},
  ): Promise<{ server: ChannelServer; seen: Observer }> {
    return await this.serve({ credentials: await authority.serverCredentials(), authority, ...options });
  }

  connect(options: Partial<ChannelClientOptions> & { port: number }): { client: ChannelClient; seen: Observer } {
    const seen = new Observer();
    const client = new ChannelClient({
      host: '127.0.0.1',
      credentials: 'insecure',
      hello: CLIENT_HELLO,
      random: () => 0,
      onUp: (connection) => seen.connections.push(connection),
      onFrame: (_connection, type, bytes, offset, length) => {
        seen.frames.push({ type, payload: Buffer.from(bytes.subarray(offset, offset + length)) });
      },
      onDown: (reason, willRetry) => seen.downs.push({ reason, willRetry }),
      onDrain: () => {
        seen.drains += 1;
      },
      onRenewed: (credentials) => seen.renewed.push(credentials),
      onRenewalFailed: (message) => seen.renewalFailures.push(message),
      ...options,
    });
    client.start();
    this.#test.after(() => client.close());
    return { client, seen };
  }

  async store(port: number, name = 'state'): Promise<CredentialStore> {
    return new CredentialStore(path.join(await this.directory(), name), '127.0.0.1', port);
  }

  /** Joins as a new machine would. */
  async join(
    authority: Authority,
    port: number,
    tokenOptions: TokenOptions = {},
    name = 'state',
  ): Promise<ClientCredentials> {
    const token = await authority.issueToken(tokenOptions);
    const role = tokenOptions.role ?? 'copy';
    return await join({ host: '127.0.0.1', port, token, role, name: 'online-1', store: await this.store(port, name) });
  }
}
