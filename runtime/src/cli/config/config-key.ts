import type { CommandSpecification } from '../command-specification.js';
import type { Flag } from '../flag.js';

/** The key of a flag in a configuration file: "maxHeld". */
export function configKey(flag: Flag): string {
  return flag.long.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** The flags that a configuration file may set, with their names in the table. */
export function configFlags(specification: CommandSpecification): [string, Flag][] {
  return Object.entries(specification.flags).filter(([, flag]) => flag.isLineOnly !== true);
}
