/**
 * Fuzzing of everything that reads bytes which somebody else wrote (docs/adr/0016). A target is a file in `<workspace>/test/fuzz/` whose default
 * export is a {@link FuzzTarget}; `scripts/fuzz.sh` finds and runs all of them.
 *
 * Invariants. One seed and one build give the same inputs in the same order. An input is complete: it fails alone, in a fresh target, and the file
 * that is kept of it is all that a regression test needs. An input that hangs or ends the thread is found as well: each one lies in shared memory
 * before it runs, and another thread watches.
 */
export { feature } from './feature.js';
export type { FuzzTarget } from './fuzz-target.js';
export { InputReader } from './input-reader.js';
export { jsonInputs } from './json-inputs.js';
export { Random } from './random.js';
