import { existsSync, globSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..');
/** Inputs that broke something once, in a directory for each target. */
export const REGRESSIONS_DIRECTORY = path.join(ROOT, 'fuzz/regressions');

/** A compiled target of some workspace. */
export interface TargetFile {
  /** `core/packet-header`. */
  readonly name: string;
  readonly url: string;
}

/** All targets whose source is still there. */
export function findTargets(): TargetFile[] {
  return globSync('*/test/fuzz/*.ts', { cwd: ROOT })
    .map((source) => path.parse(source))
    .map(({ dir, name }) => ({ workspace: dir.split('/')[0]!, name }))
    .map(({ workspace, name }) => ({
      name: `${workspace}/${name}`,
      file: path.join(ROOT, workspace, 'dist/test/fuzz', `${name}.js`),
    }))
    .filter(({ file }) => existsSync(file))
    .map(({ name, file }) => ({ name, url: pathToFileURL(file).href }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
