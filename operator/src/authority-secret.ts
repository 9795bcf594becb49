import { createAuthority, type IssuerCredentials } from '@trafficcopy/runtime';
import { FIELD_MANAGER } from './api/index.js';
import { CONFIG_MAPS, type KubeClient, KubeConflictError, KubeNotFoundError, SECRETS, textAt } from './kube/index.js';

const NAME = 'trafficcopy-authority';
const KEY = 'tls.key';
const CERTIFICATE = 'tls.crt';

/** The authority's key and certificate, in a Secret of the operator's namespace: made by the replica that comes first. */
export async function openAuthority(client: KubeClient, namespace: string): Promise<IssuerCredentials> {
  const known = await readAuthority(client, namespace);
  if (known !== undefined) return known;
  const issuer = await createAuthority();
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: NAME, namespace, labels: { 'app.kubernetes.io/managed-by': FIELD_MANAGER } },
    type: 'kubernetes.io/tls',
    data: { [KEY]: encode(issuer.key), [CERTIFICATE]: encode(issuer.certificate) },
  };
  try {
    await client.create(SECRETS, namespace, secret);
    return issuer;
  } catch (error) {
    if (!(error instanceof KubeConflictError)) throw error;
    // Another replica was first: its authority is ours.
    return (await readAuthority(client, namespace)) ?? issuer;
  }
}

/** Where intercepts find whom to trust. */
export async function publishAuthority(client: KubeClient, namespace: string, certificate: string): Promise<void> {
  const body = {
    metadata: { name: NAME, namespace, labels: { 'app.kubernetes.io/managed-by': FIELD_MANAGER } },
    data: { 'ca.crt': certificate },
  };
  await client.apply(CONFIG_MAPS, { namespace, name: NAME }, body, FIELD_MANAGER);
}

async function readAuthority(client: KubeClient, namespace: string): Promise<IssuerCredentials | undefined> {
  const secret = await client.get(SECRETS, { namespace, name: NAME }).catch((error: unknown) => {
    if (error instanceof KubeNotFoundError) return undefined;
    throw error;
  });
  if (secret === undefined) return undefined;
  const decode = (key: string): string => Buffer.from(textAt(secret, 'data', key) ?? '', 'base64').toString('utf8');
  return { key: decode(KEY), certificate: decode(CERTIFICATE) };
}
