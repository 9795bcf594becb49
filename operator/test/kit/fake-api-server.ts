/**
 * An API server for tests, as far as the operator uses one: objects of any kind in memory, lists in pages, watches with history, merge patches (server-side
 * apply and strategic patches are merged in the same way), finalizers, conflicts by resource version. Real HTTP on loopback.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConnection } from '../../src/kube/index.js';

type Json = { [key: string]: unknown };
interface Stored extends Json {
  metadata: Json & { name: string; namespace?: string; uid: string; resourceVersion: string };
}
interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly version: number;
  readonly collection: string;
  readonly object: Stored;
}

export interface RecordedWrite {
  readonly method: string;
  readonly path: string;
  readonly body: Json;
}

/** `/api/v1/namespaces/shop/pods/a/ephemeralcontainers` in parts. */
interface Target {
  /** Kind of object, in all namespaces: `v1/pods`. */
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

export class FakeApiServer {
  readonly #server: Server;
  readonly #objects = new Map<string, Map<string, Stored>>();
  readonly #watches = new Set<{ readonly collection: string; readonly response: ServerResponse }>();
  #history: Change[] = [];
  #version = 1;
  readonly writes: RecordedWrite[] = [];
  /** Paths of writes, those that failed by {@link failure} among them. */
  readonly attempts: string[] = [];
  /** Answers with this status while it is set. */
  failure: { readonly status: number; readonly message: string } | undefined;
  /** After a write of a client, before its answer. */
  onStored: ((path: string) => void) | undefined;
  lists = 0;

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  connection(): KubeConnection {
    return new KubeConnection({ server: `http://127.0.0.1:${this.port}`, options: async () => ({}) });
  }

  /** As somebody else would: creates or replaces. `collection`: `v1/pods`. */
  put(
    collection: string,
    object: Json & { metadata: Json & { name: string; namespace?: string; uid?: string } },
  ): Stored {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const before = this.#in(collection).get(key);
    const uid = object.metadata.uid ?? before?.metadata.uid ?? `uid-${object.metadata.name}`;
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: '' } };
    return this.#store(collection, key, stored, before === undefined ? 'ADDED' : 'MODIFIED');
  }

  remove(collection: string, namespace: string | undefined, name: string): void {
    const key = keyOf(namespace, name);
    const object = this.#in(collection).get(key);
    if (object === undefined) return;
    this.#in(collection).delete(key);
    this.#emit('DELETED', collection, object);
  }

  get(collection: string, namespace: string | undefined, name: string): Stored | undefined {
    return this.#in(collection).get(keyOf(namespace, name));
  }

  /** Watches that ask for what is older than now have to list anew. */
  forgetHistory(): void {
    this.#history = [];
    this.#version += 1;
  }

  /** Ends every watch, as a restart does. */
  breakWatches(): void {
    for (const { response } of this.#watches) response.destroy();
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  async close(): Promise<void> {
    this.breakWatches();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #in(collection: string): Map<string, Stored> {
    const known = this.#objects.get(collection) ?? new Map<string, Stored>();
    this.#objects.set(collection, known);
    return known;
  }

  #store(collection: string, key: string, object: Stored, type: 'ADDED' | 'MODIFIED'): Stored {
    this.#version += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    const meta = stored.metadata as Json;
    const isEnded = meta['deletionTimestamp'] !== undefined && ((meta['finalizers'] as unknown[]) ?? []).length === 0;
    if (isEnded) {
      this.#in(collection).delete(key);
      this.#emit('DELETED', collection, stored);
    } else {
      this.#in(collection).set(key, stored);
      this.#emit(type, collection, stored);
    }
    return stored;
  }

  #emit(type: Change['type'], collection: string, object: Stored): void {
    if (type === 'DELETED') this.#version += 1;
    const change = { type, version: this.#version, collection, object };
    this.#history.push(change);
    for (const watch of this.#watches) if (watch.collection === collection) send(watch.response, change);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://x');
    const target = targetOf(url.pathname);
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const body = text === '' ? {} : (JSON.parse(text) as Json);
    if (request.method !== 'GET') this.attempts.push(url.pathname);
    if (this.failure !== undefined) return fail(response, this.failure.status, this.failure.message);
    const method = request.method ?? 'GET';
    if (method !== 'GET') this.writes.push({ method, path: url.pathname, body });
    if (method === 'GET' && url.searchParams.get('watch') === 'true') return this.#watch(response, url, target);
    if (method === 'GET' && target.name === undefined) return this.#list(response, url, target);
    if (method === 'POST') return this.#create(response, target, body);
    const key = keyOf(target.namespace, target.name ?? '');
    const before = this.#in(target.collection).get(key);
    const isApply = request.headers['content-type'] === 'application/apply-patch+yaml';
    if (before === undefined && !(isApply && target.subresource === undefined)) return fail(response, 404, 'not found');
    if (method === 'GET') return json(response, 200, before!);
    if (method === 'DELETE') return this.#delete(response, target, key, before!);
    if (before !== undefined && isConflict(before, body)) return fail(response, 409, 'it was changed meanwhile');
    const merged = method === 'PUT' ? (body as Stored) : (merge(before ?? {}, body) as Stored);
    merged.metadata = {
      ...merged.metadata,
      name: target.name ?? '',
      uid: before?.metadata.uid ?? `uid-${target.name}`,
    };
    const stored = this.#store(target.collection, key, merged, before === undefined ? 'ADDED' : 'MODIFIED');
    this.onStored?.(url.pathname);
    json(response, 200, stored);
  }

  #list(response: ServerResponse, url: URL, { collection, namespace }: Target): void {
    this.lists += 1;
    const all = [...this.#in(collection).values()].filter(
      ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
    );
    const from = Number(url.searchParams.get('continue') ?? 0);
    const limit = Number(url.searchParams.get('limit') ?? all.length);
    const next = from + limit < all.length ? String(from + limit) : '';
    const metadata = { resourceVersion: String(this.#version), continue: next };
    json(response, 200, { items: all.slice(from, from + limit), metadata });
  }

  #watch(response: ServerResponse, url: URL, { collection }: Target): void {
    const since = Number(url.searchParams.get('resourceVersion'));
    const oldest = this.#history[0]?.version ?? this.#version + 1;
    response.writeHead(200, { 'Content-Type': 'application/json' });
    if (since + 1 < oldest && since < this.#version) {
      response.end(`${JSON.stringify({ type: 'ERROR', object: { code: 410, message: 'too old' } })}\n`);
      return;
    }
    response.flushHeaders();
    const watch = { collection, response };
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
    for (const change of this.#history) {
      if (change.version > since && change.collection === collection) send(response, change);
    }
  }

  #create(response: ServerResponse, target: Target, body: Json): void {
    const metadata = body['metadata'] as { name?: string } | undefined;
    // Reviews are answered and not kept.
    if (metadata?.name === undefined) {
      json(response, 201, body);
      return;
    }
    const key = keyOf(target.namespace, metadata.name);
    if (this.#in(target.collection).has(key)) {
      fail(response, 409, 'already exists');
      return;
    }
    const object = { ...body, metadata: { ...metadata, uid: `uid-${metadata.name}` } } as unknown as Stored;
    json(response, 201, this.#store(target.collection, key, object, 'ADDED'));
  }

  #delete(response: ServerResponse, target: Target, key: string, before: Stored): void {
    const metadata = { ...before.metadata, deletionTimestamp: new Date().toISOString() };
    this.#store(target.collection, key, { ...before, metadata }, 'MODIFIED');
    json(response, 200, { status: 'Success' });
  }
}

function isConflict(before: Stored, body: Json): boolean {
  const { resourceVersion, uid } = (body['metadata'] ?? {}) as { resourceVersion?: string; uid?: string };
  const isOther = uid !== undefined && uid !== before.metadata.uid;
  return isOther || (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion);
}

function targetOf(path: string): Target {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const rest = parts[0] === 'api' ? parts.slice(1) : parts.slice(1);
  const group = parts[0] === 'api' ? rest.splice(0, 1)[0]! : rest.splice(0, 2).join('/');
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2;
  const namespace = isNamespaced ? rest.splice(0, 2)[1] : undefined;
  const [plural = '', name, subresource] = rest;
  return { collection: `${group}/${plural}`, namespace, name, subresource };
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** RFC 7396, with lists of named things joined as a strategic merge does. */
function merge(before: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Json = isObject(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (key === 'ephemeralContainers')
      merged[key] = [...((merged[key] as unknown[]) ?? []), ...(value as unknown[])];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function send(response: ServerResponse, { type, object }: Change): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function json(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function fail(response: ServerResponse, status: number, message: string): void {
  json(response, status, { kind: 'Status', status: 'Failure', message, code: status });
}
