import type { ProgramLog } from '@trafficcopy/runtime';
import { refuseLocalClients, refuseNeededClients } from '../config/udp-clients.js';
import type { InterceptConfig } from '../config.js';
import { KernelNamespace } from '../rules/namespace-access.js';
import { RulesInstallation } from '../rules/rules-installation.js';
import { RulesLook } from '../rules/rules-look.js';
import type { WorkerSlot } from '../rules/worker-slot.js';
import { readLocalAddresses } from '../targets/local-addresses.js';
import { readNeededAddresses } from '../targets/needed-addresses.js';

/** Said while other workers' rules are still to be taken away. */
const STAYS_FOR_OTHERS = /^settings stay for /;

/**
 * The rules of all workers of an intercept: each has a slot of its own, and an instance of its own in the journal, so that whatever ends, and in
 * which order, the last restores what the first found.
 */
export class WorkerRules {
  readonly #installations: RulesInstallation[] = [];
  readonly #access: KernelNamespace;
  readonly #logger: ProgramLog['logger'];
  #isHolding = false;
  #isEnding = false;

  private constructor(access: KernelNamespace, logger: ProgramLog['logger']) {
    this.#access = access;
    this.#logger = logger;
  }

  /**
   * `open` opens what a worker's slot needs, before its rules are put in place; false when its queue is read by another program.
   *
   * @throws RulesError, StartError, or what `open` throws: everything is then as it was found.
   */
  static async install(
    config: InterceptConfig,
    logger: ProgramLog['logger'],
    open: (worker: number, slot: WorkerSlot) => Promise<boolean>,
  ): Promise<WorkerRules> {
    const access = new KernelNamespace(config.netnsPath, '/proc');
    const rules = new WorkerRules(access, logger);
    refuseLocalClients(
      config.udpClients,
      await readLocalAddresses(config.netnsPath === undefined ? undefined : access),
    );
    if (config.udpClients.length > 0) refuseNeededClients(config.udpClients, await readNeededAddresses(access));
    try {
      for (let worker = 0; worker < config.threads; worker += 1) {
        const installation = await RulesInstallation.install({
          ...config,
          access,
          instance: worker === 0 ? config.instance : `${config.instance}.${worker}`,
          queueNumber: config.queueNumber === undefined ? undefined : config.queueNumber + worker,
          openSockets: (slot) => open(worker, slot),
          wire: undefined,
          takesUnmarked: worker === 0,
        });
        rules.#installations.push(installation);
        for (const note of installation.notes) logger.warn(note);
      }
      return rules;
    } catch (error) {
      await rules.restore();
      throw error;
    }
  }

  /** By worker. */
  get slots(): readonly WorkerSlot[] {
    return this.#installations.map(({ slot }) => slot);
  }

  get kind(): 'nft' | 'legacy' {
    return this.#installations[0]!.kind;
  }

  /** Call it every second: rules that somebody else flushed or overtook let answers out to clients. */
  hold(): void {
    if (this.#isHolding || this.#isEnding) return;
    this.#isHolding = true;
    this.#holdAll()
      .catch((error: unknown) =>
        this.#logger.error({ err: error }, 'the rules are not in place and cannot be put back'),
      )
      .finally(() => {
        this.#isHolding = false;
      });
  }

  async #holdAll(): Promise<void> {
    // One look for all of them, until something was put back.
    let look = new RulesLook(this.#access);
    for (const installation of this.#installations) {
      if (this.#isEnding) return;
      const wrong = await installation.hold(look);
      if (wrong.length > 0) look = new RulesLook(this.#access);
      for (const message of wrong) {
        this.#logger.error(`${message}; until now answers of the target may have reached clients`);
      }
    }
  }

  /** Puts back what was found. @throws RulesError: it can be tried again */
  async restore(): Promise<void> {
    this.#isEnding = true;
    for (const installation of this.#installations) {
      const notes = await installation.restore();
      for (const note of notes) if (!STAYS_FOR_OTHERS.test(note)) this.#logger.warn(note);
    }
  }
}
