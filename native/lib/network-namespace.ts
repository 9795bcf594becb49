import { addon, callNative } from './addon.js';

/**
 * Runs `work` with this thread in another network namespace (a file such as /proc/<pid>/ns/net): files below /proc/sys/net and
 * /proc/thread-self/net that it opens are those of that namespace, and a process that it starts is in it from its first
 * instruction. `work` is synchronous; what goes on after it returned goes on in the thread's own namespace.
 *
 * @throws NativeError (namespace), or what `work` throws.
 */
export function inNamespace<T>(netnsPath: string, work: () => T): T {
  return callNative(`enter ${netnsPath}`, () => addon().inNamespace(netnsPath, work) as T);
}
