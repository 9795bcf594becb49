import { COPY_SETTINGS_LIMITS } from '@trafficcopy/core';
import { CREDENTIALS_ANNOTATION, type SecretKey } from '../api/index.js';
import {
  type KubeClient,
  KubeForbiddenError,
  KubeNotFoundError,
  SECRETS,
  type TrafficCopyRecord,
  textAt,
} from '../kube/index.js';
import { CREDENTIALS_MS, type CredentialsState } from './credentials-state.js';

interface Read {
  readonly place: string;
  readonly atMs: number;
  readonly state: CredentialsState;
}

/**
 * Reads the Secrets that TrafficCopies name. None is watched or listed: that would take the right to read others. The owner of a Secret says by an
 * annotation which TrafficCopies may use it, as whoever writes one decides where the passwords go.
 */
export class CredentialsReader {
  readonly #client: KubeClient;
  readonly #now: () => number;
  readonly #reads = new Map<string, Read>();

  constructor(client: KubeClient, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  /** Undefined: the spec names none. What could not be looked at again stays as it was. */
  async read(trafficCopy: TrafficCopyRecord): Promise<CredentialsState | undefined> {
    const { uid, namespace, spec } = trafficCopy;
    const reference = 'problems' in spec ? undefined : spec.credentials;
    if (reference === undefined) {
      this.#reads.delete(uid);
      return undefined;
    }
    const place = `${namespace}/${reference.secret}/${reference.key}`;
    const known = this.#reads.get(uid);
    const before = known?.place === place ? known : undefined;
    if (before !== undefined && this.#now() - before.atMs < CREDENTIALS_MS) return before.state;
    const state = (await this.#look(trafficCopy, reference)) ?? before?.state ?? { kind: 'unread' };
    this.#reads.set(uid, { place, atMs: this.#now(), state });
    return state;
  }

  forget(uid: string): void {
    this.#reads.delete(uid);
  }

  clear(): void {
    this.#reads.clear();
  }

  /** Undefined: the API server could not be asked. */
  async #look({ namespace, name }: TrafficCopyRecord, reference: SecretKey): Promise<CredentialsState | undefined> {
    const { secret, key } = reference;
    const what = `spec.credentialsSecret: Secret ${namespace}/${secret}`;
    try {
      const object = await this.#client.get(SECRETS, { namespace, name: secret });
      return stateOf(object, what, namespace, name, reference);
    } catch (error) {
      if (error instanceof KubeNotFoundError) {
        const command = `kubectl create secret generic ${secret} -n ${namespace} --from-file=${key}=FILE`;
        return refused('CredentialsMissing', `${what} is not there: ${command}`);
      }
      if (error instanceof KubeForbiddenError)
        return refused('CredentialsForbidden', forbiddenText(what, namespace, secret));
      return undefined;
    }
  }
}

function stateOf(
  object: unknown,
  what: string,
  namespace: string,
  name: string,
  { secret, key }: SecretKey,
): CredentialsState {
  const users = (textAt(object, 'metadata', 'annotations', CREDENTIALS_ANNOTATION) ?? '').split(',');
  if (!users.some((user) => ['*', name].includes(user.trim()))) {
    const command = `kubectl annotate secret ${secret} -n ${namespace} --overwrite ${CREDENTIALS_ANNOTATION}=${name}`;
    return refused('CredentialsNoConsent', `${what} is not for this TrafficCopy: its owner has to say so: ${command}`);
  }
  const encoded = textAt(object, 'data', key);
  if (encoded === undefined) return refused('CredentialsMissing', `${what} has no key ${key}`);
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const lengthMax = COPY_SETTINGS_LIMITS.credentials;
  if (text.length > lengthMax) {
    return refused('CredentialsTooLarge', `${what}: key ${key} has more than ${lengthMax} characters`);
  }
  return { kind: 'known', text };
}

function forbiddenText(what: string, namespace: string, secret: string): string {
  const rule = `kubectl create role ${secret}-reader -n ${namespace} --verb=get --resource=secrets --resource-name=${secret}`;
  return (
    `${what}: the operator may not read it: give it the name that the chart's operator.credentialsSecrets has, or let the operator's service account ` +
    `read this one: ${rule}, and a RoleBinding to it (docs/kubernetes.md)`
  );
}

function refused(reason: string, message: string): CredentialsState {
  return { kind: 'refused', problem: { reason, message } };
}
