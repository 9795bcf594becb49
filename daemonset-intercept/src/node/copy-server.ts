/**
 * Where copies connect to: lets a copy in that the grants of the operator name for the pod that it asks for, and binds its connection
 * to the network namespace of that pod.
 */
import type { Hello } from '@trafficcopy/core';
import {
  type ChannelConnection,
  ChannelServer,
  type GrantRefusal,
  type PeerIdentity,
  type ProgramLog,
  type ServerCredentials,
} from '@trafficcopy/runtime';
import type { InterceptLimits } from '../limits.js';
import type { TargetNamespace } from '../target-namespace.js';
import type { TargetPattern } from '../targets/target-gate.js';
import { NewcomerPatience } from './newcomer-patience.js';
import { grantsOf, ownerOf } from './pod-grants.js';
import type { TargetPod } from './target-pod.js';
import type { TargetPods } from './target-pods.js';

/** Connections of all copies to all pods of the node. */
const CONNECTIONS_MAX = 2048;

export interface CopyServerOptions {
  readonly address: string;
  readonly port: number;
  readonly hello: Omit<Hello, 'version'>;
  readonly pods: TargetPods;
  readonly limits: InterceptLimits;
  readonly nowMs: () => number;
  readonly logger: ProgramLog['logger'];
}

type Admission =
  | { readonly namespace: TargetNamespace; readonly permitted: readonly TargetPattern[] }
  | { readonly refusal: GrantRefusal };

export class CopyServer {
  readonly #options: CopyServerOptions;
  readonly #patience = new NewcomerPatience();
  readonly #namespaces = new Map<number, TargetNamespace>();
  /** Wait for the next connection to be closed. */
  readonly #closings: (() => void)[] = [];
  #server: ChannelServer | undefined;
  #connections = 0;

  constructor(options: CopyServerOptions) {
    this.#options = options;
  }

  get isListening(): boolean {
    return this.#server !== undefined;
  }

  /** Connections since the start. */
  get connections(): number {
    return this.#connections;
  }

  get refusals(): number {
    return this.#server?.refusals ?? 0;
  }

  get queuedBytes(): number {
    let bytes = 0;
    for (const connection of this.#server?.connections ?? []) bytes += connection.queuedBytes;
    return bytes;
  }

  /** Listens with its first credentials, and uses later ones for connections that come from then on. @throws ChannelError */
  async use(credentials: ServerCredentials): Promise<void> {
    if (this.#server !== undefined) {
      this.#server.setCredentials(credentials);
      return;
    }
    const { address, port, hello, limits, logger } = this.#options;
    const server = new ChannelServer({
      address,
      port,
      credentials,
      hello,
      clientRoles: ['copy'],
      connectionsMax: CONNECTIONS_MAX,
      queueBytesMax: limits.connectionQueueBytesMax,
      authorize: (peer, identity) => {
        const admission = this.#admit(peer, identity);
        return 'refusal' in admission ? admission.refusal : undefined;
      },
      onConnection: (connection) => this.#connected(connection),
      onFrame: (connection, type, bytes, offset, length) =>
        this.#namespaces.get(connection.id)?.frame(connection, type, bytes, offset, length),
      onClose: (connection, reason) => this.#closed(connection, reason),
      onRefusal: (error, remote) => logger.warn({ remote, err: error }, 'a peer was refused'),
      onLook: (remote) => logger.debug({ remote }, 'somebody looked whether intercept is there, and left'),
      onFault: (error) => logger.error({ err: error }, 'the channel has a fault'),
    });
    await server.listen();
    this.#server = server;
  }

  /** The grants of a pod have changed, or it serves from now on: who has none any more goes. */
  enforce(pod: TargetPod): void {
    const namespace = pod.serving;
    if (namespace === undefined) return;
    const { settings } = pod;
    const expelled = namespace.permit(({ connection }) => {
      const owner = ownerOf(connection.identity?.name);
      return owner === undefined || settings === undefined ? undefined : grantsOf(settings, owner);
    });
    for (const connection of expelled) {
      this.#namespaces.delete(connection.id);
      this.#server?.expel(connection, `${settings?.name ?? 'the pod'} is no target of this TrafficCopy any more`);
    }
  }

  /** Ends all connections of a namespace that is about to be left; resolves when the last one is closed. */
  async leave(namespace: TargetNamespace): Promise<void> {
    for (const connection of this.#server?.connections ?? []) {
      if (this.#namespaces.get(connection.id) === namespace) connection.close('the target pod is not served any more');
    }
    while ([...this.#namespaces.values()].includes(namespace)) {
      await new Promise<void>((resolve) => this.#closings.push(resolve));
    }
  }

  async close(): Promise<void> {
    await this.#server?.close('intercept ends');
  }

  #admit(hello: Hello, identity: PeerIdentity | undefined): Admission {
    const [target] = hello.targets;
    if (target === undefined || hello.targets.length !== 1) {
      return refuse('protocol', 'HELLO names exactly one target: the address and port of a pod');
    }
    const owner = ownerOf(identity?.name);
    if (owner === undefined) {
      return refuse('forbidden', 'the certificate is not one of a copy in a pod (NAMESPACE/UID/POD-UID)');
    }
    const pod = this.#options.pods.at(target.address);
    if (pod?.settings === undefined)
      return refuse('unavailable', `no pod with the address ${target.address} is a target here yet`);
    const permitted = grantsOf(pod.settings, owner);
    const key = `${owner} ${pod.uid}`;
    if (permitted === undefined) {
      const isEarly = this.#patience.has(key, this.#options.nowMs());
      const message = `the operator has not granted ${owner} the pod ${pod.settings.name}`;
      return refuse(isEarly ? 'unavailable' : 'forbidden', message);
    }
    this.#patience.forget(key);
    if (pod.serving === undefined) {
      const { state, message } = pod.report();
      return refuse('unavailable', `${pod.settings.name} is not served yet (${state}): ${message}`);
    }
    return { namespace: pod.serving, permitted };
  }

  #connected(connection: ChannelConnection): void {
    const { logger } = this.#options;
    const admission = this.#admit(connection.peer, connection.identity);
    if ('refusal' in admission || !admission.namespace.connected(connection, admission.permitted)) {
      connection.close('too many copies are connected to this pod');
      return;
    }
    this.#connections += 1;
    this.#namespaces.set(connection.id, admission.namespace);
    const { peer, remote, identity } = connection;
    const target = peer.targets[0]?.address;
    logger.info(
      { remote, copy: peer.name, identity: identity?.name, target, delivery: peer.delivery },
      'a copy is connected',
    );
  }

  #closed(connection: ChannelConnection, reason: Error): void {
    const namespace = this.#namespaces.get(connection.id);
    this.#namespaces.delete(connection.id);
    const isOurs = namespace?.closed(connection) === true;
    for (const resolve of this.#closings.splice(0)) resolve();
    if (!isOurs) return;
    const { remote, peer } = connection;
    this.#options.logger.info({ remote, copy: peer.name, reason: reason.message }, 'a copy has gone');
  }
}

function refuse(code: GrantRefusal['code'], message: string): Admission {
  return { refusal: { code, message } };
}
