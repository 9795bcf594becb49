import type { Iptables, IptablesKind } from './iptables.js';
import type { NamespaceAccess } from './namespace-access.js';
import type { SavedRules } from './saved-rules.js';

/**
 * One look at the rules of a namespace, for all installations there: nothing is read twice. Reading rules takes two processes, so what nft holds is
 * read only when it has another generation than at the look before: the kernel counts them.
 */
export class RulesLook {
  /** Undefined where the kernel does not count. */
  readonly #generation: number | undefined;
  readonly #saved = new Map<string, Promise<SavedRules>>();

  constructor(access: NamespaceAccess) {
    // Before any rules are read: what changes in between makes the next look another one.
    this.#generation = access.rulesetGeneration();
  }

  /** The generation of the rules of this kind. Those of legacy are not counted. */
  generationOf(kind: IptablesKind): number | undefined {
    return kind === 'nft' ? this.#generation : undefined;
  }

  /** What the command reads, all tables. */
  save(iptables: Iptables): Promise<SavedRules> {
    const known = this.#saved.get(iptables.name) ?? iptables.save();
    this.#saved.set(iptables.name, known);
    return known;
  }
}
