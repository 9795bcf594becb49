import { type FuzzTarget, INPUT_BYTES_MAX } from './fuzz-target.js';
import { mutated } from './mutation.js';
import { Random } from './random.js';

/** Inputs that made something new happen and are kept to make others of. */
const CORPUS_MAX = 512;
/** Different things that happened which are remembered. */
const FEATURES_MAX = 65_536;

/** Makes the inputs of one target. */
export class Campaign {
  readonly #target: FuzzTarget;
  readonly #random: Random;
  readonly #words: readonly Uint8Array[];
  readonly #bytesMax: number;
  readonly #corpus: Uint8Array[];
  readonly #features = new Set<number>();
  #seeds = 0;

  constructor(target: FuzzTarget, seed: number) {
    this.#target = target;
    this.#random = new Random(seed);
    this.#words = (target.words ?? []).map((word) => new TextEncoder().encode(word));
    this.#bytesMax = target.bytesMax ?? INPUT_BYTES_MAX;
    this.#corpus = [...target.seeds];
  }

  /** Different things that happened so far. */
  get features(): number {
    return this.#features.size;
  }

  next(): Uint8Array {
    if (this.#seeds < this.#target.seeds.length) return this.#target.seeds[this.#seeds++]!;
    const random = this.#random;
    const { make, mutate } = this.#target;
    if (make !== undefined && random.chance(0.3)) return make(random).slice(0, this.#bytesMax);
    const input = random.pick(this.#corpus);
    if (mutate !== undefined && random.chance(0.8)) return mutate(random, input).slice(0, this.#bytesMax);
    return mutated(random, input, random.pick(this.#corpus), this.#words, this.#bytesMax);
  }

  /** What `input` made happen. */
  note(input: Uint8Array, feature: number): void {
    const known = this.#features.size;
    if (known >= FEATURES_MAX) return;
    this.#features.add(feature);
    if (this.#features.size === known) return;
    if (this.#corpus.length < CORPUS_MAX) this.#corpus.push(input);
    else this.#corpus[this.#random.below(CORPUS_MAX)] = input;
  }
}
