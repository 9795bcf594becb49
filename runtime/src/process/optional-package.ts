import { isMainThread } from 'node:worker_threads';
import { StartError } from '../errors/start-error.js';

export interface OptionalPackage<T> {
  readonly name: string;
  /** What asks for it; `FLAG=native` does without. */
  readonly flag: string;
  /** Of errors; with `_PACKAGE` behind it where the package is not there. */
  readonly code: `ERR_START_${string}`;
  /** Requires it from where it is wanted. */
  readonly require: () => T;
}

/** An npm package with native code that works in the main thread only. @throws StartError */
export function loadOptionalPackage<T>({ name, flag, code, require }: OptionalPackage<T>): T {
  if (!isMainThread) {
    throw new StartError(code, `the npm package ${name} works in the main thread only: use ${flag}=native`);
  }
  try {
    return require();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new StartError(
      `${code}_PACKAGE`,
      `${flag}=${name} needs the optional npm package ${name}, built for this Node.js: ${reason} (\`npm rebuild ${name}\`, or use ${flag}=native)`,
      { cause },
    );
  }
}
