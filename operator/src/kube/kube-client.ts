import type { IncomingMessage } from 'node:http';
import { KubeConnection, type KubeHttpRequest } from './kube-connection.js';
import {
  KubeConflictError,
  type KubeError,
  KubeNotFoundError,
  KubeUnavailableError,
  kubeErrorOf,
} from './kube-error.js';
import { listAt, textAt, valueAt } from './kube-object.js';
import type { KubeResource } from './kube-resource.js';
import { isGranted, type KubeVerb, type KubeVerbName } from './kube-verbs.js';
import { type WatchEvent, watchEvents } from './watch-stream.js';

export interface KubeClientOptions {
  readonly connection: KubeConnection;
  /** Calls that are not in the table are refused. Undefined: no table (tests, command-line tools). */
  readonly verbs?: readonly KubeVerb[] | undefined;
  /** Called before every call. */
  readonly onCall?: ((call: KubeCall) => void) | undefined;
}

export interface KubeCall {
  readonly apiGroup: string;
  /** With the subresource: pods/ephemeralcontainers. */
  readonly resource: string;
  readonly verb: KubeVerbName;
}

/** Which object. */
export interface KubeName {
  readonly namespace?: string | undefined;
  readonly name: string;
}

export interface KubePage {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Where the next page begins; undefined on the last one. */
  readonly next: string | undefined;
}

export type PatchKind = 'merge' | 'strategic';

const TIMEOUT_MS = 30_000;
const BODY_BYTES_MAX = 64 * 1024 * 1024;
const PATCH_TYPES: Readonly<Record<PatchKind, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
};

/** The one way to the API server. Every call names resource and verb, is checked against the table, and can be recorded. */
export class KubeClient {
  readonly #options: KubeClientOptions;

  constructor(options: KubeClientOptions) {
    this.#options = options;
  }

  /** From KUBECONFIG, the home directory or the pod. */
  static async fromEnvironment(options: Omit<KubeClientOptions, 'connection'> = {}): Promise<KubeClient> {
    return new KubeClient({ ...options, connection: await KubeConnection.fromEnvironment() });
  }

  get connection(): KubeConnection {
    return this.#options.connection;
  }

  /** @throws KubeNotFoundError and others. */
  async get(resource: KubeResource, name: KubeName, signal?: AbortSignal): Promise<unknown> {
    return await this.#call('get', resource, '', name, { method: 'GET', signal });
  }

  async create(
    resource: KubeResource,
    namespace: string | undefined,
    body: object,
    signal?: AbortSignal,
  ): Promise<unknown> {
    return await this.#call('create', resource, '', { namespace, name: '' }, { method: 'POST', body, signal });
  }

  /** Replaces; with metadata.resourceVersion in the body only what has not changed since. @throws KubeConflictError */
  async update(resource: KubeResource, name: KubeName, body: object, signal?: AbortSignal): Promise<unknown> {
    return await this.#call('update', resource, '', name, { method: 'PUT', body, signal });
  }

  /** Server-side apply: the fields of `body` are ours from now on, fields that were ours and are not in it go. Creates what is not there. */
  async apply(
    resource: KubeResource,
    name: KubeName,
    body: object,
    fieldManager: string,
    subresource = '',
  ): Promise<unknown> {
    const { group, version, kind } = resource;
    const whole = { apiVersion: group === '' ? version : `${group}/${version}`, kind, ...body };
    const query = { fieldManager, force: 'true' };
    const request = { method: 'PATCH', body: whole, contentType: 'application/apply-patch+yaml', query } as const;
    return await this.#call('patch', resource, subresource, name, request);
  }

  async patch(
    resource: KubeResource,
    name: KubeName,
    body: object,
    kind: PatchKind,
    subresource = '',
  ): Promise<unknown> {
    return await this.#call('patch', resource, subresource, name, {
      method: 'PATCH',
      body,
      contentType: PATCH_TYPES[kind],
    });
  }

  /** What is not there is deleted already. @param uid only this one, not another of the name. */
  async delete(resource: KubeResource, name: KubeName, uid?: string): Promise<void> {
    const body = { ...(uid === undefined ? {} : { preconditions: { uid } }) };
    try {
      await this.#call('delete', resource, '', name, { method: 'DELETE', body });
    } catch (error) {
      const isGone = error instanceof KubeNotFoundError || (uid !== undefined && error instanceof KubeConflictError);
      if (!isGone) throw error;
    }
  }

  /** A page of all objects of the kind, in all namespaces or one. */
  async list(
    resource: KubeResource,
    page: { readonly limit: number; readonly next?: string | undefined; readonly namespace?: string | undefined },
    signal?: AbortSignal,
  ): Promise<KubePage> {
    const query = { limit: String(page.limit), ...(page.next === undefined ? {} : { continue: page.next }) };
    const name = { namespace: page.namespace, name: '' };
    const answer = await this.#call('list', resource, '', name, { method: 'GET', query, signal });
    return {
      items: listAt(answer, 'items'),
      resourceVersion: textAt(answer, 'metadata', 'resourceVersion') ?? '',
      next: textAt(answer, 'metadata', 'continue') || undefined,
    };
  }

  /**
   * Changes after `resourceVersion`, until the API server ends the stream (after `timeoutSeconds` at the latest).
   * @throws KubeExpiredError, KubeUnavailableError
   */
  async *watch(
    resource: KubeResource,
    watch: { readonly resourceVersion: string; readonly timeoutSeconds: number; readonly signal: AbortSignal },
  ): AsyncGenerator<readonly WatchEvent[]> {
    const { resourceVersion, timeoutSeconds, signal } = watch;
    const query = {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
    };
    const what = this.#announce('watch', resource, '', { name: '' });
    const path = `${pathOf(resource, '', { name: '' })}?${new URLSearchParams(query)}`;
    const response = await this.connection.request(what, { method: 'GET', path, signal, timeoutMs: TIMEOUT_MS });
    if (response.statusCode !== 200) throw await this.#errorOf(what, response);
    yield* watchEvents(what, response, (timeoutSeconds + 30) * 1000);
  }

  async #call(
    verb: KubeVerbName,
    resource: KubeResource,
    subresource: string,
    name: KubeName,
    request: Pick<KubeHttpRequest, 'method' | 'contentType' | 'signal'> & {
      body?: object;
      query?: Record<string, string>;
    },
  ): Promise<unknown> {
    const what = this.#announce(verb, resource, subresource, name);
    const query = request.query === undefined ? '' : `?${new URLSearchParams(request.query)}`;
    const response = await this.connection.request(what, {
      method: request.method,
      contentType: request.contentType,
      signal: request.signal,
      path: pathOf(resource, subresource, name) + query,
      body: request.body === undefined ? undefined : JSON.stringify(request.body),
      timeoutMs: TIMEOUT_MS,
    });
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) throw await this.#errorOf(what, response);
    return parseBody(what, await readBody(what, response));
  }

  /** Names the call for errors, after it was checked and recorded. */
  #announce(verb: KubeVerbName, resource: KubeResource, subresource: string, name: KubeName): string {
    const { group, plural } = resource;
    const full = subresource === '' ? plural : `${plural}/${subresource}`;
    const { verbs, onCall } = this.#options;
    if (verbs !== undefined && !isGranted(verbs, group, full, verb)) {
      throw new TypeError(`${verb} ${full} (${group || 'core'}) is not in the table of rights`);
    }
    onCall?.({ apiGroup: group, resource: full, verb });
    return [verb, full, [name.namespace, name.name].filter(Boolean).join('/')].filter(Boolean).join(' ');
  }

  async #errorOf(what: string, response: IncomingMessage): Promise<KubeError> {
    const text = await readBody(what, response).catch(() => '');
    const retryAfter = Number(response.headers['retry-after']);
    const retryAfterMs = Number.isFinite(retryAfter) && retryAfter > 0 ? Math.min(retryAfter, 60) * 1000 : undefined;
    let message = text.slice(0, 200);
    try {
      message = String(valueAt(JSON.parse(text), 'message') ?? message);
    } catch {
      // A proxy's page, then.
    }
    return kubeErrorOf(what, response.statusCode ?? 0, message, retryAfterMs);
  }
}

function pathOf(
  { group, version, plural, isNamespaced }: KubeResource,
  subresource: string,
  { namespace, name }: KubeName,
): string {
  const parts = group === '' ? ['api', version] : ['apis', group, version];
  if (isNamespaced && namespace !== undefined) parts.push('namespaces', namespace);
  parts.push(plural);
  if (name !== '') parts.push(name);
  if (subresource !== '') parts.push(subresource);
  return `/${parts.map(encodeURIComponent).join('/')}`;
}

async function readBody(what: string, response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) throw new Error(`the answer is longer than ${BODY_BYTES_MAX} octets`);
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new KubeUnavailableError(0, `${what}: the answer broke off (${(cause as Error).message})`, undefined, {
      cause,
    });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new KubeUnavailableError(0, `${what}: the answer is no JSON`, undefined, { cause });
  }
}
