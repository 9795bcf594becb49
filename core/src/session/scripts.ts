/** Makes the scripts of sessions whose port has a protocol, and gathers why targets let nobody in. */
import type { Comparison } from '../compare/comparison.js';
import type { EngineConfig } from '../engine-config.js';
import type { ByteStore } from './byte-store.js';
import type { Captured } from './captured.js';
import { Script } from './script.js';

/** Different problems of logins that are told. */
const LOGIN_PROBLEMS_MAX = 64;

export class Scripts {
  readonly #config: EngineConfig;
  readonly #store: ByteStore;
  readonly #comparison: Comparison | undefined;
  #players = 0;
  /** Why targets let nobody in, and how often: for people. */
  readonly loginProblems = new Map<string, number>();

  constructor(config: EngineConfig, store: ByteStore, comparison: Comparison | undefined) {
    this.#config = config;
    this.#store = store;
    this.#comparison = comparison;
  }

  /** A fresh one; undefined where nothing is translated. */
  make({ mapping }: Captured): Script | undefined {
    const { protocols } = this.#config;
    const config = protocols?.byPort.get(mapping.onlinePort);
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
