import { accessSync, constants } from 'node:fs';

/**
 * Replaces this program by one that only sleeps, in the same process: a native sidecar that ends is started again, for ever. What was
 * open is closed by the kernel. The environment holds a token, so the other program gets none.
 *
 * @param stay what to do where there is no such program: wait for the end in this one
 */
export async function park(program: string, stay: () => Promise<void>): Promise<void> {
  // Node.js ends in a core dump when the kernel refuses the program.
  if (isExecutable(program) && process.execve !== undefined) process.execve(program, [program], {});
  await stay();
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
