/**
 * Lines of flow tables that several namespaces share beyond those that each has from the start: a busy target can have many, and
 * all together never more than this.
 */
export class FlowBudget {
  #left: number;

  constructor(flowsMax: number) {
    this.#left = flowsMax;
  }

  get left(): number {
    return this.#left;
  }

  /** False when so many are not left. */
  take(flows: number): boolean {
    if (flows > this.#left) return false;
    this.#left -= flows;
    return true;
  }

  give(flows: number): void {
    this.#left += flows;
  }
}
