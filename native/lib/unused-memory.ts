import { addon } from './addon.js';

/**
 * Gives memory that this process has and does not use back to the system: pages of the program's files (code and constants of Node.js and of libraries; what
 * is used comes back from the page cache), and what malloc keeps. Takes some milliseconds.
 *
 * @returns octets of program files that were let go of; 0 where the system does not say which may go
 */
export function giveBackUnusedMemory(): number {
  return addon().giveBackUnusedMemory();
}
