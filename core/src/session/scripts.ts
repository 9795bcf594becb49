/** Makes the scripts of sessions whose port has a protocol, and gathers why targets let nobody in. */
import type { Comparison } from '../compare/comparison.js';
import type { EngineConfig, ProtocolsConfig } from '../engine-config.js';
import type { Credential } from '../protocol/credential.js';
import type { Protocol } from '../protocol/protocol.js';
import type { ByteStore } from './byte-store.js';
import type { Captured } from './captured.js';
import { Script } from './script.js';

/** Different problems of logins that are told. */
const LOGIN_PROBLEMS_MAX = 64;

/** What players of one port are made from. They keep what they found in the credentials, so those of a user are changed in place. */
interface PortProtocol {
  readonly protocol: Protocol;
  readonly credentials: Credential[];
}

export class Scripts {
  readonly #store: ByteStore;
  readonly #comparison: Comparison | undefined;
  #protocols: ProtocolsConfig | undefined;
  #byPort = new Map<number, PortProtocol>();
  #players = 0;
  /** Why targets let nobody in, and how often: for people. */
  readonly loginProblems = new Map<string, number>();

  constructor(config: EngineConfig, store: ByteStore, comparison: Comparison | undefined) {
    this.#store = store;
    this.#comparison = comparison;
    this.setProtocols(config.protocols);
  }

  /** Sessions whose port keeps its protocol log in with the new credentials from their next connection on; others stay as they are. */
  setProtocols(protocols: ProtocolsConfig | undefined): void {
    const before = this.#byPort;
    this.#protocols = protocols;
    this.#byPort = new Map();
    for (const [port, { protocol, credentials }] of protocols?.byPort ?? []) {
      const known = before.get(port);
      const isKept = known?.protocol === protocol;
      const own = isKept ? known : { protocol, credentials: [] };
      own.credentials.splice(0, Number.POSITIVE_INFINITY, ...renewed(own.credentials, credentials));
      this.#byPort.set(port, own);
    }
  }

  /** A fresh one; undefined where nothing is translated. */
  make({ mapping }: Captured): Script | undefined {
    const protocols = this.#protocols;
    const config = this.#byPort.get(mapping.onlinePort);
    if (protocols === undefined || config === undefined) return undefined;
    this.#players += 1;
    const { digests, nonceKey } = protocols;
    const parts = { credentials: config.credentials, digests, nonceKey, serial: this.#players };
    return new Script(config.protocol.player(parts), this.#store, this.#comparison);
  }

  noteLoginProblem(problem: string): void {
    const problems = this.loginProblems;
    if (problems.size < LOGIN_PROBLEMS_MAX || problems.has(problem)) {
      problems.set(problem, (problems.get(problem) ?? 0) + 1);
    }
  }
}

/** `now` in objects of our own, those of `before` where the user is the same. */
function renewed(before: readonly Credential[], now: readonly Credential[]): Credential[] {
  const left = [...before];
  return now.map((credential) => {
    const at = left.findIndex(({ user }) => user === credential.user);
    const [known = {}] = at < 0 ? [] : left.splice(at, 1);
    return Object.assign(known, credential);
  });
}
