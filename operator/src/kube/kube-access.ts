import type { RequestOptions } from 'node:https';

/** Where the API server is, and who we are there. */
export interface KubeAccess {
  /** https://HOST:PORT */
  readonly server: string;
  /** Fresh for each request: credentials change. With an `agent` only where a proxy needs one. @throws Error */
  options(): Promise<RequestOptions>;
}
