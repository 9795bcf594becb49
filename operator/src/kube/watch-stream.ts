import type { IncomingMessage } from 'node:http';
import { KubeUnavailableError, kubeErrorOf } from './kube-error.js';
import { textAt, valueAt } from './kube-object.js';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
}

const LINE_BYTES_MAX = 16 * 1024 * 1024;
const TYPES: ReadonlySet<string> = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);

/**
 * The events of a watch, in batches as they came: one JSON object a line.
 * @param silenceMsMax without an octet for so long the stream is dead: the API server ends it earlier by itself
 * @throws KubeExpiredError and others, for an ERROR event; KubeUnavailableError when the stream breaks off
 */
export async function* watchEvents(
  what: string,
  response: IncomingMessage,
  silenceMsMax: number,
): AsyncGenerator<readonly WatchEvent[]> {
  response.setTimeout(silenceMsMax, () => response.destroy(new Error('silence')));
  response.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_BYTES_MAX) throw new Error('a line is too long');
      const events = lines.filter((line) => line !== '').map((line) => parseEvent(what, line));
      if (events.length > 0) yield events;
    }
  } catch (cause) {
    if (cause instanceof Error && 'status' in cause) throw cause;
    throw new KubeUnavailableError(0, `${what}: the stream broke off (${(cause as Error).message})`, undefined, {
      cause,
    });
  } finally {
    response.destroy();
  }
}

function parseEvent(what: string, line: string): WatchEvent {
  const event: unknown = JSON.parse(line);
  const type = textAt(event, 'type') ?? '';
  const object = valueAt(event, 'object');
  if (TYPES.has(type)) return { type: type as WatchEvent['type'], object };
  throw kubeErrorOf(what, Number(valueAt(object, 'code') ?? 500), textAt(object, 'message') ?? `unknown event ${type}`);
}
